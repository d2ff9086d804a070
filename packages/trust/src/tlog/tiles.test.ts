import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { equalBytes } from '@seaworthy/std/bytes'
import { appendLeaves, emptyLogEdge, hashEdge } from './append.ts'
import { hashLeaf, hashTree } from './merkle.ts'
import { proveConsistency, proveInclusion, verifyConsistency, verifyInclusion } from './proofs.ts'
import { appendToLog, createMemoryLog, makeEntries, sha256 } from './testing.ts'
import { createNodeReader, readEntries, readLogEdge } from './tile-reader.ts'
import {
  encodeEntryBundle,
  formatTilePath,
  parseEntryBundle,
  parseTilePath,
  tileWidth,
} from './tiles.ts'

const code = (expected: string) => (error: Error & { code?: string }) => error.code === expected

test('paths as the specification writes them', () => {
  const full = { level: 0, index: 1_234_067, width: 256 }
  assert.equal(formatTilePath(full), 'tile/0/x001/x234/067')
  assert.equal(formatTilePath({ level: 'entries', index: 0, width: 5 }), 'tile/entries/000.p/5')
  assert.deepEqual(parseTilePath('tile/0/x001/x234/067'), full)
})

test('a tile has one path only', () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.constant('entries' as const), fc.nat({ max: 63 })),
      fc.nat({ max: 2 ** 40 }),
      fc.integer({ min: 1, max: 256 }),
      (level, index, width) => {
        const tile = { level, index, width }
        assert.deepEqual(parseTilePath(formatTilePath(tile)), tile)
      },
    ),
  )
  for (const path of [
    'tile/0/67',
    'tile/0/x000/067',
    'tile/00/067',
    'tile/0/067.p/0',
    'tile/0/067.p/256',
    'tile/0/067.p/01',
    'tile/0/001/067',
    'tile/0/x001/x067',
    'tile/-1/067',
    'tile/0/067/',
    '/tile/0/067',
    'tile/0/067\n',
    'tile/data/067',
  ]) {
    assert.equal(parseTilePath(path), undefined, path)
  }
})

test('70,000 leaves make exactly the tiles that the specification counts', () => {
  const leaf = hashLeaf(sha256, new Uint8Array())
  const { tiles } = appendLeaves(sha256, emptyLogEdge, new Array(70_000).fill(leaf))
  const byLevel = (level: number) => tiles.filter((t) => t.path.startsWith(`tile/${level}/`))
  assert.deepEqual(
    [0, 1, 2, 3].map((level) => byLevel(level).length),
    [274, 2, 1, 0],
  )
  assert.deepEqual(
    tiles.map((t) => t.path).filter((path) => path.includes('.p/')),
    ['tile/0/273.p/112', 'tile/1/001.p/17', 'tile/2/000.p/1'],
  )
  for (const { path, bytes } of tiles) {
    assert.equal(bytes.length, parseTilePath(path)!.width * 32, path)
  }
})

test('256 leaves make a full tile and a partial one above it', () => {
  const leaves = makeEntries(0, 256).map((e) => hashLeaf(sha256, e))
  const { tiles } = appendLeaves(sha256, emptyLogEdge, leaves)
  assert.deepEqual(
    tiles.map((t) => t.path),
    ['tile/0/000', 'tile/1/000.p/1'],
  )
})

test('however leaves are batched, root and edge are those of the whole tree', () => {
  const leaves = makeEntries(0, 1500).map((e) => hashLeaf(sha256, e))
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 400 }), { maxLength: 6 }), (batches) => {
      let edge = emptyLogEdge
      for (const count of batches) {
        const batch = leaves.slice(edge.size, edge.size + count)
        const appended = appendLeaves(sha256, edge, batch)
        edge = appended.edge
        const expected = hashTree(sha256, leaves.slice(0, edge.size))
        assert.ok(equalBytes(appended.root, expected), `size ${edge.size}`)
        assert.ok(equalBytes(hashEdge(sha256, edge), expected))
      }
    }),
    { numRuns: 40 },
  )
})

