/**
 * Pins of a server's public key, and how a client goes from one key of the server to the next. A
 * server announces its next pin in the header of answers that came under a pin which the client
 * keeps already. That is all that TLS can give: whoever holds the present key may announce the next
 * one. What a device runs is decided by signatures, never by pins.
 */
import type { HttpResponse } from './http.ts'

/** The header by which a server announces the pin of its next key. */
export const nextPinHeader = 'seaworthy-next-pin'

const pinForm = /^sha256:[A-Za-z0-9_-]{43}$/

export function isPin(text: string): boolean {
  return pinForm.test(text)
}

/** What a client accepts, in the order in which it learned them. There is always one. */
export type Pins = readonly [string, ...string[]]

/** What one answer of the server said of pins. */
export interface HeardPins {
  /** The pin under which the connection was accepted. */
  readonly under: string
  /** The announced pin of its next key; `null` where it announces none. */
  readonly next: string | null
}

/** What an answer said of pins; `undefined` where its server is not known by a pin. */
export function heardPinsOf({
  pin: under,
  headers,
}: Pick<HttpResponse, 'pin' | 'headers'>): HeardPins | undefined {
  if (under === undefined) return undefined
  const next = headers[nextPinHeader]
  return { under, next: next !== undefined && isPin(next) ? next : null }
}

/** One that was announced and given up may still be kept beside the one that counts. */
const learnedMax = 2

/**
 * The pins that a client keeps after an answer. Under its oldest pin it only learns: a worker of
 * the server that lags behind, or a thief of the old key, makes it forget nothing but what was
 * announced longest ago. Under a later pin it forgets the older ones: the server has changed to
 * that key. The pin of the answer itself always stays.
 */
export function keepPins(kept: Pins, { under, next }: HeardPins): Pins {
  const news = next === null || next === under ? [] : [next]
  const [oldest, ...learned] = kept
  if (under === oldest) {
    if (news.every((pin) => learned.includes(pin))) return kept
    return [oldest, ...[...learned, ...news].slice(-learnedMax)]
  }
  return kept.includes(under) ? [under, ...news] : kept
}

/** The longest text that `formatKeptPins` makes. */
export const keptPinsBytesMax = 1024

/**
 * The pins as a small file. The pin that somebody configured stands first: what was learned from it
 * counts for as long as nobody configures another one.
 */
export function formatKeptPins(configured: string, pins: Pins): string {
  return [configured, ...pins].map((pin) => `${pin}\n`).join('')
}

/** The pins that were kept; the configured one alone where the text says nothing about it. */
export function parseKeptPins(configured: string, text: string): Pins {
  const [about, first, ...others] = text.split('\n').slice(0, -1)
  const isWhole = text.endsWith('\n') && about === configured && others.length <= learnedMax
  if (!isWhole || first === undefined || ![first, ...others].every(isPin)) return [configured]
  return [first, ...others]
}
