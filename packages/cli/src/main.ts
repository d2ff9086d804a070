/** The program `seaworthy`: the only place that touches the process and its environment. */
import { spawn } from 'node:child_process'
import { hostname } from 'node:os'
import { httpsTransport } from '@seaworthy/oci/transport'
import { systemRandom } from '@seaworthy/std/random'
import { systemClock, systemSleep } from '@seaworthy/std/time'
import { defaultKeyFileCost } from '@seaworthy/trust/keys'
import { exitCodes } from './exit-codes.ts'
import type { CliPorts, Screen } from './ports.ts'
import { runCli } from './program.ts'
import { createPrompt } from './terminal.ts'

const interruption = new AbortController()
let cleanUpMs = 2000
/** Set while a program of ours runs in the foreground: it gets the signals. */
let foreground: { kill(signal: NodeJS.Signals): void } | undefined

/**
 * Ends at once, as a program without handlers of signals does. An ordinary exit would wait for
 * threads, and one of them may be blocked for ever, such as on a pipe to which nobody writes.
 */
function endAtOnce(signal: NodeJS.Signals): void {
  process.removeAllListeners(signal)
  process.kill(process.pid, signal)
}

function end(signal: NodeJS.Signals): void {
  if (foreground !== undefined) return foreground.kill(signal)
  // The second signal ends the program at once: whatever still runs is left to the system.
  if (interruption.signal.aborted) return endAtOnce(signal)
  interruption.abort()
  // Hidden input and running requests end by themselves; anything else gets a moment.
  void systemSleep(cleanUpMs).then(() => {
    process.stderr.write('seaworthy: interrupted before it could clean up\n')
    endAtOnce(signal)
  })
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, end)

// npm and npx pass a signal on to the shell that they start us with, and it ends without telling
// us.
if (process.env['npm_lifecycle_script']?.includes('seaworthy') === true) {
  const npmShell = process.ppid
  const watch = setInterval(() => {
    if (process.ppid === npmShell) return
    clearInterval(watch)
    end('SIGTERM')
  }, 500)
  watch.unref()
}
// `seaworthy device list | head` is not an error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  process.exit(error.code === 'EPIPE' ? 0 : 1)
})

function createScreen(stream: NodeJS.WriteStream): Screen {
  return {
    write: (text) => void stream.write(text),
    isTerminal: stream.isTTY === true,
    get columns() {
      return stream.columns ?? 80
    },
    get rows() {
      return stream.rows ?? 24
    },
  }
}

const err = createScreen(process.stderr)
const ports: CliPorts = {
  clock: systemClock,
  sleep: systemSleep,
  random: systemRandom,
  keyFileCost: defaultKeyFileCost,
  environment: process.env,
  machine: hostname(),
  timeZone: new Intl.DateTimeFormat().resolvedOptions().timeZone,
  out: createScreen(process.stdout),
  err,
  prompt: createPrompt(process.stdin, err),
  input: process.stdin,
  createTransport: (options) => httpsTransport({ ...options, idleTimeoutMs: 60_000 }),
  runForeground: (file, args) =>
    new Promise((resolve, reject) => {
      const child = spawn(process.execPath, [file, ...args], { stdio: 'inherit' })
      // Ctrl-C at a terminal reaches the whole process group, and the program twice: it stops
      // gracefully all the same. A signal to this process alone reaches the program only from here.
      foreground = child
      child.on('error', reject)
      child.on('exit', (code, signal) => {
        foreground = undefined
        resolve(signal === null ? (code ?? 1) : 1)
      })
    }),
  allowCleanUp: (ms) => {
    cleanUpMs = ms
  },
  signal: interruption.signal,
}

// A command that leaves nothing to wait for before it has come to its end has failed.
process.exitCode = exitCodes.failed
void runCli(process.argv.slice(2), ports).then((exitCode) => {
  process.exitCode = exitCode
  // An interrupted command that has ended needs no more of its grace time.
  if (interruption.signal.aborted) process.exit()
})
