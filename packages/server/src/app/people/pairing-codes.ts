/** The short code that a person types, and how often its command line may ask. */
import { userCodeLetters } from '@seaworthy/api/pairings'
import type { Random } from '@seaworthy/std/random'
import { secondMs } from '@seaworthy/std/time'
import type { PairingRow } from '../../db/pairings.ts'

/** What whoever asks too early waits longer from then on (RFC 8628, 3.5). */
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

/** How long the command line has to wait from now on. */
export function paceOf(
  { askedAt, intervalSeconds: before }: Pick<PairingRow, 'askedAt' | 'intervalSeconds'>,
  now: Date,
): number {
  // A second of grace: the way of a question takes longer one time than the other.
  const isTooEarly = now.getTime() - askedAt.getTime() < (before - 1) * secondMs
  return isTooEarly ? Math.min(60, before + slowDownSeconds) : before
}
