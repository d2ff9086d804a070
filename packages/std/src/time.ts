/**
 * Time as a port for code that acts, and text forms of instants and durations. Pure code takes a
 * `Date`, never a `Clock`.
 */
import { minOf } from './numbers.ts'

export interface Clock {
  /** The wall clock. It may jump in either direction. */
  now(): Date
  /** Milliseconds that only grow, from an arbitrary start; for measuring, never for storing. */
  monotonicMs(): number
}

/** Resolves after `ms`, or rejects with the signal's reason as soon as it is aborted. */
export type Sleep = (ms: number, signal?: AbortSignal) => Promise<void>

export const systemClock: Clock = {
  now: () => new Date(),
  monotonicMs: () => performance.now(),
}

export const systemSleep: Sleep = (ms, signal) =>
  new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason)
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', onAbort)
      resolve()
    }, ms)
    const onAbort = () => {
      clearTimeout(timer)
      reject(signal!.reason)
    }
    signal?.addEventListener('abort', onAbort, { once: true })
  })

/**
 * A clock that stands still until it is told; its `sleep` ends when `advance` passes the wake-up
 * time.
 */
export class ManualClock implements Clock {
  #wallMs: number
  #monotonicMs = 0
  #sleepers: { atMs: number; wake: () => void }[] = []

  constructor(start: Date) {
    this.#wallMs = start.getTime()
  }

  now(): Date {
    return new Date(this.#wallMs)
  }

  monotonicMs(): number {
    return this.#monotonicMs
  }

  /**
   * Lets time pass: wall and monotonic clock both move, and sleepers wake in the order of their
   * wake-up times.
   */
  advance(ms: number): void {
    this.#wallMs += ms
    this.#monotonicMs += ms
    const due = this.#sleepers.filter((s) => s.atMs <= this.#monotonicMs)
    this.#sleepers = this.#sleepers.filter((s) => s.atMs > this.#monotonicMs)
    for (const sleeper of due.toSorted((a, b) => a.atMs - b.atMs)) sleeper.wake()
  }

  /** Sets only the wall clock, as a person or NTP does; the monotonic clock does not notice. */
  jumpTo(wall: Date): void {
    this.#wallMs = wall.getTime()
  }

  /** Milliseconds until the next sleeper wakes, or `undefined` when nobody sleeps. */
  nextWakeUpMs(): number | undefined {
    if (this.#sleepers.length === 0) return undefined
    return minOf(this.#sleepers.map((s) => s.atMs)) - this.#monotonicMs
  }

  readonly sleep: Sleep = (ms, signal) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason)
      const sleeper = { atMs: this.#monotonicMs + Math.max(0, ms), wake: resolve }
      this.#sleepers.push(sleeper)
      signal?.addEventListener(
        'abort',
        () => {
          this.#sleepers = this.#sleepers.filter((s) => s !== sleeper)
          reject(signal.reason)
        },
        { once: true },
      )
    })
}

export const secondMs = 1000
export const minuteMs = 60 * secondMs
export const hourMs = 60 * minuteMs
export const dayMs = 24 * hourMs

/** `YYYY-MM-DDTHH:MM:SSZ`: whole seconds, UTC. Fractions are cut, never rounded up. */
export function formatInstant(at: Date): string {
  return `${at.toISOString().slice(0, 19)}Z`
}

/**
 * The inverse of `formatInstant`; any other form, and any date that does not exist, throws
 * `SyntaxError`.
 */
export function parseInstant(text: string): Date {
  if (!/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$/.test(text)) {
    throw new SyntaxError('not an instant of the form YYYY-MM-DDTHH:MM:SSZ')
  }
  const at = new Date(text)
  if (Number.isNaN(at.getTime()) || formatInstant(at) !== text) {
    throw new SyntaxError('no such date')
  }
  return at
}

const unitMs = { s: secondMs, m: minuteMs, h: hourMs, d: dayMs } as const

/**
 * `90s`, `30m`, `12h`, `7d`: a whole number above zero and one unit. Throws `SyntaxError`
 * otherwise.
 */
export function parseDuration(text: string): number {
  const match = /^([1-9]\d{0,8})([smhd])$/.exec(text)
  if (!match) throw new SyntaxError('not a duration such as 90s, 30m, 12h or 7d')
  return Number(match[1]) * unitMs[match[2] as keyof typeof unitMs]
}

/**
 * The shortest exact form with one unit, or seconds rounded up: `formatDuration(5400000)` is `90m`.
 */
export function formatDuration(ms: number): string {
  for (const unit of ['d', 'h', 'm'] as const) {
    if (ms > 0 && ms % unitMs[unit] === 0) return `${ms / unitMs[unit]}${unit}`
  }
  return `${Math.ceil(ms / secondMs)}s`
}
