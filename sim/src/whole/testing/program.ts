/** Programs of others and our own command line, run to their end as processes. */
import { spawn } from 'node:child_process'
import { programAt } from '@seaworthy/std/testing/own-programs'

export interface Ended {
  readonly exitCode: number | null
  readonly out: string
  readonly err: string
}

export function runProgram(
  file: string,
  args: readonly string[],
  options: { cwd?: string; environment?: Readonly<Record<string, string>> } = {},
): Promise<Ended> {
  const child = spawn(file, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    env: { ...process.env, ...options.environment },
  })
  let out = ''
  let err = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text))
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (exitCode) => resolve({ exitCode, out, err }))
  })
}

const seaworthy = programAt(new URL('../../../../packages/cli/src/main.ts', import.meta.url))

export interface CommandLine {
  run(...args: string[]): Promise<Ended>
  /** Returns its output; rejects unless it ends with 0. */
  ok(...args: string[]): Promise<string>
  json<T>(...args: string[]): Promise<T>
}

/**
 * `seaworthy` as a person has it, with a configuration folder of its own. Confirmations are given.
 */
export function createCommandLine(
  configFolder: string,
  environment: Readonly<Record<string, string>> = {},
): CommandLine {
  const run = (...args: string[]) =>
    runProgram(process.execPath, [seaworthy, '--config-dir', configFolder, '--yes', ...args], {
      environment: { NO_COLOR: '1', SEAWORTHY_PASSPHRASE: 'of these tests', ...environment },
    })
  const ok = async (...args: string[]) => {
    const { exitCode, out, err } = await run(...args)
    if (exitCode === 0) return out
    throw new Error(`seaworthy ${args.join(' ')} ended with ${exitCode}\n${out}${err}`)
  }
  return {
    run,
    ok,
    json: async <T>(...args: string[]) => JSON.parse(await ok('--json', ...args)) as T,
  }
}
