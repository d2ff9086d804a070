import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { ManualClock } from '@seaworthy/std/time'
import { systemRandom } from '@seaworthy/std/random'
import type { Digest } from '../../digests.ts'
import type { StoreUnderTest } from '../store.suite.ts'
import { testRegistryStore } from '../store.suite.ts'
import type { S3Client } from './client.ts'
import { createS3Client } from './client.ts'
import { openS3Store } from './index.ts'
import { parseContent, readRecord } from './records.ts'
import type { TestObjectStore } from './testing.ts'
import { lacksObjectStore, startObjectStore } from './testing.ts'

const skip = lacksObjectStore()

describe('S3', { skip }, () => {
  let server: TestObjectStore
  before(async () => {
    server = await startObjectStore()
  })
  after(() => server.stop())

  async function open(change = (client: S3Client) => client): Promise<StoreUnderTest> {
    const clock = new ManualClock(new Date('2026-01-01T00:00:00Z'))
    const { credentials, ports } = server
    // Signatures use the machine's time; use is noted in the test's time.
    const client = createS3Client(server.newLocation(), credentials, ports)
    const reopen = () => openS3Store(change(client), { clock, random: systemRandom })
    return {
      store: await reopen(),
      clock,
      reopen,
      damage: async (digest: Digest) => {
        const key = `content/${digest.replace(':', '/')}`
        const { value } = (await readRecord(client, key, parseContent))!
        const { bytes } = (await client.read(value!.key, 1e6))!
        bytes[0]! ^= 1
        await client.write(value!.key, bytes)
      },
      close: async () => {},
    }
  }

  testRegistryStore('S3', () => open())

  testRegistryStore('S3 that removes without looking at the condition', () =>
    open((client) => ({ ...client, remove: (key) => client.remove(key) })),
  )

  it('lists more than a page of objects, each once and in order', async () => {
    const client = createS3Client(server.newLocation(), server.credentials, server.ports)
    const names = Array.from({ length: 1203 }, (_, i) => `many/${String(i).padStart(5, '0')}`)
    for (let at = 0; at < names.length; at += 30) {
      await Promise.all(
        names.slice(at, at + 30).map((name) => client.write(name, new Uint8Array([1]))),
      )
    }
    const listed: string[] = []
    for await (const { key, size } of client.list('many/')) {
      assert.equal(size, 1)
      listed.push(key)
    }
    assert.deepEqual(listed, names)
    const rest: string[] = []
    for await (const { key } of client.list('many/', { after: '01200' })) rest.push(key)
    assert.deepEqual(rest, names.slice(1201))
    assert.deepEqual(await client.listFolders(''), ['many/'])
  })
})
