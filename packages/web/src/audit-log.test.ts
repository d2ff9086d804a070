import assert from 'node:assert/strict'
import { test } from 'node:test'
import { utf8Encode } from '@seaworthy/std/bytes'
import { encodeEntryBundle } from '@seaworthy/trust/tlog'
import { createLogReader, isFound, LogReadError, newestBundle, readEntry } from './audit-log.ts'

const entry = (subject: string) =>
  utf8Encode(
    JSON.stringify({
      ...{ format: 'seaworthy-audit-v1', at: '2030-01-10T12:00:00Z', actor: 'token_1' },
      ...{ action: 'device.remove', subject, outcome: 'done', detail: {} },
    }),
  )

test('A5 entries come from the bundle of their index, the newest first', async () => {
  const asked: string[] = []
  const files = new Map([
    ['https://a/log/checkpoint', utf8Encode('a\n258\nroot\n\n— a signature\n')],
    [
      'https://a/log/tile/entries/001.p/2',
      encodeEntryBundle([entry('device_1'), entry('device_2')]),
    ],
  ])
  const log = createLogReader('https://a', ({ url }) => {
    asked.push(url)
    const bytes = files.get(url)
    return Promise.resolve({
      status: bytes === undefined ? 403 : 200,
      headers: {},
      body: (async function* () {
        yield bytes ?? new Uint8Array()
      })(),
    })
  })
  const { signal } = new AbortController()
  assert.equal(await log.readSize(signal), 258)
  assert.deepEqual([0, 1, 256, 257].map(newestBundle), [0, 0, 0, 1])
  const found = await log.readBundle(1, 258, signal)
  assert.deepEqual(
    found.map(({ index, subject }) => [index, subject]),
    [
      [257, 'device_2'],
      [256, 'device_1'],
    ],
  )
  assert.ok(isFound(found[0]!, ' DEVICE.remove '))
  assert.ok(!isFound(found[0]!, 'device_1'))
  assert.deepEqual(await log.readBundle(2, 258, signal), [])
  await assert.rejects(log.readBundle(0, 256, signal), LogReadError)
})

test('attack: an entry that turns or hides the text around it is written out, and no other form is shown', () => {
  const { subject } = readEntry(entry('gate \u202egpj.exe'), 0)
  assert.equal(subject, String.raw`gate \u{202e}gpj.exe`)
  assert.throws(() => readEntry(utf8Encode('{"action":1}'), 7), LogReadError)
})
