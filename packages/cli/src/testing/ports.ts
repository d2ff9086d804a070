/** Ports for tests: output is recorded, nobody sits at the prompt, the environment is empty. */
import { systemRandom } from '@seaworthy/std/random'
import { systemClock, systemSleep } from '@seaworthy/std/time'
import type { KeyFileCost } from '@seaworthy/trust/keys'
import type { CliPorts, Screen } from '../ports.ts'
import { runCli } from '../program.ts'

/** The lowest cost that a key file may have: no test depends on it. */
const cheapKeyFileCost: KeyFileCost = { memoryKiB: 8192, passes: 1, parallelism: 1 }

export interface RecordingScreen extends Screen {
  text: string
}

export function recordScreen(): RecordingScreen {
  return {
    text: '',
    isTerminal: false,
    columns: 80,
    rows: 24,
    write(text) {
      this.text += text
    },
  }
}

/** Ports without a network: whatever needs a server fails as a bug would. */
export function testPorts(changes: Partial<CliPorts> = {}): CliPorts & {
  out: RecordingScreen
  err: RecordingScreen
} {
  return {
    clock: systemClock,
    sleep: systemSleep,
    random: systemRandom,
    keyFileCost: cheapKeyFileCost,
    environment: {},
    machine: 'test-machine',
    timeZone: 'UTC',
    prompt: {
      isInteractive: false,
      askSecrets: () => Promise.reject(new Error('nobody is there')),
      askYesNo: () => Promise.reject(new Error('nobody is there')),
    },
    input: (async function* nothing() {})(),
    createTransport: () => {
      throw new Error('this test has no network')
    },
    runForeground: () => Promise.reject(new Error('this test starts no program')),
    allowCleanUp() {},
    signal: new AbortController().signal,
    ...changes,
    out: recordScreen(),
    err: recordScreen(),
  }
}

export interface Outcome {
  exitCode: number
  out: string
  err: string
}

/** A command line that runs in this process. */
export interface RunningCommand {
  /** The text on its standard output so far. */
  said(): string
  /** The text on its standard error so far. */
  warned(): string
  ended: Promise<Outcome>
}

export function startCommand(
  args: readonly string[],
  changes: Partial<CliPorts> = {},
): RunningCommand {
  const ports = testPorts(changes)
  const said = () => ports.out.text
  const warned = () => ports.err.text
  const ended = runCli(args, ports).then((exitCode) => ({
    exitCode,
    out: said(),
    err: warned(),
  }))
  return { said, warned, ended }
}

/** Runs one to its end. */
export function runCommand(
  args: readonly string[],
  changes: Partial<CliPorts> = {},
): Promise<Outcome> {
  return startCommand(args, changes).ended
}
