import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { equalBytes, utf8Decode } from '@seaworthy/std/bytes'
import type { TreeHead } from './checkpoint.ts'
import { appendToLog, createMemoryLog, makeEntries, type MemoryLog, sha256 } from './testing.ts'
import { verifyEntries, verifyLog } from './verify-log.ts'

const code = (expected: string) => (error: Error & { code?: string }) => error.code === expected
const origin = 'log.example/1'
const headOf = (log: MemoryLog, size = log.edge.size): TreeHead => ({
  origin,
  size,
  root: log.roots.get(size)!,
})

function grownLog(sizes: number[], rewriteAt?: number): MemoryLog {
  const log = createMemoryLog()
  for (const size of sizes) {
    const entries = makeEntries(log.entries.length, size)
    if (rewriteAt !== undefined && rewriteAt >= log.entries.length && rewriteAt < size) {
      entries[rewriteAt - log.entries.length] = makeEntries(rewriteAt, rewriteAt + 1, 'forged')[0]!
    }
    appendToLog(log, entries)
  }
  return log
}

test('a log that only grows is believed at every contact', async () => {
  const log = grownLog([0, 1, 3, 255, 256, 300, 700])
  const heads = [...log.roots.keys()].map((size) => headOf(log, size))
  for (const remembered of heads) {
    for (const current of heads.filter((h) => h.size >= remembered.size)) {
      const verdict = await verifyLog({ remembered, current, fetch: log.fetch, sha256 })
      assert.equal(verdict.added, current.size - remembered.size)
    }
  }
  const first = await verifyLog({ current: headOf(log), fetch: log.fetch, sha256 })
  assert.deepEqual(first, { kind: 'first_seen', added: 700 })
})

test('T9 rewritten history: any entry changed before the remembered checkpoint is noticed', async () => {
  const honest = grownLog([90, 300])
  await fc.assert(
    fc.asyncProperty(fc.nat({ max: 89 }), async (rewriteAt) => {
      const forged = grownLog([90, 300], rewriteAt)
      const contact = { current: headOf(forged), fetch: forged.fetch, sha256 }
      const remembered = headOf(honest, 90)
      await assert.rejects(verifyLog({ ...contact, remembered }), code('log_forked'))
      const sameSize = { ...contact, remembered: headOf(honest) }
      await assert.rejects(verifyLog(sameSize), code('log_forked'))
      // What changed behind the remembered checkpoint is new to this client, and no contradiction.
      const later = grownLog([90, 300], 90 + rewriteAt)
      await verifyLog({ remembered, current: headOf(later), fetch: later.fetch, sha256 })
    }),
    { numRuns: 25 },
  )
})

test('T9 restored old database: a shorter log is noticed, and so is one that grew again differently', async () => {
  const log = grownLog([90, 300])
  const remembered = headOf(log)
  const restored = { remembered, current: headOf(log, 90), fetch: log.fetch, sha256 }
  await assert.rejects(verifyLog(restored), code('log_truncated'))
  const regrown = grownLog([90, 350], 200)
  await assert.rejects(
    verifyLog({ remembered, current: headOf(regrown), fetch: regrown.fetch, sha256 }),
    code('log_forked'),
  )
})

test('T9 emptied log: size 0 is a truncation, and a root for no entries is refused', async () => {
  const log = grownLog([90])
  const empty = { origin, size: 0, root: log.roots.get(0)! }
  const contact = { fetch: log.fetch, sha256 }
  await assert.rejects(
    verifyLog({ ...contact, remembered: headOf(log), current: empty }),
    code('log_truncated'),
  )
  const fake = { ...empty, root: headOf(log).root }
  await assert.rejects(verifyLog({ ...contact, current: fake }), code('log_forked'))
})

test('D9 broken or hostile mirror: bad tiles are told apart from a fork', async () => {
  const log = grownLog([90, 300])
  const contact = { remembered: headOf(log, 90), current: headOf(log), fetch: log.fetch, sha256 }
  const path = 'tile/0/000'
  const tile = log.files.get(path)!
  const damaged = tile.slice()
  damaged[100]! ^= 1
  for (const [bytes, expected] of [
    [damaged, 'tile_mismatch'],
    [tile.slice(32), 'tile_malformed'],
    [new Uint8Array(10_000), 'tile_malformed'],
    [undefined, 'tile_missing'],
  ] as const) {
    if (bytes) log.files.set(path, bytes)
    else log.files.delete(path)
    await assert.rejects(verifyLog(contact), code(expected))
  }
  const down = async () => {
    throw new Error('connection refused')
  }
  await assert.rejects(verifyLog({ ...contact, fetch: down }), /connection refused/)
})

test('another log’s checkpoint is not compared', async () => {
  const log = grownLog([90])
  const remembered = { ...headOf(log), origin: 'log.example/2' }
  await assert.rejects(
    verifyLog({ remembered, current: headOf(log), fetch: log.fetch, sha256 }),
    code('checkpoint_origin'),
  )
})

test('entries since the remembered checkpoint are read and proved', async () => {
  const log = grownLog([90, 300, 700])
  for (const [size, from] of [
    [90, 90],
    [300, 300],
    [300, 10],
    [700, 700],
    [0, 0],
    [0, 512],
  ] as const) {
    const contact = {
      remembered: headOf(log, size),
      current: headOf(log),
      fetch: log.fetch,
      sha256,
    }
    const entries = await Array.fromAsync(verifyEntries(contact, from))
    assert.deepEqual(
      entries.map((e) => `${e.index} ${utf8Decode(e.bytes)}`),
      Array.from({ length: 700 - from }, (_, i) => `${from + i} entry ${from + i}`),
    )
  }
})

test('T9 forged entries: none of a bundle that does not fit the checkpoint is handed out', async () => {
  const log = grownLog([700])
  for (const path of ['tile/entries/001', 'tile/entries/002.p/188']) {
    const honest = log.files.get(path)!
    const forged = honest.slice()
    forged[10]! ^= 1
    log.files.set(path, forged)
    const seen: number[] = []
    await assert.rejects(async () => {
      for await (const entry of verifyEntries({ current: headOf(log), fetch: log.fetch, sha256 })) {
        seen.push(entry.index)
      }
    }, code('entry_mismatch'))
    assert.equal(seen.length, path.includes('001') ? 256 : 512)
    log.files.set(path, honest)
  }
})

test('whatever a server sends for a tile, only the real tree is believed', async () => {
  const log = grownLog([3, 20])
  const contact = { remembered: headOf(log, 3), current: headOf(log), sha256 }
  const real = log.files.get('tile/0/000.p/20')!
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ minLength: 640, maxLength: 640 }), async (bytes) => {
      fc.pre(!equalBytes(bytes, real))
      await assert.rejects(
        verifyLog({ ...contact, fetch: async () => bytes }),
        code('tile_mismatch'),
      )
    }),
  )
})
