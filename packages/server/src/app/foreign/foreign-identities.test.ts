import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seededRandom } from '@seaworthy/std/random'
import { waitUntil } from '@seaworthy/std/testing'
import { ManualClock, systemSleep } from '@seaworthy/std/time'
import type { Db } from '../../db/connection.ts'
import type { ForeignDeviceRow } from '../../db/foreign-devices.ts'
import { createCredential } from '../access/index.ts'
import { createForeignIdentities } from './foreign-identities.ts'

/** A database that answers each look-up when the test says so. */
function start() {
  const asked: { ids: readonly string[]; answer: PromiseWithResolvers<ForeignDeviceRow[]> }[] = []
  const sql = (text: readonly string[], ...values: unknown[]) => {
    if (!text.join('').includes('where device = any')) return ''
    const answer = Promise.withResolvers<ForeignDeviceRow[]>()
    asked.push({ ids: values.at(-1) as string[], answer })
    return answer.promise
  }
  const ports = {
    clock: new ManualClock(new Date('2030-01-01T00:00:00Z')),
    sleep: systemSleep,
    random: seededRandom(1),
  }
  const removed = { has: () => false } as never
  const db = { reader: { sql } } as unknown as Db
  const device = (letter: string) => {
    const id = `device_${letter.repeat(26)}`
    const { text, secretSha256 } = createCredential('device', id, ports.random)
    const row = { device: id, protocol: 'ddi', externalId: id, gateway: null, secretSha256 }
    return { id, text, row: row as unknown as ForeignDeviceRow }
  }
  return { identities: createForeignIdentities(db, removed, ports), asked, device }
}

test('V4 O1 a device that asks many times before it is known is looked up once, and others with it', async () => {
  const { identities, asked, device } = start()
  const [one, two] = [device('a'), device('b')]
  const callers = [one, one, two, one].map(({ text }) => identities.identifyDevice(text))
  await waitUntil('looked up', () => asked.length > 0)
  // A caller that asks while the look-up is under way waits for the same answer.
  callers.push(identities.identifyDevice(one.text))
  assert.deepEqual(asked[0]!.ids, [one.id, two.id])
  asked[0]!.answer.resolve([one.row, two.row])
  const found = await Promise.all(callers)
  assert.deepEqual(
    found.map((identity) => identity?.deviceId),
    [one.id, one.id, two.id, one.id, one.id],
  )
  await identities.identifyDevice(one.text)
  assert.equal(asked.length, 1)
})

test('V4 an answer that was under way when the device changed is not kept, and nobody new waits for it', async () => {
  const { identities, asked, device } = start()
  const one = device('a')
  const first = identities.identifyDevice(one.text)
  await waitUntil('looked up', () => asked.length === 1)
  identities.forget(one.id)
  const second = identities.identifyDevice(one.text)
  asked[0]!.answer.resolve([one.row])
  assert.equal((await first)?.deviceId, one.id)
  await waitUntil('looked up again', () => asked.length === 2)
  asked[1]!.answer.resolve([])
  assert.equal(await second, undefined)
})

test('V4 a failed look-up fails those who wait for it, and nobody after them', async () => {
  const { identities, asked, device } = start()
  const one = device('a')
  const both = [identities.identifyDevice(one.text), identities.identifyDevice(one.text)]
  await waitUntil('looked up', () => asked.length === 1)
  asked[0]!.answer.reject(new Error('gone'))
  for (const result of await Promise.allSettled(both)) assert.equal(result.status, 'rejected')
  const later = identities.identifyDevice(one.text)
  await waitUntil('looked up again', () => asked.length === 2)
  asked[1]!.answer.resolve([one.row])
  assert.equal((await later)?.deviceId, one.id)
})
