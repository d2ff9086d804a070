/** `seaworthy up`: runs the server in the foreground. Its options are the server's own; this passes them on. */
import type { Command } from 'commander'
import { fileURLToPath } from 'node:url'
import { CliError, ExitCodeError } from '../failure.ts'
import { collect } from '../options.ts'
import type { CliPorts } from '../ports.ts'

export function addUpCommand(program: Command, ports: CliPorts): void {
  program
    .command('up')
    .description('run the server on this machine')
    .option('--data-dir <dir>', 'where everything is kept (default: ./seaworthy-data)')
    .option('--listen <host:port>', 'address to listen on (default: 127.0.0.1:8443)')
    .option('--database-url <url>', 'a PostgreSQL of your own instead of the embedded one')
    .option(
      '--blobs <place>',
      'where releases are stored: a folder or s3://… (default: below the data folder)',
    )
    .option(
      '--name <host>',
      'a further name of this server in its certificate, repeatable',
      collect,
    )
    .option(
      '--renew-certificate',
      'when a --name is not in the certificate, make a new one under the same key',
    )
    .option('--workers <count>', 'processes that answer requests (default: one per core)')
    .option(
      '--master-key-file <file>',
      'the key that seals online secrets (default: in the data folder)',
    )
    .option('--log-level <level>', 'debug, info, warn or error')
    .option('--ready-file <file>', 'write URL and pin as JSON here once the server answers')
    .action(async (options: Record<string, string | string[] | true>) => up(ports, options))
}

async function up(
  ports: CliPorts,
  options: Record<string, string | string[] | true>,
): Promise<void> {
  const flags = [
    ['data-dir', 'dataDir'],
    ['listen', 'listen'],
    ['database-url', 'databaseUrl'],
    ['blobs', 'blobs'],
    ['name', 'name'],
    ['workers', 'workers'],
    ['master-key-file', 'masterKeyFile'],
    ['log-level', 'logLevel'],
    ['ready-file', 'readyFile'],
  ] as const
  const args = flags.flatMap(([flag, name]) => {
    const value = options[name]
    return value === undefined || value === true
      ? []
      : [value].flat().flatMap((one) => [`--${flag}`, one])
  })
  if (options['renewCertificate'] === true) args.push('--renew-certificate')
  const exitCode = await ports.runForeground(findServer(), args)
  if (exitCode !== 0) throw new ExitCodeError(exitCode)
}

/** A program beside ours, found by its package name; it is started, never imported. */
function findServer(): string {
  try {
    return fileURLToPath(import.meta.resolve('@seaworthy/server/main'))
  } catch (cause) {
    throw new CliError('failed', 'the server is not installed beside this command line', {
      cause,
      wayOut: 'Install the package @seaworthy/server, or run this from a checkout.',
    })
  }
}
