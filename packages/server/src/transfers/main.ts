/**
 * `seaworthy export` and `seaworthy import`: programs of the host, for whoever may read the data
 * folder and so has all of it. Progress goes to the error stream, the result to the output.
 */
import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { ObjectStoreError } from '@seaworthy/oci/store/s3'
import { jsonLog } from '@seaworthy/std/log'
import { systemRandom } from '@seaworthy/std/random'
import { Refusal, TrustError } from '@seaworthy/std/refusal'
import { systemClock, systemSleep } from '@seaworthy/std/time'
import manifest from '../../package.json' with { type: 'json' }
import { checkExport, exportServer, importServer, refuse } from '../app/transfers/index.ts'
import { checkConfig } from '../config/config.ts'
import { UsageError } from '../config/settings.ts'
import { readSettingsFile } from '../config/settings-file.ts'
import { loadMasterKey, SealError } from '../config/master-key.ts'
import { readBlobCredentials } from '../config/blob-credentials.ts'
import { DatabaseError } from '../db/address.ts'
import { MigrationError } from '../db/migrate.ts'
import { PostgresError } from '../postgres/index.ts'
import type { ProgramFailure } from '../report-failure.ts'
import { wantsJson, failureText } from '../report-failure.ts'
import { StartError } from '../start-checks.ts'
import type { TransferLine } from './command-line.ts'
import { readTransferLine } from './command-line.ts'
import type { OpenedHost, HostOptions } from './host.ts'
import { openHost, openNewHost } from './host.ts'

const print = (line: string) => process.stderr.write(`${line}\n`)
/** The result: for people, or for a program with `--json`. */
const answer = ({ json }: TransferLine, lines: readonly string[], value: object) =>
  process.stdout.write(json ? `${JSON.stringify(value)}\n` : `${lines.join('\n')}\n`)

function readOptions(line: TransferLine): HostOptions {
  const config = checkConfig(line.env, { cwd: process.cwd(), coresCount: 1, isTerminal: true })
  const log = jsonLog({
    write: (text) => process.stderr.write(`${text}\n`),
    ...{ clock: systemClock, level: config.logLevel, fields: { pid: process.pid } },
  })
  return {
    config,
    blobCredentials: readBlobCredentials(config.blobs, process.env),
    ports: { clock: systemClock, sleep: systemSleep, random: systemRandom, log },
    machine: { arch: process.arch, uid: process.getuid?.() ?? -1 },
    print,
  }
}

/** Closes the host also when the user interrupts: PostgreSQL is never left behind. */
async function using(host: OpenedHost, work: Promise<void>): Promise<void> {
  const { promise: interrupted, reject } = Promise.withResolvers<never>()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => reject(new StartError('interrupted')))
  }
  try {
    await Promise.race([work, interrupted])
  } finally {
    work.catch(() => undefined)
    await host.close()
  }
}

async function runExport(line: TransferLine): Promise<void> {
  const options = readOptions(line)
  const { random } = options.ports
  const folder = resolve(line.folder)
  const host = await openHost(options)
  const run = async () => {
    const deps = { db: host.db, store: host.store, random, print, version: manifest.version }
    const { sha256, files, bytes } = await exportServer(deps, folder)
    answer(
      line,
      [
        `Exported ${files} files with ${bytes} bytes to ${folder}`,
        `SHA-256 of the export: ${sha256}`,
        `Note that apart from the export, and say it at the import: seaworthy import ${folder} --sha256 ${sha256}`,
        `The master key is not in it: carry ${options.config.masterKeyFile} over another way.`,
      ],
      { folder, sha256, files, bytes },
    )
  }
  await using(host, run())
}

async function runImport(line: TransferLine): Promise<void> {
  const options = readOptions(line)
  const { config, ports } = options
  const folder = resolve(line.folder)
  const exported = await checkExport(folder, line.sha256, print)
  const isThere = await stat(config.masterKeyFile).catch(() => undefined)
  if (isThere === undefined) {
    refuse(
      'master_key_missing',
      `there is no master key at ${config.masterKeyFile}, and none is in an export: copy it from the server that was exported, or name the file with --master-key-file`,
    )
  }
  const masterKey = await loadMasterKey(config.masterKeyFile, ports.random, false)
  const host = await openNewHost(options)
  const run = async () => {
    const deps = { ...ports, db: host.db, store: host.store, masterKey, print }
    await importServer(deps, folder, exported)
    answer(
      line,
      [
        `Imported the server of ${exported.at} into ${config.dataDir}`,
        'Start it with “seaworthy up” and the same options, under the name and port of the former one, which must never run again.',
      ],
      { folder, dataDir: config.dataDir, exportedAt: exported.at },
    )
  }
  await using(host, run())
}

/** Expected errors are reported in one sentence; the exit codes are those of the command line. */
function failureOf(error: unknown): Omit<ProgramFailure, 'command'> {
  const message = error instanceof Error ? error.message : String(error)
  const text = `seaworthy: ${message}`
  if (error instanceof UsageError) return { exitCode: 2, message, text }
  if (error instanceof Refusal || error instanceof TrustError) {
    return { exitCode: 3, code: error.code, message, text: `${text} (${error.code})` }
  }
  if (error instanceof SealError) return { exitCode: 3, message, text }
  const expected = [StartError, PostgresError, MigrationError, ObjectStoreError, DatabaseError]
  const isExpected = expected.some((type) => error instanceof type)
  const stack = error instanceof Error ? error.stack : undefined
  return { exitCode: 1, message, text: isExpected ? text : `seaworthy: ${stack ?? message}` }
}

const argv = process.argv.slice(2)
try {
  const line = readTransferLine({ argv, variables: process.env, readFile: readSettingsFile })
  await (line.verb === 'export' ? runExport(line) : runImport(line))
  process.exit(0)
} catch (error) {
  const failure = { command: argv[0] ?? 'export', ...failureOf(error) }
  process.stderr.write(failureText(failure, wantsJson(argv)))
  process.exit(failure.exitCode)
}
