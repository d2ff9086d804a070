/**
 * How a program of the host says why it failed: a sentence for people or, with `--json`, one line
 * for scripts, in the form that every command of the command line has.
 */
import { printableJson } from '@seaworthy/std/printable'

export interface ProgramFailure {
  /** The command that a person gave: `up`, `export` or `import`. */
  readonly command: string
  /** Those of the command line: 1 failed, 2 usage, 3 refused. */
  readonly exitCode: 1 | 2 | 3
  /** The stable code, where there is one; otherwise the exit code's meaning stands for it. */
  readonly code?: string
  readonly message: string
  /** What people read in place of the message alone. */
  readonly text: string
}

const codes = { 1: 'failed', 2: 'usage', 3: 'refused' } as const

/** Whether the error stream ends with a line of JSON, known before any option was understood. */
export function wantsJson(argv: readonly string[]): boolean {
  return argv.includes('--json')
}

/** The last line of the error stream. */
export function failureText(failure: ProgramFailure, isJson: boolean): string {
  const { command, exitCode, code = codes[exitCode], message, text } = failure
  if (!isJson) return `${text}\n`
  return `${printableJson(JSON.stringify({ command, exitCode, code, message }))}\n`
}
