/** The programs that the demo starts, all of which end with it. */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { createWriteStream } from 'node:fs'
import { createInterface } from 'node:readline'

export type Environment = Readonly<Record<string, string | undefined>>

/**
 * Runs a program to its end and gives its output; rejects with the end of its error output when it
 * fails.
 */
export type RunProgram = (
  file: string,
  args: readonly string[],
  environment?: Environment,
) => Promise<string>

export interface DemoProcesses {
  run: RunProgram
  /** Starts a program that stays. All it prints goes to `logFile`, and line by line to `onLine`. */
  start(options: {
    file: string
    args: readonly string[]
    logFile: string
    environment?: Environment
    onLine?: (line: string) => void
  }): RunningProcess
  /** Ends everything that was started and still runs, newest first. */
  stopAll(): Promise<void>
}

export interface RunningProcess {
  readonly pid: number
  /** Resolves when the program has ended, with how it ended. */
  readonly ended: Promise<string>
  readonly hasEnded: boolean
  /** Writes a line to its standard input. */
  order(line: string): void
  stop(signal?: NodeJS.Signals): Promise<void>
}

const outputBytesMax = 4 * 1024 * 1024

export function createProcesses(inherited: Environment): DemoProcesses {
  const running: RunningProcess[] = []
  const errands = new Set<ChildProcess>()

  const run: RunProgram = (file, args, environment) =>
    new Promise((resolve, reject) => {
      const child = spawn(file, args, {
        stdio: ['ignore', 'pipe', 'pipe'],
        env: { ...inherited, ...environment },
      })
      errands.add(child)
      let output = ''
      let complaints = ''
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        if (output.length < outputBytesMax) output += text
      })
      child.stderr.setEncoding('utf8').on('data', (text: string) => {
        complaints = (complaints + text).slice(-2000)
      })
      child.on('error', (cause) => reject(new Error(`${file} cannot be started`, { cause })))
      child.on('close', (code) => {
        errands.delete(child)
        if (code === 0) return resolve(output)
        // The message becomes part of another sentence, so the name in front is removed, and it is
        // put on one line.
        const said = complaints
          .trim()
          .replace(/^seaworthy: /, '')
          .replaceAll(/\s*\n\s*/g, ' ')
        reject(new Error(said || `${file} ended with exit code ${code}`))
      })
    })

  const start: DemoProcesses['start'] = (options) => {
    const child = spawn(options.file, options.args, {
      stdio: 'pipe',
      env: { ...inherited, ...options.environment },
    })
    const log = createWriteStream(options.logFile, { flags: 'a' })
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on('line', (line) => {
        log.write(`${line}\n`)
        options.onLine?.(line)
      })
    }
    const ended = waitForEnd(child)
    void ended.then(() => log.end())
    // The program that reads its standard input may have ended already.
    child.stdin.on('error', (error) => log.write(`${error.message}\n`))
    const one: RunningProcess = {
      pid: child.pid ?? -1,
      ended,
      get hasEnded() {
        return child.exitCode !== null || child.signalCode !== null
      },
      order: (line) => void child.stdin.write(`${line}\n`),
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
      for (const child of errands) child.kill('SIGKILL')
      for (const one of running.toReversed()) await one.stop()
    },
  }
}

function waitForEnd(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.on('error', (error) => resolve(error.message))
    child.on('close', (code, signal) => resolve(signal ?? `exit code ${code}`))
  })
}
