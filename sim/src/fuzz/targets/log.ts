/** Parsers of `trust/tlog`: keys, notes, checkpoints, tiles, entry bundles, proofs. */
import { createHash } from 'node:crypto'
import { concatBytes, equalBytes, joinBytes, utf8Decode, utf8Encode } from '@seaworthy/std/bytes'
import type { NoteKeyType, NoteSigner, ReadNodes } from '@seaworthy/trust/tlog'
import {
  appendLeaves,
  createNodeReader,
  createNoteKey,
  emptyLogEdge,
  encodeEntryBundle,
  formatCosignature,
  formatNoteKey,
  formatTilePath,
  formatTreeHead,
  hashLeaf,
  parseEntryBundle,
  parseNoteKey,
  parseTile,
  parseTilePath,
  parseTreeHead,
  proveConsistency,
  proveInclusion,
  readEntries,
  signCheckpoint,
  verifyCheckpoint,
  verifyConsistency,
  verifyInclusion,
  verifyLog,
} from '@seaworthy/trust/tlog'
import type { FuzzTarget } from '../target.ts'
import { holds } from '../target.ts'

const sha256 = (bytes: Uint8Array) => new Uint8Array(createHash('sha256').update(bytes).digest())

async function createSigner(name: string, type: NoteKeyType): Promise<NoteSigner> {
  const pair = await crypto.subtle.generateKey('Ed25519', true, ['sign', 'verify'])
  if (!('privateKey' in pair)) throw new Error('Ed25519 keys come in pairs')
  const raw = new Uint8Array(await crypto.subtle.exportKey('raw', pair.publicKey))
  return {
    key: await createNoteKey(name, type, raw),
    sign: async (message) =>
      new Uint8Array(await crypto.subtle.sign('Ed25519', pair.privateKey, new Uint8Array(message))),
  }
}

const entriesCount = 300
const oldCount = 259

