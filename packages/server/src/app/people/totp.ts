/** Whether the code of an authenticator is the right one, or would be by another clock. */
import { isSameSecret } from '../access/index.ts'
import { codeOf, periodSeconds, stepOf } from './totp-codes.ts'

/** How many steps before and after are accepted: clocks differ, and people type slowly. */
const tolerance = 1
/** How many steps to either side are searched in order to say that a clock is off. */
const searched = 20

export type JudgedCode =
  | { readonly kind: 'right'; readonly step: number }
  /** The code is of another time: the authenticator's clock is ahead, or behind where negative. */
  | { readonly kind: 'clock-off'; readonly minutes: number }
  | { readonly kind: 'wrong' }

/** Checks every step of the search, so that the time taken reveals nothing. */
export function judgeCode(secret: Uint8Array, code: string, now: Date): JudgedCode {
  const current = stepOf(now)
  let found: number | undefined
  for (let off = -searched; off <= searched; off++) {
    const isIt = isSameSecret(Buffer.from(codeOf(secret, current + off)), Buffer.from(code))
    if (isIt && (found === undefined || Math.abs(off) < Math.abs(found))) found = off
  }
  if (found === undefined) return { kind: 'wrong' }
  if (Math.abs(found) <= tolerance) return { kind: 'right', step: current + found }
  const minutes = Math.sign(found) * Math.ceil((Math.abs(found) * periodSeconds) / 60)
  return { kind: 'clock-off', minutes }
}
