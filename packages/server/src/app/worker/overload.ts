/**
 * Back-pressure for check-ins. An aging queue first slows devices down (they are told to come back
 * later), and in the end turns new check-ins away before anything of theirs is accepted. What was
 * accepted is never dropped.
 */
import { Refusal } from '@seaworthy/std/refusal'
import { secondMs } from '@seaworthy/std/time'
import type { Random } from '@seaworthy/std/random'

/**
 * Refuses a caller because it, or all callers together, ask for too much; it may come back later.
 */
export class TooOftenRefusal<C extends string> extends Refusal<C> {
  readonly retryAfterSeconds: number

  constructor(code: C, message: string, retryAfterSeconds: number) {
    super(code, message)
    this.retryAfterSeconds = retryAfterSeconds
  }
}

/**
 * Refuses a caller because too much is waiting. `retryAfterSeconds` differs between callers, so
 * that they do not all come back at once.
 */
export class OverloadRefusal extends TooOftenRefusal<'overloaded'> {
  constructor(retryAfterSeconds: number) {
    const message = 'More devices check in than the server can store; come back later.'
    super('overloaded', message, retryAfterSeconds)
  }
}

/** What waits, at one moment. */
export interface Backlog {
  readonly count: number
  /** How long the oldest has waited; 0 when nothing waits. */
  readonly oldestMs: number
}

/** Two queues seen as one. */
export function joinBacklogs(one: Backlog, other: Backlog): Backlog {
  return {
    count: one.count + other.count,
    oldestMs: Math.max(one.oldestMs, other.oldestMs),
  }
}

const oldestMaxMs = secondMs
const countMax = 20_000
const slowFromMs = 250
const slowdownMax = 4
const retryMinSeconds = 5
const retrySpreadSeconds = 25

/** Throws `OverloadRefusal` when another check-in would wait for too long. */
export function refuseOverload({ count, oldestMs }: Backlog, random: Random): void {
  if (count < countMax && oldestMs <= oldestMaxMs) return
  throw new OverloadRefusal(
    retryMinSeconds + Math.floor(random.fraction() * (retrySpreadSeconds + 1)),
  )
}

/** The factor by which devices should poll less often: 1 while all is well, at most 4. */
export function slowdownOf({ oldestMs }: Backlog): number {
  const share = (oldestMs - slowFromMs) / (oldestMaxMs - slowFromMs)
  return 1 + (slowdownMax - 1) * Math.min(1, Math.max(0, share))
}

/**
 * The interval that a device is told: longer while its kind of check-ins, or the other, waits to be
 * stored.
 */
export function slowedPollSeconds(
  queues: Readonly<Record<'checkIns' | 'foreignCheckIns', { slowdown(): number }>>,
  pollSeconds: number,
): number {
  const slowdown = Math.max(queues.checkIns.slowdown(), queues.foreignCheckIns.slowdown())
  return Math.ceil(pollSeconds * slowdown)
}
