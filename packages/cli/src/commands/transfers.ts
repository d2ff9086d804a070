/** `seaworthy export` and `import`: a whole server as files, and back; programs of the host. */
import type { Command } from 'commander'
import type { UpOption } from '@seaworthy/api/up-options'
import { placeOptionNames, upOptions } from '@seaworthy/api/up-options'
import type { ExitCode } from '../exit-codes.ts'
import { ExitCodeError } from '../failure.ts'
import { addHelpBelow } from '../help.ts'
import type { CliPorts } from '../ports.ts'
import { addProgramOptions, findProgram, handOn, jsonOf } from '../server-program.ts'

type Options = Readonly<Record<string, string | string[] | boolean>>

const placesOf = (names: readonly string[]): UpOption[] =>
  upOptions.filter(({ name }) => names.includes(name))

export function addTransferCommands(program: Command, ports: CliPorts): void {
  const exporting = program
    .command('export <dir>')
    .description('write the whole server of this machine into a new folder, in open formats')
  addProgramOptions(exporting, placesOf(placeOptionNames))
  addHelpBelow(
    exporting,
    `The server may run meanwhile, or not. The folder then holds tables as JSON lines, release content as OCI layouts, signed metadata and audit log as files, and checksums: no secret in clear, and not the master key.
Whoever holds an export and the master key has the server: keep them apart.`,
  ).action(async (dir: string, options: Options) => {
    await run(ports, exporting, ['export', dir, ...handOn(exporting, options)])
  })

  const importing = program
    .command('import <dir>')
    .description('make a server on this machine from such a folder, where there is none yet')
    .option('--sha256 <digest>', 'the digest that the export printed: nothing else is imported')
  addProgramOptions(importing, placesOf([...placeOptionNames, 'master-key-file']))
  addHelpBelow(
    importing,
    `The master key of the former server must be there first, at DATA-DIR/master.key or where --master-key-file says.
The new server is the same to devices, command lines and people: same keys, same audit log. The former one must not run again.`,
  ).action(async (dir: string, options: Options) => {
    await run(ports, importing, ['import', dir, ...handOn(importing, options)])
  })
}

async function run(ports: CliPorts, command: Command, args: readonly string[]): Promise<void> {
  const server = findProgram(() => import.meta.resolve('@seaworthy/server/transfers'))
  const exitCode = await ports.runForeground(server, [...args, ...jsonOf(command)])
  if (exitCode !== 0) throw new ExitCodeError(exitCode as ExitCode)
}
