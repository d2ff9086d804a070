/**
 * The ports through which the command line reaches the world. They are made in `main.ts`, or by a
 * test.
 */
import type { ClosableTransport } from '@seaworthy/oci/transport'
import type { Random } from '@seaworthy/std/random'
import type { Clock, Sleep } from '@seaworthy/std/time'
import type { KeyFileCost } from '@seaworthy/trust/keys'

/** One of the two output streams. */
export interface Screen {
  write(text: string): void
  readonly isTerminal: boolean
  /** Width of the terminal in characters; meaningless where there is none. */
  readonly columns: number
  /** Height of the terminal in lines; meaningless where there is none. */
  readonly rows: number
}

export interface Prompt {
  /** False when no person sits at the other end: then nothing may be asked. */
  readonly isInteractive: boolean
  /**
   * Asks one question after the other. Nothing typed from the first question to the last answer is
   * shown. Where `check` throws for an answer, nothing more is asked.
   */
  askSecrets(questions: readonly string[], check?: (answer: string) => void): Promise<string[]>
  /** True for y or yes only. */
  askYesNo(question: string): Promise<boolean>
}

export interface TransportOptions {
  /**
   * `sha256:<base64url>` of the server's SPKI, or what gives those that count now; without it the
   * system's CAs decide.
   */
  pin?: string | (() => readonly string[])
  /**
   * Whether `http:` is allowed too, for repositories that are verified only by their signatures.
   */
  allowPlain?: boolean
}

export interface CliPorts {
  clock: Clock
  sleep: Sleep
  random: Random
  /** The cost of each guess at the passphrase of a new key file. */
  keyFileCost: KeyFileCost
  environment: Readonly<Record<string, string | undefined>>
  /** What this machine calls itself. */
  machine: string
  /** IANA name of the zone that people here read times in. */
  timeZone: string
  out: Screen
  err: Screen
  prompt: Prompt
  /** Standard input, whatever it is: a pipe, a file, or a socket, which no path opens. */
  readonly input: AsyncIterable<Uint8Array>
  createTransport(options: TransportOptions): ClosableTransport
  /**
   * Runs another program of ours in the foreground, signals passed on; resolves with its exit code.
   */
  runForeground(file: string, args: readonly string[]): Promise<number>
  /**
   * Sets how long the command may clean up once it is interrupted; without a call it is two
   * seconds.
   */
  allowCleanUp(ms: number): void
  /** Aborted when the user interrupts the command. */
  signal: AbortSignal
}
