/**
 * Structured logs: one JSON object a line. Secrets must not be passed in; errors are logged with
 * their causes.
 */
import { cutText, printableJson } from './printable.ts'
import type { Clock } from './time.ts'
import { formatInstant } from './time.ts'

export type LogLevel = 'debug' | 'info' | 'warn' | 'error'
export type LogFields = Readonly<Record<string, unknown>>

export interface Log {
  debug(event: string, fields?: LogFields): void
  info(event: string, fields?: LogFields): void
  warn(event: string, fields?: LogFields): void
  error(event: string, fields?: LogFields): void
  /** The same log with further fields on every line. */
  with(fields: LogFields): Log
}

const order: Record<LogLevel, number> = { debug: 0, info: 1, warn: 2, error: 3 }

/**
 * `write` gets one line without its line end, in which nothing steers a terminal. Lines below
 * `level` are dropped.
 */
export function jsonLog(options: {
  write: (line: string) => void
  clock: Clock
  level: LogLevel
  fields?: LogFields
}): Log {
  const emit = (level: LogLevel, event: string, fields?: LogFields) => {
    if (order[level] < order[options.level]) return
    options.write(
      printableJson(
        JSON.stringify(
          { at: formatInstant(options.clock.now()), level, event, ...options.fields, ...fields },
          (_key, value: unknown) => {
            if (value instanceof Error) return describeError(value)
            if (typeof value === 'bigint') return String(value)
            return typeof value === 'string' ? shorten(value) : value
          },
        ),
      ),
    )
  }
  return {
    debug: (event, fields) => emit('debug', event, fields),
    info: (event, fields) => emit('info', event, fields),
    warn: (event, fields) => emit('warn', event, fields),
    error: (event, fields) => emit('error', event, fields),
    with: (fields) => jsonLog({ ...options, fields: { ...options.fields, ...fields } }),
  }
}

/** The most characters of one text in a line: what somebody else wrote may be of any length. */
const textMax = 4096

function shorten(text: string): string {
  return text.length > textMax ? `${cutText(text, textMax)}…` : text
}

export const silentLog: Log = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  with: () => silentLog,
}

interface DescribedError {
  name: string
  code?: string
  message: string
  stack?: string
  cause?: DescribedError | string
}

/** An error with its chain of causes, as plain data for a log line. */
export function describeError(error: unknown, depthMax = 5): DescribedError {
  if (!(error instanceof Error)) return { name: typeof error, message: String(error) }
  const described: DescribedError = { name: error.name, message: error.message }
  if ('code' in error && typeof error.code === 'string') described.code = error.code
  if (error.stack !== undefined) described.stack = error.stack
  if (error.cause !== undefined && depthMax > 0) {
    described.cause = describeError(error.cause, depthMax - 1)
  }
  return described
}
