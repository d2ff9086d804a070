/** The short code that a person types, and how often its command line may ask. */
import { userCodeLetters } from '@seaworthy/api/pairings'
import type { Random } from '@seaworthy/std/random'
import { secondMs } from '@seaworthy/std/time'
import type { PairingPaces } from '../app.ts'

/** How much longer a command line that asked too early waits from then on (RFC 8628, 3.5). */
const slowDownSeconds = 5

/** Eight letters, each as likely as any other: 34 bits, for ten minutes. */
export function makeUserCode(random: Random): string {
  const even = 256 - (256 % userCodeLetters.length)
  let code = ''
  while (code.length < 8) {
    for (const byte of random.bytes(8)) {
      if (byte < even && code.length < 8) code += userCodeLetters[byte % userCodeLetters.length]
    }
  }
  return `${code.slice(0, 4)}-${code.slice(4)}`
}

/** What a command line waits between two questions. */
export const intervalSeconds = 3

/** When a command line last asked, and how long it was told to wait. */
interface Asked {
  readonly askedAt: Date
  readonly intervalSeconds: number
}

/** More pairings than ever wait for a person at the same time. */
const pairingsMax = 1000

/** Counts in memory; every worker counts for itself. */
export function createPairingPaces(): PairingPaces {
  // Pairings in the order of their last question.
  const asked = new Map<string, Asked>()
  return {
    ask({ id, createdAt }, now) {
      const before = asked.get(id) ?? { askedAt: createdAt, intervalSeconds }
      const paced = paceOf(before, now)
      asked.delete(id)
      if (asked.size >= pairingsMax) asked.delete(asked.keys().next().value!)
      asked.set(id, { askedAt: now, intervalSeconds: paced })
      return paced
    },
  }
}

/** How long the command line has to wait from now on. */
function paceOf({ askedAt, intervalSeconds: before }: Asked, now: Date): number {
  // A second of grace, because requests take different times to arrive.
  const isTooEarly = now.getTime() - askedAt.getTime() < (before - 1) * secondMs
  return isTooEarly ? Math.min(60, before + slowDownSeconds) : before
}