export async function createLogTargets(): Promise<FuzzTarget[]> {
  const signer = await createSigner('ship.example/log', 'ed25519')
  const witness = await createSigner('witness.example', 'cosignature')
  const entries = Array.from({ length: entriesCount }, (_, i) => utf8Encode(`entry ${i}`))
  const files = new Map<string, Uint8Array>()
  const leaves = entries.map((entry) => hashLeaf(sha256, entry))
  const old = appendLeaves(sha256, emptyLogEdge, leaves.slice(0, oldCount))
  const grown = appendLeaves(sha256, old.edge, leaves.slice(oldCount))
  for (const tile of [...old.tiles, ...grown.tiles]) files.set(tile.path, tile.bytes)
  const bundles = [entries.slice(0, 256), entries.slice(256)].map(encodeEntryBundle)
  const bundlePath = formatTilePath({ level: 'entries', index: 1, width: entriesCount - 256 })
  files.set(formatTilePath({ level: 'entries', index: 0, width: 256 }), bundles[0]!)
  files.set(bundlePath, bundles[1]!)

  const origin = signer.key.name
  const head = { origin, size: entriesCount, root: grown.root }
  const text = formatTreeHead(head)
  const note = await signCheckpoint(head, [signer])
  const cosigned = note + (await formatCosignature(text, witness, new Date(1_770_000_000_000)))
  const policy = { origin, logKeys: [signer.key], witnesses: [witness.key], witnessesMin: 0 }
  const fetch = async (path: string) => files.get(path)
  const read: ReadNodes = createNodeReader({ size: entriesCount, fetch, sha256 })
  const inclusion = await proveInclusion(sha256, read, 257, entriesCount)
  const consistency = await proveConsistency(sha256, read, oldCount, entriesCount)
  const remembered = { origin, size: oldCount, root: old.root }
  const hashTilePath = formatTilePath({ level: 0, index: 1, width: entriesCount - 256 })
  const hashesOf = (bytes: Uint8Array) =>
    Array.from({ length: Math.ceil(bytes.length / 32) }, (_, i) => bytes.slice(32 * i, 32 * i + 32))
  /** Two numbers in front of the hashes, so that sizes and positions get faults, too. */
  const readProof = (bytes: Uint8Array): { a: number; b: number; hashes: Uint8Array[] } => {
    const view = new DataView(concatBytes(bytes, new Uint8Array(16)).buffer)
    return { a: view.getFloat64(0), b: view.getFloat64(8), hashes: hashesOf(bytes.slice(16)) }
  }
  const writeProof = (a: number, b: number, hashes: readonly Uint8Array[]) => {
    const numbers = new DataView(new ArrayBuffer(16))
    numbers.setFloat64(0, a)
    numbers.setFloat64(8, b)
    return joinBytes([new Uint8Array(numbers.buffer), ...hashes])
  }
  return [
    {
      name: 'log/note-key',
      form: 'bytes',
      seeds: [formatNoteKey(signer.key), formatNoteKey(witness.key)].map(utf8Encode),
      weight: 2,
      run: async (bytes) => {
        const written = Buffer.from(bytes).toString('latin1')
        const key = await parseNoteKey(written)
        holds(formatNoteKey(key) === written, 'one form')
      },
    },
    {
      name: 'log/checkpoint',
      form: 'bytes',
      seeds: [utf8Encode(note), utf8Encode(cosigned)],
      weight: 4,
      run: async (bytes) => {
        const checkpoint = await verifyCheckpoint(bytes, policy)
        holds(formatTreeHead(checkpoint) === text, 'what was signed is what was read')
      },
    },
    {
      name: 'log/tree-head',
      form: 'bytes',
      seeds: [utf8Encode(text), utf8Encode(`${text}extension\n`)],
      weight: 3,
      run: (bytes) => {
        const written = Buffer.from(bytes).toString('latin1')
        const parsed = parseTreeHead(written)
        // A carriage return cannot come out of a note, which is where tree heads come from.
        if (!written.includes('\r')) holds(written.startsWith(formatTreeHead(parsed)), 'one form')
      },
    },
    {
      name: 'log/tile-path',
      form: 'bytes',
      seeds: ['tile/0/000', 'tile/entries/x001/x234/067.p/3'].map(utf8Encode),
      weight: 3,
      run: (bytes) => {
        const written = Buffer.from(bytes).toString('latin1')
        const tile = parseTilePath(written)
        holds(tile === undefined || formatTilePath(tile) === written, 'one spelling')
      },
    },
    {
      name: 'log/tile',
      form: 'bytes',
      seeds: [files.get(hashTilePath)!],
      weight: 1,
      run: (bytes) => {
        parseTile(bytes, entriesCount - 256)
        const served = async (path: string) => (path === hashTilePath ? bytes : files.get(path))
        return verifyLog({ remembered, current: head, fetch: served, sha256 })
      },
    },
    {
      name: 'log/entry-bundle',
      form: 'bytes',
      seeds: [bundles[1]!],
      weight: 2,
      run: async (bytes) => {
        const parsed = parseEntryBundle(bytes, entriesCount - 256)
        holds(equalBytes(encodeEntryBundle(parsed), bytes), 'one form')
        const served = async (path: string) => (path === bundlePath ? bytes : files.get(path))
        const source = { ...head, fetch: served, sha256 }
        for await (const entry of readEntries(source, 256)) {
          holds(utf8Decode(entry.bytes) === `entry ${entry.index}`, 'only what was logged')
        }
      },
    },
    {
      name: 'log/inclusion-proof',
      form: 'bytes',
      seeds: [writeProof(257, entriesCount, inclusion)],
      weight: 2,
      run: (bytes) => {
        const { a: index, b: size, hashes } = readProof(bytes)
        const claim = { leafHash: leaves[257]!, index, size, root: grown.root }
        verifyInclusion(sha256, claim, hashes)
        holds(index === 257 || size !== entriesCount, 'proved where it is')
      },
    },
    {
      name: 'log/consistency-proof',
      form: 'bytes',
      seeds: [writeProof(oldCount, entriesCount, consistency)],
      weight: 2,
      run: (bytes) => {
        const { a: oldSize, b: newSize, hashes } = readProof(bytes)
        const claim = { oldSize, oldRoot: old.root, newSize, newRoot: grown.root }
        verifyConsistency(sha256, claim, hashes)
        holds(oldSize === oldCount || newSize !== entriesCount, 'proved for these sizes')
      },
    },
  ]
}
