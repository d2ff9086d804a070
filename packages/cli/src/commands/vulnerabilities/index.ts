/** `seaworthy vulnerability …`: what is known of the components of releases, and who runs them. */
import type { Command } from 'commander'
import { createContext } from '../../context.ts'
import { collect } from '../../options.ts'
import type { CliPorts } from '../../ports.ts'
import type { CheckOptions } from './check.ts'
import { checkRelease } from './check.ts'
import { listExposed, listRecordsOfServer, showSetAside } from './exposure.ts'
import { importFiles } from './import.ts'
import type { ShowExposureOptions } from './show.ts'
import { showOne } from './show.ts'

export function addVulnerabilityCommands(program: Command, ports: CliPorts): void {
  const vulnerability = program
    .command('vulnerability')
    .description('what is known of the components of releases, and which devices run them')
  vulnerability
    .command('check <product> <version>')
    .description('compare the components of a release with records in the OSV format')
    .requiredOption(
      '--records <path>',
      'a record, or a folder of them (*.json), such as an unpacked export of osv.dev; may be repeated',
      collect,
    )
    .option('--platform <os/arch>', 'needed where the release has several')
    .option('--channel <name>', 'needed where several channels list the version')
    .action(async (product: string, version: string, options: CheckOptions, command: Command) =>
      checkRelease(createContext(ports, command), product, version, options),
    )
  vulnerability
    .command('import <path...>')
    .description('give the server records in the OSV format: files, or folders of them (*.json)')
    .action(async (paths: string[], _options: object, command: Command) =>
      importFiles(createContext(ports, command), paths),
    )
  vulnerability
    .command('list')
    .description('list the records that affect a release, or may')
    .action(async (_options: object, command: Command) =>
      listRecordsOfServer(createContext(ports, command)),
    )
  vulnerability
    .command('show <name>')
    .description(
      'show which releases have a vulnerability, such as CVE-2021-44228, and who runs them',
    )
    .option('--at <instant>', 'count devices as of then: 2026-01-31T12:00:00Z')
    .option('--tag <name>', 'count devices by the values of a tag, instead of by fleet')
    .action(async (name: string, options: ShowExposureOptions, command: Command) =>
      showOne(createContext(ports, command), name, options),
    )
  vulnerability
    .command('exposure')
    .description('list what devices are exposed to, until nothing is left')
    .action(async (_options: object, command: Command) =>
      listExposed(createContext(ports, command)),
    )
  vulnerability
    .command('set-aside')
    .description('list records that the server could not use, with the reasons')
    .action(async (_options: object, command: Command) =>
      showSetAside(createContext(ports, command)),
    )
}