test('proofs made of tiles hold, in a log that grew in steps', async () => {
  const log = createMemoryLog()
  for (const size of [1, 2, 255, 256, 257, 511, 512, 700]) {
    appendToLog(log, makeEntries(log.entries.length, size))
  }
  const sizes = [...log.roots.keys()].filter((size) => size > 0)
  for (const size of sizes) {
    const read = createNodeReader({ size, fetch: log.fetch, sha256 })
    const root = log.roots.get(size)!
    for (const index of new Set([0, size >> 1, size - 1])) {
      const proof = await proveInclusion(sha256, read, index, size)
      const leafHash = hashLeaf(sha256, log.entries[index]!)
      verifyInclusion(sha256, { leafHash, index, size, root }, proof)
    }
    for (const oldSize of sizes.filter((s) => s <= size)) {
      const proof = await proveConsistency(sha256, read, oldSize, size)
      const claim = { oldSize, oldRoot: log.roots.get(oldSize)!, newSize: size, newRoot: root }
      verifyConsistency(sha256, claim, proof)
    }
  }
})

test('an inclusion proof in a large log reads few tiles', async () => {
  const log = createMemoryLog()
  appendToLog(log, makeEntries(0, 70_000))
  const read = createNodeReader({ size: 70_000, fetch: log.fetch, sha256 })
  await proveInclusion(sha256, read, 12_345, 70_000)
  assert.ok(log.requests.length <= 6, log.requests.join(' '))
})

test('a partial tile that was removed is read out of the full one', async () => {
  const log = createMemoryLog()
  appendToLog(log, makeEntries(0, 100))
  appendToLog(log, makeEntries(100, 300))
  for (const path of log.files.keys()) if (path.endsWith('.p/100')) log.files.delete(path)
  const source = { size: 100, root: log.roots.get(100)!, fetch: log.fetch, sha256 }
  const read = await Array.fromAsync(readEntries(source, 0))
  assert.equal(read.length, 100)
  assert.equal((await readLogEdge(source)).size, 100)
})

test('appending goes on from the stored tiles', async () => {
  const log = createMemoryLog()
  const root = appendToLog(log, makeEntries(0, 70_000))
  const edge = await readLogEdge({ size: 70_000, root, fetch: log.fetch, sha256 })
  const more = makeEntries(70_000, 70_500).map((e) => hashLeaf(sha256, e))
  const expected = appendLeaves(sha256, log.edge, more)
  assert.ok(equalBytes(appendLeaves(sha256, edge, more).root, expected.root))
})

test('T10 hostile database: changed tiles do not become the edge of the log', async () => {
  const log = createMemoryLog()
  const root = appendToLog(log, makeEntries(0, 600))
  const path = 'tile/0/002.p/88'
  const tile = log.files.get(path)!.slice()
  tile[5]! ^= 1
  log.files.set(path, tile)
  const source = { size: 600, root, fetch: log.fetch, sha256 }
  await assert.rejects(readLogEdge(source), code('tile_mismatch'))
  log.files.set(path, tile.slice(1))
  await assert.rejects(readLogEdge(source), code('tile_malformed'))
  log.files.delete(path)
  await assert.rejects(readLogEdge(source), code('tile_missing'))
})

test('entry bundles go there and back, and only whole ones are read', () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 50 }), { minLength: 1, maxLength: tileWidth }),
      fc.nat(),
      (entries, pick) => {
        const bundle = encodeEntryBundle(entries)
        const parsed = parseEntryBundle(bundle, entries.length)
        assert.ok(parsed.every((bytes, i) => equalBytes(bytes, entries[i]!)))
        const cut = bundle.slice(0, pick % bundle.length)
        assert.throws(() => parseEntryBundle(cut, entries.length), code('tile_malformed'))
        const longer = new Uint8Array([...bundle, 0])
        assert.throws(() => parseEntryBundle(longer, entries.length), code('tile_malformed'))
      },
    ),
  )
  const tooLong = new Uint8Array(65_536)
  assert.throws(() => encodeEntryBundle([tooLong]), code('tile_malformed'))
  assert.equal(parseEntryBundle(encodeEntryBundle([tooLong.slice(1)]), 1)[0]!.length, 65_535)
  assert.throws(() => encodeEntryBundle([]), code('tile_malformed'))
})

test('any bytes are a bundle or are refused by code', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.integer({ min: 1, max: 256 }), (bytes, w) => {
      try {
        parseEntryBundle(bytes, w)
      } catch (error) {
        assert.ok(code('tile_malformed')(error as Error))
      }
    }),
    { numRuns: 2000 },
  )
})
