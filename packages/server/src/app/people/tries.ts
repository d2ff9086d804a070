/**
 * How often somebody may try what can be guessed. Secrets of 80 bits and more need only the limit
 * of `http/authenticate`, which lets right ones pass. Passwords and codes of six digits need one
 * that does not let right ones pass. So that no stranger locks a person out, a browser in which
 * they have signed in before has a budget of its own, which strangers cannot use up.
 */
import { Refusal } from '@seaworthy/std/refusal'
import { minuteMs, secondMs } from '@seaworthy/std/time'
import type { App } from '../app.ts'
import type { PersonRefusal } from '../refusals.ts'
import type { Try } from '../worker/index.ts'
import { TooOftenRefusal } from '../worker/index.ts'

/** Tries that were spent. */
export interface Taken {
  /** Takes back what was spent on what turned out to be right. */
  readonly giveBack: () => void
}

/** Spends each of the tries, or none. Throws `tries_too_many`. */
export async function takeTries(
  { budgets }: Pick<App, 'budgets'>,
  tries: readonly [Try, ...Try[]],
): Promise<Taken> {
  const spending = await budgets.take(tries)
  if (!spending.isAllowed) throw tooMany(spending.waitMs)
  return { giveBack: () => budgets.giveBack(tries) }
}

/** Judges a try that was spent; one that finds the server too busy to judge it does not count. */
export async function judgeTry<T>(tries: Taken, judge: () => Promise<T>): Promise<T> {
  try {
    return await judge()
  } catch (error) {
    if (error instanceof Refusal && error.code === 'hashes_waiting') tries.giveBack()
    throw error
  }
}

function tooMany(waitMs: number): Refusal<PersonRefusal> {
  const minutes = Math.ceil(waitMs / minuteMs)
  return new TooOftenRefusal<PersonRefusal>(
    'tries_too_many',
    `too many tries: wait ${minutes === 1 ? 'a minute' : `${minutes} minutes`}, or sign in with a passkey`,
    Math.ceil(waitMs / secondMs),
  )
}
