import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ManualClock } from '@seaworthy/std/time'
import { createCollector } from './collector.ts'
import { createExchangeEnd } from './exchange.ts'
import { createMeter } from './meter.ts'
import type { Snapshot } from './meter.ts'

function makeWorker() {
  const meter = createMeter()
  const total = meter.counter({ name: 'work_total', help: 'Work.' })
  meter.gauge({ name: 'queue', help: 'Queue.', merge: 'sum' }, () => [{ value: 1 }])
  return { work: (amount: number) => total.add(amount), snapshot: () => meter.snapshot() }
}
type Worker = ReturnType<typeof makeWorker>

const valueOf = (snapshot: Snapshot, name: string) =>
  snapshot.find((family) => family.name === name)?.series[0]?.value

function makeWorld() {
  const clock = new ManualClock(new Date(0))
  const deaf = new Set<Worker>()
  const collector = createCollector<Worker>({
    own: () => [],
    ask: (worker, id) => {
      if (!deaf.has(worker)) collector.receive(worker, id, worker.snapshot())
    },
    sleep: (ms, signal) => clock.sleep(ms, signal),
  })
  return { clock, deaf, collector }
}

test('O5 totals of a worker that has ended stay, its states go', async () => {
  const { collector } = makeWorld()
  const [a, b] = [makeWorker(), makeWorker()]
  collector.add(a)
  collector.add(b)
  a.work(3)
  b.work(4)
  const before = await collector.gather()
  assert.deepEqual([valueOf(before, 'work_total'), valueOf(before, 'queue')], [7, 2])
  collector.remove(a)
  const after = await collector.gather()
  assert.deepEqual([valueOf(after, 'work_total'), valueOf(after, 'queue')], [7, 1])
  collector.remove(b)
  const last = await collector.gather()
  assert.deepEqual([valueOf(last, 'work_total'), valueOf(last, 'queue')], [7, undefined])
})

test('O5 a worker that hangs delays a scrape by a second at most and counts with what it said last', async () => {
  const { collector, clock, deaf } = makeWorld()
  const [a, b] = [makeWorker(), makeWorker()]
  collector.add(a)
  collector.add(b)
  a.work(3)
  await collector.gather()
  deaf.add(a)
  a.work(1)
  b.work(10)
  const gathered = collector.gather()
  clock.advance(1000)
  assert.equal(valueOf(await gathered, 'work_total'), 13)
  // A process that ends in the middle of a question counts as having answered it.
  const again = collector.gather()
  collector.remove(a)
  assert.equal(valueOf(await again, 'work_total'), 13)
})

test('O5 each question of a worker gets its own answer', async () => {
  const asked: number[] = []
  const end = createExchangeEnd((id) => asked.push(id))
  const questions = [end.gather(), end.gather()]
  const [a, b] = [makeWorker().snapshot(), makeWorker().snapshot()]
  end.receive(asked[1]!, b)
  end.receive(asked[0]!, a)
  end.receive(99, a)
  const answers = await Promise.all(questions)
  assert.ok(answers[0] === a && answers[1] === b)
})
