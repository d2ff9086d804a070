import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Transport } from '@seaworthy/std/http'
import { TransportError } from '@seaworthy/std/http'
import { systemClock, systemSleep } from '@seaworthy/std/time'
import type { Disk } from '../ports.ts'
import { download } from './download.ts'

const writer = { size: 0, write: async () => {}, sync: async () => {}, close: async () => {} }
const disk = { append: async () => writer } as unknown as Disk
const limits = { windowMs: 10_000, bytesPerSecondMin: 100, deadlineBaseMs: 20_000 }

async function downloadBy(transport: Transport) {
  await download(
    { clock: systemClock, sleep: systemSleep, disk, limits },
    {
      transport,
      url: 'https://mirror.example/content/sha256-00',
      headers: {},
      path: 'partial',
      size: 100,
      isLimit: false,
    },
  )
}

test('A6 a device follows no redirect, wherever it leads', async () => {
  for (const status of [301, 302, 303, 307, 308]) {
    const asked: string[] = []
    const transport: Transport = async ({ url }) => {
      asked.push(url)
      const headers = { location: 'https://mirror.example/moved' }
      return { status, headers, body: (async function* () {})() }
    }
    await assert.rejects(downloadBy(transport), { code: 'malformed_reply' })
    assert.deepEqual(asked, ['https://mirror.example/content/sha256-00'])
  }
})

test('A6 a coded answer is the fault of the source that sent it, not of the network', async () => {
  const transport: Transport = async () => {
    throw new TransportError('content_coded', 'coded')
  }
  await assert.rejects(downloadBy(transport), { code: 'malformed_reply' })
})
