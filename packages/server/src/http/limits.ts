/**
 * The limits of time and size that apply to every sender of a request, all in one place.
 * `server.ts` gives them to Node's HTTPS server, `bodies.ts` holds every request body to them. How
 * often somebody may ask stands in `app/worker/budgets.ts`.
 */
import { manifestSizeMax } from '@seaworthy/oci/manifests'
import { minuteMs, secondMs } from '@seaworthy/std/time'

/** Limits of connections. */
export const connectionLimits = {
  handshakeMs: 10 * secondMs,
  /**
   * The time from the first byte of a request to the end of its headers, and from the handshake to
   * the first request.
   */
  headersMs: 10 * secondMs,
  /** How often Node looks for requests that are late with their headers. */
  checkEveryMs: 5 * secondMs,
  headersBytesMax: 16 * 1024,
  headersCountMax: 100,
  /** The longest pause between two requests. */
  keepAliveMs: 65 * secondMs,
  /** The longest time in which nothing moves on a connection in either direction. */
  silenceMs: 2 * minuteMs,
} as const

/**
 * How fast a body must come. A sender may make the server wait for `graceMs`; each byte earns some
 * of that time back, so that the sender may pause, but on the whole sends at least
 * `bytesPerSecondMin`. Only time in which the server waits for the sender counts.
 */
export interface Pace {
  readonly graceMs: number
  readonly bytesPerSecondMin: number
}

export interface BodyLimits {
  readonly bytesMax: number
  readonly pace: Pace
}

/** The pace for what fits into one document: 20 seconds in all. */
const atOnce: Pace = { graceMs: 20 * secondMs, bytesPerSecondMin: Number.POSITIVE_INFINITY }
/** The pace for content, which a builder on a slow line sends for hours. */
const steadily: Pace = { graceMs: 30 * secondMs, bytesPerSecondMin: 1024 }

/**
 * Limits of bodies by kind. A route's body has the size that the route says, which is 64 KiB unless
 * it says more.
 */
export const bodyLimits = {
  route: { pace: atOnce },
  ddi: { bytesMax: 256 * 1024, pace: atOnce },
  omaha: { bytesMax: 64 * 1024, pace: atOnce },
  /** A form escapes a character with up to twelve bytes. */
  report: { bytesMax: 256 * 1024, pace: atOnce },
  fleetlock: { bytesMax: 4096, pace: atOnce },
  registryToken: { bytesMax: 16 * 1024, pace: atOnce },
  manifest: { bytesMax: manifestSizeMax, pace: steadily },
  /** The size of one blob, which may come in several requests. */
  upload: { bytesMax: 64 * 1024 ** 3, pace: steadily },
} as const satisfies Record<string, Partial<BodyLimits>>

/**
 * How much of an unwanted body is still read, so that its sender gets to read the answer. Then the
 * connection ends.
 */
export const unwantedBody = { bytesMax: 8 * 1024 * 1024, ms: 5 * secondMs } as const
