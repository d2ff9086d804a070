/** Programs that the demo starts, and that all end with it. */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { createWriteStream } from 'node:fs'
import { createInterface } from 'node:readline'

/** Runs a program to its end; rejects with its last line of error output when it fails. */
export type RunProgram = (file: string, args: readonly string[]) => Promise<void>

export interface Processes {
  run: RunProgram
  /** Starts a program that stays. Its error output goes to `logFile`, and line by line to `onLine`. */
  start(options: {
    file: string
    args: readonly string[]
    logFile: string
    environment?: Readonly<Record<string, string>>
    onLine?: (line: string) => void
  }): Running
  /** Ends everything that was started and still runs, newest first. */
  stopAll(): Promise<void>
}

export interface Running {
  readonly pid: number
  /** Resolves when the program has ended, with how it ended. */
  readonly ended: Promise<string>
  stop(signal?: NodeJS.Signals): Promise<void>
}

export function createProcesses(
  environment: Readonly<Record<string, string | undefined>>,
): Processes {
  const running: Running[] = []

  const run: RunProgram = (file, args) =>
    new Promise((resolve, reject) => {
      const child = spawn(file, args, {
        stdio: ['ignore', 'ignore', 'pipe'],
        env: { ...environment },
      })
      let last = ''
      createInterface({ input: child.stderr }).on('line', (line) => {
        if (line.trim() !== '') last = line
      })
      child.on('error', (cause) => reject(new Error(`${file} cannot be started`, { cause })))
      child.on('close', (code) =>
        code === 0 ? resolve() : reject(new Error(`${file} failed: ${last.slice(0, 200)}`)),
      )
    })

  const start: Processes['start'] = (options) => {
    const child = spawn(options.file, options.args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...environment, ...options.environment },
    })
    const log = createWriteStream(options.logFile, { flags: 'a' })
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on('line', (line) => {
        log.write(`${line}\n`)
        options.onLine?.(line)
      })
    }
    const ended = waitForEnd(child).finally(() => log.end())
    const one: Running = {
      pid: child.pid ?? -1,
      ended,
      async stop(signal = 'SIGTERM') {
        child.kill(signal)
        await ended
      },
    }
    running.push(one)
    return one
  }

  return {
    run,
    start,
    async stopAll() {
      for (const one of running.toReversed()) await one.stop()
    },
  }
}

function waitForEnd(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.on('error', (error) => resolve(error.message))
    child.on('exit', (code, signal) => resolve(signal ?? `exit code ${code}`))
  })
}
