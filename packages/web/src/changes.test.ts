import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { EventNoun } from '@seaworthy/api/events'
import { ManualClock } from '@seaworthy/std/time'
import { createChangeFeed, isConcerned } from './changes.ts'

/** A browser with one page, whose streams the test speaks for. */
function createWorld() {
  const clock = new ManualClock(new Date('2030-01-01T00:00:00Z'))
  const page: EventTarget & { visibilityState: DocumentVisibilityState } = Object.assign(
    new EventTarget(),
    { visibilityState: 'visible' as const },
  )
  const streams: (EventTarget & { readyState: number; close: () => void })[] = []
  const heard: string[] = []
  const feed = createChangeFeed({
    open() {
      const stream = Object.assign(new EventTarget(), {
        readyState: 0,
        close: () => void (stream.readyState = 2),
      })
      streams.push(stream)
      return stream as unknown as EventSource
    },
    page,
    sleep: clock.sleep,
  })
  const leave = feed.follow({
    onChange: (nouns) => heard.push(`changed ${nouns.join(' ')}`),
    onBegin: () => heard.push('begin'),
  })
  const tell = (type: string, data = '{}') =>
    streams.at(-1)!.dispatchEvent(Object.assign(new Event(type), { data }))
  return {
    ...{ streams, leave, tell },
    change: (noun: string) => tell('change', JSON.stringify({ noun, ids: [] })),
    async pass(ms: number) {
      clock.advance(ms)
      await new Promise(setImmediate)
    },
    look(state: DocumentVisibilityState) {
      page.visibilityState = state
      page.dispatchEvent(new Event('visibilitychange'))
    },
    heard: () => heard.splice(0),
  }
}

test('D5 changes of a moment are read together, and what a newer server tells of is passed over', async () => {
  const world = createWorld()
  world.tell('open')
  for (const noun of ['device', 'device', 'ship', 'rollout']) world.change(noun)
  world.tell('change', 'no JSON')
  assert.deepEqual(world.heard(), ['begin'])
  await world.pass(500)
  assert.deepEqual(world.heard(), ['changed device rollout'])
  world.tell('all')
  assert.deepEqual(world.heard(), ['begin'])
})

test('D5 a page that nobody sees hears nothing, and reads everything again when it is seen', async () => {
  const world = createWorld()
  world.tell('open')
  world.change('device')
  world.look('hidden')
  await world.pass(500)
  assert.deepEqual(world.heard(), ['begin'])
  world.look('visible')
  world.look('visible')
  assert.equal(world.streams.length, 2)
  world.tell('open')
  assert.deepEqual(world.heard(), ['begin'])
  world.leave()
  world.look('visible')
  assert.deepEqual([world.streams.length, world.heard()], [2, []])
})

test('D5 a stream that broke is opened again: by the browser, or after a while where the server refused', async () => {
  const world = createWorld()
  world.tell('open')
  world.tell('error')
  await world.pass(60_000)
  assert.equal(world.streams.length, 1, 'the browser tries again by itself')
  world.tell('open')
  assert.deepEqual(world.heard(), ['begin', 'begin'])
  world.streams[0]!.readyState = 2
  world.tell('error')
  await world.pass(29_000)
  assert.equal(world.streams.length, 1)
  await world.pass(1000)
  assert.equal(world.streams.length, 2)
})

test('D5 a change concerns the routes whose answers it may change, and no others', () => {
  const concerns = (noun: EventNoun, route: string) => isConcerned(route, [noun])
  assert.ok(concerns('device', 'devices.count') && concerns('device', 'fleet.versions'))
  assert.ok(!concerns('device', 'proposal.list') && !concerns('approval', 'devices.list'))
  assert.ok(!isConcerned('devices.list', []))
})
