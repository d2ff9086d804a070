/** `seaworthy vulnerability …`: what is known of the components of releases, and who runs them. */
import type { Command } from 'commander'
import { Option } from 'commander'
import { withContext } from '../../context.ts'
import { collect } from '../../options.ts'
import type { CliPorts } from '../../ports.ts'
import { checkNamed, failLevels } from './check.ts'
import { listExposed, listRecordsOfServer, showSetAside } from './exposure.ts'
import { importFiles } from './import.ts'
import { showOne } from './show.ts'

export function addVulnerabilityCommands(program: Command, ports: CliPorts): void {
  const vulnerability = program
    .command('vulnerability')
    .description('what is known of the components of releases, and which devices run them')
  vulnerability
    .command('check <product-or-sbom> [version]')
    .description(
      'compare the components of a release, or of an SBOM in a file, with records in the OSV format',
    )
    .requiredOption(
      '--records <path>',
      'a record, or a folder of them (*.json), such as an unpacked export of osv.dev; may be repeated',
      collect,
    )
    .addOption(
      new Option(
        '--fail-on <severity>',
        'end with code 3 where a finding is this severe or worse, or has no rating',
      ).choices(failLevels),
    )
    .option('--kev <file>', 'the catalogue of known exploited vulnerabilities: these come first')
    .option('--epss <file>', 'a table of scores of EPSS, unpacked: the most probable come first')
    .option('--platform <os/arch>', 'needed where the release has several')
    .option('--channel <name>', 'needed where several channels list the version')
    .action(withContext(ports, checkNamed))
  vulnerability
    .command('import <path...>')
    .description('give the server records in the OSV format: files, or folders of them (*.json)')
    .action(withContext(ports, importFiles))
  vulnerability
    .command('list')
    .description('list the records that affect a release, or may')
    .action(withContext(ports, listRecordsOfServer))
  vulnerability
    .command('show <name>')
    .description(
      'show which releases have a vulnerability, such as CVE-2021-44228, and who runs them',
    )
    .option('--at <instant>', 'count devices as of then: 2026-01-31T12:00:00Z')
    .option('--tag <name>', 'count devices by the values of a tag, instead of by fleet')
    .action(withContext(ports, showOne))
  vulnerability
    .command('exposure')
    .description('list what devices are exposed to, until nothing is left')
    .action(withContext(ports, listExposed))
  vulnerability
    .command('set-aside')
    .description('list records that the server could not use, with the reasons')
    .action(withContext(ports, showSetAside))
}
