/**
 * A person with their own machine: a configuration folder, keys, and the real command line, run in
 * this process.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { httpsTransport } from '@seaworthy/oci/transport'
import type { CliPorts } from '../ports.ts'
import type { Outcome, RunningCommand } from './ports.ts'
import { startCommand } from './ports.ts'
import type { Scope } from './scope.ts'

export interface CliUser {
  folder: string
  /** The path of a file of this person. */
  file(name: string): string
  /** Begins a command; confirmations are given. */
  start(...args: string[]): RunningCommand
  /** Runs a command to its end. */
  run(...args: string[]): Promise<Outcome>
  /** Runs a command that must succeed, and gives its standard output. */
  ok(...args: string[]): Promise<string>
  /** The same with `--json`. */
  json<T>(...args: string[]): Promise<T>
  /** Runs a command that must end with this exit code, and gives its standard error. */
  fails(exitCode: number, ...args: string[]): Promise<string>
}

const passphrase = 'correct horse battery staple'

/** `changes` replace ports; the network is real unless they say otherwise. */
export async function createCliUser(
  t: Scope,
  name: string,
  changes: Partial<CliPorts> = {},
): Promise<CliUser> {
  const folder = await mkdtemp(join(tmpdir(), `seaworthy-${name}-`))
  const end = new AbortController()
  t.after(async () => {
    // What a failed test left running would wait for its server for as long as for a real one.
    end.abort(new Error('the test is over'))
    await rm(folder, { recursive: true, force: true })
  })
  await writeFile(join(folder, 'passphrase'), `${passphrase}\n`)
  const start = (...args: string[]) =>
    startCommand(['--config-dir', join(folder, 'config'), '--yes', ...args], {
      environment: { SEAWORTHY_PASSPHRASE: passphrase },
      createTransport: (options) => httpsTransport({ ...options, idleTimeoutMs: 120_000 }),
      signal: end.signal,
      ...changes,
    })
  const run = (...args: string[]) => start(...args).ended
  const ok = async (...args: string[]) => {
    const { exitCode, out, err } = await run(...args)
    if (exitCode !== 0)
      throw new Error(`${name}: seaworthy ${args.join(' ')}: ${exitCode}\n${out}${err}`)
    return out
  }
  return {
    folder,
    file: (file) => join(folder, file),
    start,
    run,
    ok,
    json: async <T>(...args: string[]) => JSON.parse(await ok('--json', ...args)) as T,
    async fails(expected, ...args) {
      const { exitCode, out, err } = await run(...args)
      if (exitCode !== expected) {
        throw new Error(
          `${name}: seaworthy ${args.join(' ')}: ${exitCode} where ${expected} was expected\n${out}${err}`,
        )
      }
      return err
    },
  }
}
