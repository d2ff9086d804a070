/**
 * How often somebody may try what can be guessed. Secrets of 80 bits and more need only the limit
 * of `http/authenticate`, which lets right ones pass. Passwords and codes of six digits need one
 * that does not let right ones pass. So that no stranger locks a person out, a browser in which
 * they have signed in before has an allowance of its own, which strangers cannot use up.
 */
import type { Allowance } from '@seaworthy/fleet/devices'
import { spend } from '@seaworthy/fleet/devices'
import { Refusal } from '@seaworthy/std/refusal'
import type { Clock } from '@seaworthy/std/time'
import { minuteMs } from '@seaworthy/std/time'
import type { Brakes, Taken } from '../app.ts'
import type { PersonRefusal } from '../refusals.ts'

/** Tries of one account: from strange browsers together, and from each known one. */
export const triesOfAccount: Allowance = { burst: 10, everyMs: 10 * minuteMs }
/** Tries of one network, whatever the account. */
export const triesOfNetwork: Allowance = { burst: 30, everyMs: minuteMs }

const keysMax = 100_000

/** Counts in memory; every worker counts for itself. */
export function createBrakes(clock: Clock): Brakes {
  // Keys in the order of their last use: the least recently used one is dropped first.
  const usedUntilMs = new Map<string, number>()
  const put = (key: string, untilMs: number) => {
    usedUntilMs.delete(key)
    if (usedUntilMs.size >= keysMax) usedUntilMs.delete(usedUntilMs.keys().next().value!)
    usedUntilMs.set(key, untilMs)
  }
  return {
    take(tries) {
      const nowMs = clock.monotonicMs()
      const spendings = tries.map(({ key, allowance }) => ({
        ...{ key, allowance },
        spending: spend(usedUntilMs.get(key) ?? 0, allowance, nowMs),
      }))
      for (const { spending } of spendings) {
        if (!spending.isAllowed) throw tooMany(spending.waitMs)
      }
      for (const { key, spending } of spendings) {
        if (spending.isAllowed) put(key, spending.usedUntilMs)
      }
      return {
        giveBack() {
          for (const { key, allowance } of spendings) {
            put(key, (usedUntilMs.get(key) ?? 0) - allowance.everyMs)
          }
        },
      }
    },
  }
}

/** Judges a try that was taken; one that finds the server too busy to judge it does not count. */
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
  return new Refusal<PersonRefusal>(
    'tries_too_many',
    `too many tries: wait ${minutes === 1 ? 'a minute' : `${minutes} minutes`}, or sign in with a passkey`,
  )
}
