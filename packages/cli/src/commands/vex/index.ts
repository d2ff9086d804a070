/** `seaworthy vex …`: what people state of vulnerabilities in releases. */
import type { Command } from 'commander'
import { Option } from 'commander'
import { vexJustification, vexStatus } from '@seaworthy/api/vex'
import { vexFormats } from '@seaworthy/response/vex'
import { withContext } from '../../context.ts'
import { collect, durationOption, oneOf } from '../../options.ts'
import type { CliPorts } from '../../ports.ts'
import { exportDocument } from './export.ts'
import { importDocument } from './import.ts'
import { list, show, showHistory } from './list.ts'
import { set, withdraw } from './set.ts'

export function addVexCommands(program: Command, ports: CliPorts): void {
  const vex = program
    .command('vex')
    .description('statements that a vulnerability matters in a release, or not, and why')
  vex
    .command('set <vulnerability> <product> <version>')
    .description('state it of a component of a release; what was stated before of it ends')
    .requiredOption('--status <status>', vexStatus.options.join(', '), oneOf(...vexStatus.options))
    .option('--component <purl>', 'its package URL; needed where several have the vulnerability')
    .option(
      '--justification <reason>',
      `why it is not affected: ${vexJustification.options.join(', ')}`,
      oneOf(...vexJustification.options),
    )
    .option('--impact <text>', 'why it does not matter, in words')
    .option('--action <text>', 'what to do about it; needed for affected')
    .option('--notes <text>', 'what else whoever looks at it should know')
    .option('--evidence <text>', 'where to look, such as a link; may be repeated', collect)
    .option('--expires <duration>', 'after which it holds no more, such as 90d', durationOption)
    .option('--later', 'later releases with the very same component inherit it; needs --expires')
    .action(withContext(ports, set))
  vex
    .command('list')
    .description('list the statements that are in force')
    .option('--product <name>', 'only those of this product')
    .option('--release <version>', 'only those made for this release')
    .option('--vulnerability <name>', 'only those of this vulnerability')
    .option(
      '--state <state>',
      'reopened: those to look at again, as they expired or a record changed; or all',
      oneOf('in-force', 'reopened', 'all'),
    )
    .action(withContext(ports, list))
  vex
    .command('show <statement>')
    .description('show a statement with its words and evidence')
    .action(withContext(ports, show))
  vex
    .command('history <vulnerability> <product> <version>')
    .description('show everything that was stated of a vulnerability in a release')
    .option('--component <purl>', 'only of this component')
    .action(withContext(ports, showHistory))
  vex
    .command('import <file>')
    .description('state what a document says, in OpenVEX, CSAF 2.0 or CycloneDX')
    .option('--replace', 'also where another statement is in force, if that is not a newer one')
    .action(withContext(ports, importDocument))
  vex
    .command('export <product> <version>')
    .description('write the statements that hold for a release as a document for others')
    .addOption(new Option('--format <format>', 'the form').choices(vexFormats).default('openvex'))
    .requiredOption('--author <name>', 'who issues the document, such as your company')
    .requiredOption('--namespace <url>', 'your own address, such as https://example.org')
    .option('-o, --output <file>', 'write the document there')
    .action(withContext(ports, exportDocument))
  vex
    .command('withdraw <statement>')
    .description('end a statement: what records say counts again')
    .action(withContext(ports, withdraw))
}
