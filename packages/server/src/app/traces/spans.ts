/**
 * Spans of one process: which work is part of which, and how long it takes. Names and attributes
 * come from closed sets.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import { hexEncode } from '@seaworthy/std/bytes'
import type { Random } from '@seaworthy/std/random'
import type { Clock } from '@seaworthy/std/time'

/** Only numbers and words of our own: no credential, no address, no part of a request's body. */
export type Attributes = Readonly<Record<string, string | number>>

export type SpanKind = 'internal' | 'server' | 'client'

export interface SpanContext {
  /** The trace's id: 32 hex digits, not all zero. */
  readonly traceId: string
  /** The span's id: 16 hex digits, not all zero. */
  readonly spanId: string
}

export interface FinishedSpan extends SpanContext {
  readonly parentSpanId: string | null
  readonly name: string
  readonly kind: SpanKind
  /** The start in milliseconds since 1970, with fractions. */
  readonly startMs: number
  readonly endMs: number
  readonly attributes: Attributes
  readonly links: readonly SpanContext[]
  readonly hasFailed: boolean
}

export interface Span {
  readonly context: SpanContext
  end(result?: { attributes?: Attributes; hasFailed?: boolean; name?: string }): void
}

export interface Tracer {
  /** The span that the caller works in. */
  current(): SpanContext | undefined
  /**
   * Begins a new trace, or continues the caller's: `traceparent` is what a client says and may be
   * any text.
   */
  begin(name: string, kind: SpanKind, traceparent: string | undefined): Span
  /** Runs `work` in a span that `begin` made. */
  within<T>(span: Span, work: () => T): T
  /**
   * Runs `work` in a span of its own below the present one; where there is none (or it is not
   * recorded), it only runs `work`.
   */
  span<T>(name: string, attributes: Attributes, work: () => Promise<T>): Promise<T>
  /** Runs `work` in a span that begins a trace, for work that does not belong to one request. */
  root<T>(
    name: string,
    facts: { attributes: Attributes; links: readonly SpanContext[] },
    work: () => Promise<T>,
  ): Promise<T>
}

interface Live extends SpanContext {
  /**
   * The wall clock minus the monotonic clock when the trace began here, so that its spans fit
   * together whatever the wall clock does.
   */
  readonly offsetMs: number
}

export interface TracerOptions {
  readonly clock: Clock
  readonly random: Random
  /** The share of traces that are recorded, 0 to 1. */
  readonly ratio: number
  /** Must neither throw nor wait. */
  readonly record: (span: FinishedSpan) => void
}

export function createTracer(options: TracerOptions): Tracer {
  const { clock, random, record } = options
  const storage = new AsyncLocalStorage<Live | undefined>()

  const isRecorded = () => random.fraction() < options.ratio
  const start = (traceId: string): Live => ({
    traceId,
    spanId: hexEncode(random.bytes(8)),
    offsetMs: clock.now().getTime() - clock.monotonicMs(),
  })
  const child = ({ traceId, offsetMs }: Live): Live => ({
    traceId,
    spanId: hexEncode(random.bytes(8)),
    offsetMs,
  })
  const finisher = (
    live: Live,
    span: Pick<FinishedSpan, 'name' | 'kind' | 'parentSpanId' | 'attributes' | 'links'>,
  ): Span['end'] => {
    const startMs = clock.monotonicMs() + live.offsetMs
    return (result = {}) =>
      record({
        traceId: live.traceId,
        spanId: live.spanId,
        ...span,
        name: result.name ?? span.name,
        startMs,
        endMs: clock.monotonicMs() + live.offsetMs,
        attributes: { ...span.attributes, ...result.attributes },
        hasFailed: result.hasFailed ?? false,
      })
  }
  const run = async <T>(live: Live, end: Span['end'], work: () => Promise<T>): Promise<T> => {
    try {
      const result = await storage.run(live, work)
      end()
      return result
    } catch (error) {
      end({ hasFailed: true })
      throw error
    }
  }

  return {
    current: () => storage.getStore(),
    begin(name, kind, traceparent) {
      const parent = readTraceparent(traceparent)
      if (parent?.isSampled === false || !isRecorded()) return unrecorded
      const live = start(parent?.traceId ?? hexEncode(random.bytes(16)))
      const parentSpanId = parent?.spanId ?? null
      return {
        context: live,
        end: finisher(live, { name, kind, parentSpanId, attributes: {}, links: [] }),
      }
    },
    within: (span, work) =>
      storage.run(span === unrecorded ? undefined : (span.context as Live), work),
    span(name, attributes, work) {
      const parent = storage.getStore()
      if (parent === undefined) return work()
      const live = child(parent)
      const facts = { name, attributes, parentSpanId: parent.spanId, links: [] }
      return run(live, finisher(live, { ...facts, kind: 'internal' }), work)
    },
    root(name, { attributes, links }, work) {
      if (!isRecorded()) return storage.run(undefined, work)
      const live = start(hexEncode(random.bytes(16)))
      const facts = { name, attributes, links, parentSpanId: null }
      return run(live, finisher(live, { ...facts, kind: 'internal' }), work)
    },
  }
}

const unrecorded: Span = {
  context: { traceId: '0'.repeat(32), spanId: '0'.repeat(16) },
  end: () => undefined,
}

/**
 * Reads a W3C Trace Context header: version 00, and the part of it that later versions promise to
 * keep.
 */
function readTraceparent(
  header: string | undefined,
): (SpanContext & { readonly isSampled: boolean }) | undefined {
  const match = /^(?!ff)([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/.exec(
    header ?? '',
  )
  const [, version, traceId = '', spanId = '', flags = '', rest] = match ?? []
  if (match === null || (version === '00' && rest !== undefined)) return undefined
  if (/^0+$/.test(traceId) || /^0+$/.test(spanId)) return undefined
  return { traceId, spanId, isSampled: (Number.parseInt(flags, 16) & 1) === 1 }
}
