import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { utf8Decode } from '@seaworthy/std/bytes'
import { silentLog } from '@seaworthy/std/log'
import { seededRandom } from '@seaworthy/std/random'
import { ManualClock } from '@seaworthy/std/time'
import { createMeter } from '../metrics/meter.ts'
import { startSpanExporter } from './export.ts'
import type { SpanSender } from './export.ts'
import { createTracer } from './spans.ts'
import type { FinishedSpan } from './spans.ts'

const start = new Date('2026-03-01T12:00:00Z')

function makeTracer(ratio = 1) {
  const clock = new ManualClock(start)
  const spans: FinishedSpan[] = []
  const record = (span: FinishedSpan) => void spans.push(span)
  return { clock, spans, tracer: createTracer({ clock, random: seededRandom(1), ratio, record }) }
}

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736'
const parentId = '00f067aa0ba902b7'

test('O5 a span lies below the one it was begun in, in the client’s trace, and knows its failure', async () => {
  const { clock, spans, tracer } = makeTracer()
  const request = tracer.begin('request', 'server', `00-${traceId}-${parentId}-01`)
  await tracer.within(request, async () => {
    clock.advance(5)
    // The wall clock is set back in the middle, which does not affect durations.
    clock.jumpTo(new Date('2020-01-01T00:00:00Z'))
    const failing = tracer.span('transaction', { kind: 'write' }, async () => {
      clock.advance(7)
      await tracer.span('inner', {}, () => Promise.resolve())
      throw new Error('no')
    })
    await assert.rejects(failing, /no/)
  })
  request.end({ attributes: { status: 500 }, hasFailed: true })
  assert.deepEqual(
    spans.map(({ name, hasFailed }) => [name, hasFailed]),
    [
      ['inner', false],
      ['transaction', true],
      ['request', true],
    ],
  )
  const [inner, transaction, outer] = spans as [FinishedSpan, FinishedSpan, FinishedSpan]
  assert.equal(outer.parentSpanId, parentId)
  assert.equal(transaction.parentSpanId, outer.spanId)
  assert.equal(inner.parentSpanId, transaction.spanId)
  assert.ok(spans.every((span) => span.traceId === traceId))
  assert.deepEqual([transaction.startMs, transaction.endMs], [+start + 5, +start + 12])
  assert.equal(tracer.current(), undefined)
})

test('O5 outside of a trace and in one that is not recorded, work is done as it is', async () => {
  const { spans, tracer } = makeTracer(0)
  assert.equal(await tracer.span('a', {}, () => Promise.resolve(3)), 3)
  // Saying "sampled" does not make a stranger's request be recorded.
  const request = tracer.begin('request', 'server', `00-${traceId}-${parentId}-01`)
  await tracer.within(request, () => tracer.span('b', {}, () => Promise.resolve()))
  request.end()
  await tracer.root('task', { attributes: {}, links: [] }, () => Promise.resolve())
  const all = makeTracer(1)
  all.tracer.begin('request', 'server', `00-${traceId}-${parentId}-00`).end()
  assert.deepEqual([...spans, ...all.spans], [])
})

test('O5 whatever a client sends as traceparent is taken as W3C says or not at all', () => {
  const { spans, tracer } = makeTracer()
  const parentOf = (header: string | undefined) => {
    spans.length = 0
    tracer.begin('request', 'server', header).end()
    const [span] = spans
    assert.match(span?.traceId ?? '', /^[0-9a-f]{32}$/)
    return span!.parentSpanId === null ? null : [span!.traceId, span!.parentSpanId]
  }
  const good = `00-${traceId}-${parentId}-01`
  assert.deepEqual(parentOf(good), [traceId, parentId])
  assert.deepEqual(parentOf(good.replace('00-', '01-').concat('-more')), [traceId, parentId])
  const bad = [
    `${good}-more`,
    good.toUpperCase(),
    good.replace('00-', 'ff-'),
    good.replace(traceId, '0'.repeat(32)),
    good.replace(parentId, '0'.repeat(16)),
    good.slice(1),
    ` ${good}`,
    `${good}, ${good}`,
    '',
    undefined,
  ]
  for (const header of bad) assert.equal(parentOf(header), null, header ?? 'none')
  fc.assert(
    fc.property(fc.string(), (header) => {
      parentOf(header)
    }),
  )
})

