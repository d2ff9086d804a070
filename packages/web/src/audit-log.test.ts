import assert from 'node:assert/strict'
import { test } from 'node:test'
import { base64Encode, utf8Encode } from '@seaworthy/std/bytes'
import type { NoteSigner } from '@seaworthy/trust/tlog'
import {
  appendLeaves,
  createNoteKey,
  emptyLogEdge,
  encodeEntryBundle,
  formatNoteKey,
  formatTilePath,
  hashLeaf,
  signCheckpoint,
  tileAt,
  tileWidth,
} from '@seaworthy/trust/tlog'
import type { CheckedLog } from './audit-log.ts'
import { isFound, newestBundle, readEntry, readLog } from './audit-log.ts'
import type { LogFiles } from './log-files.ts'
import { LogReadError } from './log-files.ts'
import { sha256 } from './sha256.ts'

const entry = (subject: string) =>
  utf8Encode(
    JSON.stringify({
      ...{ format: 'seaworthy-audit-v1', at: '2030-01-10T12:00:00Z', actor: 'token_1' },
      ...{ action: 'device.remove', subject, outcome: 'done', detail: {} },
    }),
  )
const numbered = (count: number) => Array.from({ length: count }, (_, i) => `device_${i}`)
const { signal } = new AbortController()

async function createSigner(): Promise<NoteSigner> {
  const made = await crypto.subtle.generateKey('Ed25519', true, ['sign', 'verify'])
  assert.ok('privateKey' in made)
  const raw = new Uint8Array(await crypto.subtle.exportKey('raw', made.publicKey))
  return {
    key: await createNoteKey('ship.example', 'ed25519', raw),
    sign: async (message) =>
      new Uint8Array(await crypto.subtle.sign('Ed25519', made.privateKey, new Uint8Array(message))),
  }
}

/** A log as its server would serve it; `shown` are the entries in its bundles. */
async function serve(signer: NoteSigner, subjects: readonly string[], shown = subjects) {
  const entries = subjects.map(entry)
  const { tiles, root } = appendLeaves(
    sha256,
    emptyLogEdge,
    entries.map((bytes) => hashLeaf(sha256, bytes)),
  )
  const files = new Map(tiles.map(({ path, bytes }) => [path, bytes]))
  for (let index = 0; index * tileWidth < shown.length; index++) {
    const tile = tileAt('entries', index, shown.length)!
    const first = index * tileWidth
    const bundle = shown.slice(first, first + tile.width).map(entry)
    files.set(formatTilePath(tile), encodeEntryBundle(bundle))
  }
  const head = { origin: 'ship.example', size: subjects.length, root }
  files.set('checkpoint', utf8Encode(await signCheckpoint(head, [signer])))
  return files
}

/** One browser, to which whatever is served is shown in turn. */
function createVisitor(signer: NoteSigner) {
  let kept: string | undefined
  return {
    kept: () => kept,
    visit: (served: ReadonlyMap<string, Uint8Array>, bundle?: number): Promise<CheckedLog> => {
      const files: LogFiles = {
        read: (path) => Promise.resolve(served.get(path)),
        memory: { read: () => kept, write: (text) => (kept = text) },
      }
      return readLog(files, { verifierKey: formatNoteKey(signer.key), bundle }, signal)
    },
  }
}

async function genuine(checked: Promise<CheckedLog>) {
  const found = await checked
  assert.equal(found.kind, 'genuine', JSON.stringify(found))
  return found.kind === 'genuine' ? found.part : assert.fail()
}

async function brokenBy(checked: Promise<CheckedLog>): Promise<string> {
  const found = await checked
  return found.kind === 'broken' ? found.broken.code : assert.fail('nothing was found')
}

test('A5 entries come from the bundle of their index, the newest first, and the next visit continues this one', async () => {
  const signer = await createSigner()
  const { visit } = createVisitor(signer)
  const served = await serve(signer, numbered(258))
  const first = await genuine(visit(served))
  assert.deepEqual(
    first.entries.map(({ index, subject }) => [index, subject]),
    [
      [257, 'device_257'],
      [256, 'device_256'],
    ],
  )
  assert.deepEqual([first.size, first.newest, first.rememberedSize], [258, 1, undefined])
  const older = await genuine(visit(served, 0))
  assert.deepEqual([older.bundle, older.entries.length, older.rememberedSize], [0, 256, 258])
  const later = await genuine(visit(await serve(signer, numbered(600))))
  assert.deepEqual([later.size, later.rememberedSize, later.entries.length], [600, 258, 88])
  const empty = createVisitor(signer)
  assert.equal((await genuine(empty.visit(await serve(signer, [])))).size, 0)
  assert.deepEqual([0, 1, 256, 257].map(newestBundle), [0, 0, 0, 1])
})

test('A5 attack: a server rewrites an entry, in its bundle or in the whole log, cuts the log, or takes another key: the browser says so, and keeps what it remembered', async () => {
  const signer = await createSigner()
  const { visit, kept } = createVisitor(signer)
  const subjects = numbered(300)
  const rewritten = subjects.with(290, 'device_elsewhere')
  assert.equal(await brokenBy(visit(await serve(signer, subjects, rewritten))), 'entry_mismatch')
  assert.equal(kept(), undefined)
  await genuine(visit(await serve(signer, subjects)))
  const before = kept()
  const longer = [...rewritten, 'device_more']
  assert.equal(await brokenBy(visit(await serve(signer, rewritten))), 'log_forked')
  assert.equal(await brokenBy(visit(await serve(signer, longer))), 'log_forked')
  assert.equal(await brokenBy(visit(await serve(signer, numbered(299)))), 'log_truncated')
  const other = await createSigner()
  assert.equal(await brokenBy(visit(await serve(other, subjects))), 'checkpoint_signature')
  assert.equal(kept(), before)
  const found = await visit(await serve(signer, longer))
  const evidence = found.kind === 'broken' ? found.broken.evidence : ''
  assert.ok(
    before !== undefined && evidence.includes((JSON.parse(before) as { note: string }).note),
  )
  await genuine(visit(await serve(signer, [...subjects, 'device_more'])))
})

test('what is no log is said to be none, and a damaged memory is the first visit again', async () => {
  const signer = await createSigner()
  await assert.rejects(createVisitor(signer).visit(new Map()), LogReadError)
  const served = await serve(signer, numbered(2))
  for (const text of ['no JSON', '{}', '[]']) {
    let kept: string | undefined = text
    const files: LogFiles = {
      read: (path) => Promise.resolve(served.get(path)),
      memory: { read: () => kept, write: (next) => (kept = next) },
    }
    const wanted = { verifierKey: formatNoteKey(signer.key), bundle: undefined }
    assert.equal((await genuine(readLog(files, wanted, signal))).rememberedSize, undefined)
    assert.ok(kept.includes(base64Encode(served.get('checkpoint')!)))
  }
})

test('attack: an entry that turns or hides the text around it is written out, and no other form is shown', () => {
  const { subject } = readEntry(entry('gate \u202egpj.exe'), 0)
  assert.equal(subject, String.raw`gate \u{202e}gpj.exe`)
  assert.throws(() => readEntry(utf8Encode('{"action":1}'), 7), LogReadError)
  const found = readEntry(entry('device_2'), 0)
  assert.ok(isFound(found, ' DEVICE.remove '))
  assert.ok(!isFound(found, 'device_1'))
})
