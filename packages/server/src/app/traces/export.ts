/**
 * Sends spans to a collector, as OTLP 1.x in JSON over HTTP. Nobody ever waits for it: spans gather
 * in a bounded queue, and a full queue or a collector that refuses a batch costs nothing but spans,
 * which are counted.
 */
import { utf8Encode } from '@seaworthy/std/bytes'
import type { Log } from '@seaworthy/std/log'
import type { Sleep } from '@seaworthy/std/time'
import { secondMs } from '@seaworthy/std/time'
import type { Attributes, FinishedSpan, SpanKind } from './spans.ts'

/** Posts one body and answers the status; rejects when there is none. */
export type SpanSender = (body: Uint8Array<ArrayBuffer>, signal: AbortSignal) => Promise<number>

export interface SpanExporter {
  readonly record: (span: FinishedSpan) => void
  /** Sends what is left in the queue, within bounded time. */
  stop(): Promise<void>
}

const queueMax = 4096
const batchMax = 512
const everyMs = 2 * secondMs
const sendMs = 5 * secondMs
const stopMs = 2 * secondMs

/** The part of a meter that is needed: counts of what was sent and lost. */
interface SpanMeter {
  counter(family: {
    readonly name: string
    readonly help: string
    readonly labels?: readonly string[]
  }): { add(amount: number, ...labels: string[]): void }
}

export function startSpanExporter(options: {
  readonly send: SpanSender
  readonly sleep: Sleep
  readonly log: Log
  readonly meter: SpanMeter
  readonly resource: Attributes
}): SpanExporter {
  const { send, sleep, log, meter, resource } = options
  const exported = meter.counter({
    name: 'seaworthy_trace_spans_exported_total',
    help: 'Spans that the collector has taken.',
  })
  const dropped = meter.counter({
    name: 'seaworthy_trace_spans_dropped_total',
    help: 'Spans that were lost, by the reason.',
    labels: ['reason'],
  })
  dropped.add(0, 'queue_full')
  dropped.add(0, 'export_failed')
  const queue: FinishedSpan[] = []
  const stopping = new AbortController()
  let isFailing = false
  let full = new AbortController()

  const sendBatch = async () => {
    const batch = queue.splice(0, batchMax)
    const late = new AbortController()
    const done = new AbortController()
    sleep(sendMs, done.signal).then(
      () => late.abort(),
      () => undefined,
    )
    try {
      const status = await send(encodeSpans(batch, resource), late.signal)
      if (status < 200 || status > 299) throw new Error(`the collector answered ${status}`)
      exported.add(batch.length)
      isFailing = false
    } catch (error) {
      dropped.add(batch.length, 'export_failed')
      // A failure is logged only once for each outage: the counter tells the rest.
      if (!isFailing) log.warn('traces.export-failed', { error })
      isFailing = true
    } finally {
      done.abort()
    }
  }
  const repeat = async () => {
    while (!stopping.signal.aborted) {
      full = new AbortController()
      await sleep(everyMs, AbortSignal.any([stopping.signal, full.signal])).catch(() => undefined)
      do {
        if (queue.length > 0) await sendBatch()
      } while (queue.length >= batchMax && !isFailing)
    }
  }
  const repeating = repeat()

  return {
    record(span) {
      if (queue.length >= queueMax) return dropped.add(1, 'queue_full')
      queue.push(span)
      if (queue.length === batchMax && !isFailing) full.abort()
    },
    async stop() {
      stopping.abort()
      const finished = new AbortController()
      const late = sleep(stopMs, finished.signal).catch(() => undefined)
      await Promise.race([repeating, late])
      finished.abort()
    },
  }
}

const kinds: Readonly<Record<SpanKind, number>> = { internal: 1, server: 2, client: 3 }

function encodeSpans(
  spans: readonly FinishedSpan[],
  resource: Attributes,
): Uint8Array<ArrayBuffer> {
  const encoded = spans.map((span) => ({
    traceId: span.traceId,
    spanId: span.spanId,
    ...(span.parentSpanId === null ? {} : { parentSpanId: span.parentSpanId }),
    name: span.name,
    kind: kinds[span.kind],
    startTimeUnixNano: formatNanoseconds(span.startMs),
    endTimeUnixNano: formatNanoseconds(span.endMs),
    attributes: encodeAttributes(span.attributes),
    links: span.links.map(({ traceId, spanId }) => ({ traceId, spanId })),
    status: span.hasFailed ? { code: 2 } : {},
  }))
  const scopeSpans = [{ scope: { name: 'seaworthy' }, spans: encoded }]
  return utf8Encode(
    JSON.stringify({
      resourceSpans: [{ resource: { attributes: encodeAttributes(resource) }, scopeSpans }],
    }),
  )
}

function encodeAttributes(attributes: Attributes) {
  return Object.entries(attributes).map(([key, value]) => ({
    key,
    value:
      typeof value === 'string'
        ? { stringValue: value }
        : Number.isInteger(value)
          ? { intValue: String(value) }
          : { doubleValue: value },
  }))
}

/** Formats milliseconds as nanoseconds, in text because the number does not fit into a double. */
function formatNanoseconds(ms: number): string {
  const whole = Math.floor(ms)
  return String(BigInt(whole) * 1_000_000n + BigInt(Math.round((ms - whole) * 1e6)))
}