function makeSpan(name = 'a'): FinishedSpan {
  return {
    traceId,
    spanId: parentId,
    parentSpanId: null,
    name,
    kind: 'server',
    startMs: 1_700_000_000_123.25,
    endMs: 1_700_000_000_124,
    attributes: { word: 'x', count: 3, share: 0.5 },
    links: [],
    hasFailed: true,
  }
}

test('O5 OTLP JSON: hex identifiers, nanoseconds as text, numbers of a kind', async () => {
  let document: unknown
  const { clock, exporter } = makeExporter((body) => {
    document = JSON.parse(utf8Decode(body))
    return Promise.resolve(200)
  })
  exporter.record(makeSpan())
  clock.advance(2000)
  await settle()
  assert.deepEqual(document, {
    resourceSpans: [
      {
        resource: { attributes: [{ key: 'service.name', value: { stringValue: 's' } }] },
        scopeSpans: [
          {
            scope: { name: 'seaworthy' },
            spans: [
              {
                traceId,
                spanId: parentId,
                name: 'a',
                kind: 2,
                startTimeUnixNano: '1700000000123250000',
                endTimeUnixNano: '1700000000124000000',
                attributes: [
                  { key: 'word', value: { stringValue: 'x' } },
                  { key: 'count', value: { intValue: '3' } },
                  { key: 'share', value: { doubleValue: 0.5 } },
                ],
                links: [],
                status: { code: 2 },
              },
            ],
          },
        ],
      },
    ],
  })
})

async function settle(): Promise<void> {
  for (let i = 0; i < 50; i++) await new Promise((resolve) => setImmediate(resolve))
}

function makeExporter(send: SpanSender) {
  const clock = new ManualClock(start)
  const meter = createMeter()
  const exporter = startSpanExporter({
    send,
    sleep: (ms, signal) => clock.sleep(ms, signal),
    log: silentLog,
    meter,
    resource: { 'service.name': 's' },
  })
  const count = (name: string, label?: string) =>
    meter
      .snapshot()
      .find((family) => family.name === `seaworthy_trace_spans_${name}_total`)
      ?.series.find(({ labels }) => label === undefined || labels[0] === label)?.value
  return { clock, exporter, count }
}

test('O5 a collector that is slow, broken or away costs spans, which are counted, and nothing else', async () => {
  let answer: () => Promise<number> = () => Promise.resolve(200)
  const sizes: number[] = []
  const { clock, exporter, count } = makeExporter((body) => {
    const { resourceSpans } = JSON.parse(utf8Decode(body)) as {
      resourceSpans: { scopeSpans: { spans: unknown[] }[] }[]
    }
    sizes.push(resourceSpans[0]!.scopeSpans[0]!.spans.length)
    return answer()
  })
  for (let i = 0; i < 600; i++) exporter.record(makeSpan())
  await settle()
  assert.deepEqual(sizes, [512], 'a whole batch does not wait')
  clock.advance(2000)
  await settle()
  assert.deepEqual([sizes, count('exported')], [[512, 88], 600])

  answer = () => Promise.resolve(503)
  for (let i = 0; i < 10; i++) exporter.record(makeSpan())
  clock.advance(2000)
  await settle()
  assert.equal(count('dropped', 'export_failed'), 10)

  answer = () => new Promise(() => undefined)
  for (let i = 0; i < 20; i++) exporter.record(makeSpan())
  clock.advance(2000)
  await settle()
  for (let i = 0; i < 5000; i++) exporter.record(makeSpan())
  assert.equal(count('dropped', 'queue_full'), 5000 - 4096)

  const stopped = exporter.stop()
  clock.advance(2000)
  await stopped
})

test('O5 a request that the collector keeps open is given up', async () => {
  let wasAborted = false
  const { clock, exporter, count } = makeExporter(
    (_body, signal) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => {
          wasAborted = true
          reject(new Error('aborted'))
        })
      }),
  )
  exporter.record(makeSpan())
  clock.advance(2000)
  await settle()
  clock.advance(5000)
  await settle()
  assert.ok(wasAborted)
  assert.equal(count('dropped', 'export_failed'), 1)
  await exporter.stop()
})
