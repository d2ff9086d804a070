import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seededRandom } from '@seaworthy/std/random'
import { ManualClock } from '@seaworthy/std/time'
import { createBatches } from './batches.ts'

const times = { usualMs: 20, fewMs: 150 }
/** The time that one durable write of `count` rows takes in this world. */
const writeMs = (count: number) => 3 + 0.06 * count
const stepMs = 0.5

interface Caller {
  readonly key: string
  askedMs: number
}

/**
 * Makes batches in a world whose time is moved by hand; `onAnswer` is called for each answered
 * caller.
 */
function createWorld(onAnswer: (caller: Caller, nowMs: number) => void) {
  const clock = new ManualClock(new Date(0))
  const sizes: number[] = []
  const batches = createBatches<Caller>(
    { clock, sleep: clock.sleep },
    {
      keyOf: ({ key }) => key,
      times,
      async write(batch) {
        sizes.push(batch.length)
        await clock.sleep(writeMs(batch.length))
        for (const caller of batch) onAnswer(caller, clock.monotonicMs())
      },
    },
  )
  const settle = async () => {
    for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve))
  }
  /**
   * Lets time pass in steps; `each` is called before every step, to add the callers who ask now.
   */
  const run = async (durationMs: number, each: (nowMs: number) => void) => {
    const endMs = clock.monotonicMs() + durationMs
    while (clock.monotonicMs() < endMs) {
      each(clock.monotonicMs())
      await settle()
      clock.advance(stepMs)
      await settle()
    }
  }
  return { batches, sizes, run }
}

/** The median waiting time of callers who each ask again some time after they were answered. */
async function closedLoop(callersCount: number, pauseMs: number, durationMs: number) {
  const random = seededRandom(callersCount)
  const waits: number[] = []
  const pausing: { caller: Caller; untilMs: number }[] = []
  const rest = (caller: Caller, nowMs: number) =>
    pausing.push({ caller, untilMs: nowMs + pauseMs * (1 + random.fraction()) })
  const world = createWorld((caller, nowMs) => {
    waits.push(nowMs - caller.askedMs)
    rest(caller, nowMs)
  })
  for (let i = 0; i < callersCount; i++) rest({ key: `device_${1000 + i}`, askedMs: 0 }, 0)
  await world.run(durationMs, (nowMs) => {
    for (const due of pausing.filter(({ untilMs }) => untilMs <= nowMs)) {
      pausing.splice(pausing.indexOf(due), 1)
      due.caller.askedMs = nowMs
      world.batches.add(due.caller)
    }
  })
  return waits.toSorted((a, b) => a - b)[Math.floor(waits.length / 2)]!
}

for (const pauseMs of [0.3, 25]) {
  for (const callersCount of [1, 2, 4, 8, 16, 32, 64, 128]) {
    test(`V1 no caller waits for company that cannot come: ${callersCount} that ask again ${pauseMs} ms after each answer`, async () => {
      const medianMs = await closedLoop(callersCount, pauseMs, 2500)
      const limitMs = 2 * writeMs(callersCount) + stepMs
      assert.ok(medianMs <= limitMs, `p50 is ${medianMs} ms, two writes are ${limitMs} ms`)
    })
  }
}

test('V1 devices that come by themselves, a few at a time, still share a write', async () => {
  const random = seededRandom(7)
  const world = createWorld(() => undefined)
  const perMs = 278 / 1000 / 2
  let nextMs = 0
  let count = 0
  await world.run(20_000, (nowMs) => {
    for (; nextMs <= nowMs; nextMs -= Math.log(1 - random.fraction()) / perMs)
      world.batches.add({ key: `device_${count++}`, askedMs: nowMs })
  })
  const mean = count / world.sizes.length
  assert.ok(mean >= 18, `a batch has ${mean} rows on average`)
})

test('a batch has at most one item of each key, in the order of the keys, and none is lost', async () => {
  const written: string[][] = []
  const clock = new ManualClock(new Date(0))
  const batches = createBatches<string>(
    { clock, sleep: clock.sleep },
    {
      keyOf: (item) => item,
      times: { usualMs: 0, fewMs: 0 },
      async write(batch) {
        written.push([...batch])
        await clock.sleep(1)
      },
    },
  )
  for (const item of ['b', 'a', 'b', 'c', 'b']) batches.add(item)
  while (written.length < 3) {
    clock.advance(1)
    await new Promise((resolve) => setImmediate(resolve))
  }
  assert.deepEqual(written, [['a', 'b', 'c'], ['b'], ['b']])
  assert.equal(batches.backlog().count, 0)
})

test('A9 attack: one caller who comes thousands of times keeps nobody else from the next batch', async () => {
  const clock = new ManualClock(new Date(0))
  const written: string[][] = []
  const batches = createBatches<string>(
    { clock, sleep: clock.sleep },
    {
      keyOf: (item) => item,
      times: { usualMs: 0, fewMs: 0 },
      async write(batch) {
        written.push([...batch])
        await clock.sleep(1)
      },
    },
  )
  for (let i = 0; i < 3000; i++) batches.add('loud')
  batches.add('quiet')
  while (written.length === 0) await new Promise((resolve) => setImmediate(resolve))
  assert.deepEqual(written[0], ['loud', 'quiet'])
})

test('a batch is never larger than its owner allows, and the rest follows', async () => {
  const clock = new ManualClock(new Date(0))
  const sizes: number[] = []
  const batches = createBatches<number>(
    { clock, sleep: clock.sleep },
    {
      keyOf: String,
      times: { usualMs: 0, fewMs: 0 },
      batchMax: 500,
      write: async (batch) => void sizes.push(batch.length),
    },
  )
  for (let i = 0; i < 1200; i++) batches.add(i)
  while (batches.backlog().count > 0) await new Promise((resolve) => setImmediate(resolve))
  assert.deepEqual(sizes, [500, 500, 200])
})
