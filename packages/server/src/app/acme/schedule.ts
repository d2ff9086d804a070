/** When a certificate of an authority is ordered, from plain values. */
import { X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import { backOffMs } from '@seaworthy/std/retry'
import type { Random } from '@seaworthy/std/random'
import { hourMs, minuteMs, parseInstant } from '@seaworthy/std/time'
import type { AcmeTrouble } from '../trust/index.ts'
import { namesOf, pinOf } from '../trust/index.ts'

/** The names for which a public authority makes certificates. */
export function orderableNames(names: readonly string[]): string[] {
  return names.filter((name) => isIP(name) === 0 && name.includes('.') && !name.startsWith('*'))
}

/** Whether the last failure was about these names and this key. */
export function isAbout(
  trouble: AcmeTrouble | undefined,
  names: readonly string[],
  pin: string,
): trouble is AcmeTrouble {
  return trouble !== undefined && trouble.pin === pin && isSame(trouble.names, names)
}

/** A certificate is renewed when a third of its life is left. */
export function isOrderDue(known: {
  /** The chain that the authority made last. */
  readonly certificatePem: string | undefined
  readonly wanted: readonly string[]
  /** The pin of the server's key. */
  readonly pin: string
  readonly trouble: AcmeTrouble | undefined
  readonly now: Date
}): boolean {
  const { certificatePem, wanted, pin, trouble, now } = known
  if (wanted.length === 0) return false
  const nextAt = isAbout(trouble, wanted, pin) ? trouble.nextAt : null
  if (nextAt !== null && now < parseInstant(nextAt)) return false
  if (certificatePem === undefined || pinOf(certificatePem) !== pin) return true
  if (!isSame(namesOf(certificatePem), wanted)) return true
  const { validFromDate, validToDate } = new X509Certificate(certificatePem)
  const [from, until] = [validFromDate.getTime(), validToDate.getTime()]
  return now.getTime() >= from + ((until - from) * 2) / 3
}

/** A certificate that would be due again sooner would have the server order without end. */
const restMs = hourMs

/** Whether what the authority has sent is what was ordered, and lasts. */
export function isFit(
  certificatePem: string,
  ordered: { readonly wanted: readonly string[]; readonly pin: string; readonly now: Date },
): boolean {
  const now = new Date(ordered.now.getTime() + restMs)
  return !isOrderDue({ ...ordered, certificatePem, trouble: undefined, now })
}

const waits = { firstMs: 15 * minuteMs, maxMs: 6 * hourMs }

/** Authorities count failures: each makes the next wait longer. */
export function waitAfterFailure(
  failures: number,
  retryAfterMs: number | undefined,
  random: Random,
): number {
  return Math.max(retryAfterMs ?? 0, backOffMs(failures, { ...waits, random }))
}

function isSame(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.toSorted().join() === b.toSorted().join()
}
