import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { TestContext } from 'node:test'
import { test } from 'node:test'
import { createTrustState, readClientState } from '@seaworthy/trust/tuf'
import { createNoteKey, formatNoteKey } from '@seaworthy/trust/tlog'
import { createRepositorySimulator } from '@seaworthy/trust/testing'
import type { Context } from '../context.ts'
import { CliError, describeFailure } from '../failure.ts'
import { ensureHolderKey } from '../keys/holder-key.ts'
import { rememberCopy, requireOwnCopies } from '../keys/own-copies.ts'
import { changeRecord, readRecord, readReplaceable, setRecordAside } from '../readers/file.ts'
import { withFleet } from '../readers/record.ts'
import { testPorts } from '../testing/ports.ts'
import { builtAt, readAnchor } from '../trust/anchor.ts'
import { trustStore, usingTrustState } from '../trust/state-store.ts'
import { compareLog } from './audit-log.ts'
import { withFileLock } from './file-lock.ts'
import type { KeptName } from './kept-files.ts'
import { keptFile, keptFiles, readKept, requireKeepable } from './kept-files.ts'
import { changeConfig, readConfig, withRoot, withServer } from './servers.ts'
import { hearServerPins, readServerPins } from './server-pins.ts'
import { readSignedDocuments, rememberSigned } from './signed-documents.ts'
import { readToken, storeToken } from './token.ts'

const ports = testPorts()
// What is called here uses nothing else of it.
const context = { ports } as unknown as Context
const root = 'a'.repeat(64)
const pin = `sha256:${'A'.repeat(43)}`
const logVerifierKey = formatNoteKey(
  await createNoteKey('log.example', 'ed25519', new Uint8Array(32).fill(1)),
)
const place = (folder: string) => ({
  folder,
  server: { url: 'https://x', logVerifierKey, rootDigest: root },
})

/** How each file is read by whoever needs it. */
const readers: Readonly<Record<KeptName, (folder: string) => Promise<unknown>>> = {
  'config.json': readConfig,
  'signed.json': readSignedDocuments,
  token: (folder) => readToken(folder, 'x'),
  pins: (folder) => readServerPins(folder, pin),
  checkpoint: (folder) =>
    compareLog({
      ...ports,
      url: 'https://x',
      verifierKey: logVerifierKey,
      folder,
      token: 'x',
      transport: () => Promise.reject(new Error('not before the memory is read')),
    }),
  'checkpoint.contradicting': (folder) => readKept(keptFile(folder, 'checkpoint.contradicting')),
  'readers.json': (folder) => readRecord(place(folder)),
  'own-copies.json': (folder) => requireOwnCopies({ folder }, 'f', []),
  'secrets.key': (folder) => ensureHolderKey(context, { folder }),
  'trust/anchor.json': (folder) => readAnchor(place(folder)),
  'trust/state-a': (folder) => readTrustState(folder),
  'trust/state-b': (folder) => readTrustState(folder),
}

function readTrustState(folder: string) {
  return usingTrustState(folder, () => readClientState(trustStore(folder, context)))
}

/** What may lie in place of a file. */
const damages: Readonly<Record<string, (path: string, bytesMax: number) => void>> = {
  'an empty file': (path) => writeFileSync(path, ''),
  garbage: (path) => writeFileSync(path, '{"format": 7, garbage'),
  'bytes that are not UTF-8': (path) => writeFileSync(path, Buffer.from([0xff, 0xfe, 0xc0, 0x0a])),
  'a folder': (path) => mkdirSync(path),
  'a link that leads nowhere': (path) => symlinkSync(`${path}-elsewhere`, path),
  'a link to itself': (path) => symlinkSync(path, path),
  'a link to a folder': (path) => symlinkSync(dirname(path), path),
  'more bytes than it may have': (path, bytesMax) => {
    writeFileSync(path, '')
    truncateSync(path, bytesMax + 1)
  },
  'a pipe': (path) => void execFileSync('mkfifo', [path]),
  'a device': (path) => symlinkSync('/dev/zero', path),
}

/** Content that is none of this program's is refused by whoever parses it, where anybody does. */
function isHarmless(name: KeptName, damage: string): boolean {
  const isContent = damage === 'an empty file' || damage === 'garbage'
  if (name === 'checkpoint.contradicting') return isContent || damage.startsWith('bytes')
  // What says nothing about the pin that was configured leaves that one alone, which is safe.
  return name === 'pins' && isContent
}

function makeFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'seaworthy-kept-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  mkdirSync(join(folder, 'trust'))
  return folder
}

async function assertNamed(reading: Promise<unknown>, path: string, what: string): Promise<void> {
  await assert.rejects(reading, (error) => {
    const { why, wayOut } = describeFailure(error)
    assert.ok(why.includes(path), `${what}: ${why}`)
    assert.ok(wayOut !== undefined && wayOut.length > 20, `${what}: ${why}`)
    return true
  })
}

for (const name of Object.keys(keptFiles) as KeptName[]) {
  test(`V8 fault: whatever lies in place of ${name}, the command names it with a way out, and takes it for no fresh start`, async (t) => {
    const all: typeof damages = {
      ...damages,
      ...(process.getuid?.() === 0
        ? {}
        : {
            'what may not be read': (path: string) => {
              writeFileSync(path, 'x')
              chmodSync(path, 0)
            },
          }),
    }
    for (const [damage, put] of Object.entries(all)) {
      const folder = makeFolder(t)
      const { path, bytesMax } = keptFile(folder, name)
      put(path, bytesMax)
      if (isHarmless(name, damage)) await readers[name](folder)
      else await assertNamed(readers[name](folder), path.replace(/-b$/, '-a'), damage)
    }
  })
}

test(
  'V8 fault: a file of another account is whole, and nobody is told to move it away',
  { skip: process.getuid?.() !== 0 },
  async (t) => {
    const folder = makeFolder(t)
    const { path } = keptFile(folder, 'config.json')
    writeFileSync(path, '{}', { mode: 0o600 })
    chmodSync(folder, 0o755)
    process.seteuid!(65_534)
    t.after(() => process.seteuid!(0))
    await assert.rejects(readers['config.json'](folder), (error) => {
      const { why, wayOut, exitCode } = describeFailure(error)
      assert.equal(exitCode, 4)
      assert.ok(why.includes(`${path} cannot be read: permission denied`), why)
      assert.match(wayOut!, /another account/)
      return true
    })
    process.seteuid!(0)
  },
)

test('V8 fault: a file that was cut anywhere is damaged, and one behind a link is read', async (t) => {
  const folder = makeFolder(t)
  const server = { url: 'https://x', logVerifierKey }
  await changeConfig(ports, folder, () => ({ current: 'x', servers: { x: server } }))
  const document = { roots: [root], role: 'root', version: 1, sha256: root }
  await rememberSigned(ports, folder, [document], () => {})
  const fleet = { fleet: 'f', product: 'p', channel: 'c' }
  await changeRecord(context, place(folder), (record) => withFleet(record, fleet))
  await rememberCopy(context, { folder }, 'f', { name: 's', holderCopy: 'AAAA' })
  for (const name of [
    'config.json',
    'signed.json',
    'readers.json',
    'own-copies.json',
  ] satisfies KeptName[]) {
    const { path } = keptFile(folder, name)
    const whole = readFileSync(path)
    // The last byte ends the line.
    for (let length = 0; length < whole.length - 1; length += 1 + (length % 7)) {
      writeFileSync(path, whole.subarray(0, length))
      await assertNamed(readers[name](folder), path, `${length} of ${whole.length} bytes`)
    }
    writeFileSync(`${path}-elsewhere`, whole)
    rmSync(path)
    symlinkSync(`${path}-elsewhere`, path)
    await readers[name](folder)
  }
})

test('V8 fault: what lies in place of a lock is named before anything is done, and never removed', async (t) => {
  const folder = makeFolder(t)
  const file = keptFile(folder, 'readers.json')
  const lock = `${file.path}.lock`
  for (const put of [damages['garbage']!, damages['a folder']!, damages['a link to itself']!]) {
    put(lock, 0)
    await assertNamed(requireKeepable(ports, file), lock, 'a lock')
    await assertNamed(
      withFileLock(ports, file.path, () => Promise.resolve()),
      lock,
      'a lock',
    )
    rmSync(lock, { recursive: true })
  }
  await requireKeepable(ports, file)
})

test('V8 fault: what cannot be stored is known before a server does what would have to be remembered', async (t) => {
  const folder = makeFolder(t)
  mkdirSync(join(folder, 'token'))
  await assertNamed(requireKeepable(ports, keptFile(folder, 'token')), join(folder, 'token'), '')
  await assertNamed(storeToken(folder, 'sw_x', ports), join(folder, 'token'), 'a folder')
  const gone = keptFile(join(folder, 'gone'), 'token')
  await assert.rejects(requireKeepable(ports, gone), CliError)
  rmSync(join(folder, 'token'), { recursive: true })
  await requireKeepable(ports, keptFile(folder, 'token'))
  assert.ok(!existsSync(join(folder, 'token')), 'nothing is left behind')
})

test('V8 fault: a damaged record of readers is kept when another one takes its place', async (t) => {
  const folder = makeFolder(t)
  const { path } = keptFile(folder, 'readers.json')
  const fleet = { fleet: 'f', product: 'p', channel: 'c' }
  const change = () => changeRecord(context, place(folder), (record) => withFleet(record, fleet))
  for (const put of [damages['garbage']!, damages['a folder']!]) {
    put(path, 0)
    await assert.rejects(change())
    const { record, isDamaged } = await readReplaceable(place(folder))
    assert.deepEqual([record.fleets.size, isDamaged], [0, true])
    const aside = await setRecordAside(context, place(folder))
    assert.ok(existsSync(aside))
    await change()
    assert.equal((await readRecord(place(folder))).fleets.size, 1)
    rmSync(path)
  }
})

test('V8 fault: of two commands that change the configuration at once neither undoes the other, nor pairs one name twice', async (t) => {
  const folder = makeFolder(t)
  const server = { url: 'https://x', logVerifierKey }
  const pair = (name: string) =>
    changeConfig(ports, folder, async (config) => {
      await ports.sleep(1)
      return withServer(config, name, server)
    })
  await Promise.all(['a', 'b', 'c', 'd'].map(pair))
  const read = await readConfig(folder)
  assert.deepEqual(Object.keys(read.servers).toSorted(), ['a', 'b', 'c', 'd'])
  const anchored = withRoot(read, 'a', { logVerifierKey, rootDigest: root })
  assert.equal(anchored.servers['a']!.rootDigest, root)
  assert.equal(
    withServer(anchored, 'a', server).servers['a']!.rootDigest,
    root,
    'none is forgotten',
  )
  const other = { rootDigest: 'b'.repeat(64), logVerifierKey }
  assert.throws(() => withRoot(anchored, 'a', other), /otherwise meanwhile/)
  assert.throws(() => withServer(read, 'a', { ...server, logVerifierKey: 'y' }), /meanwhile/)
  assert.throws(() => withRoot(read, 'z', other), /removed z meanwhile/)
})

test('V8 fault: commands that need the key of this machine for the first time at once get one key', async (t) => {
  const folder = makeFolder(t)
  const keys = await Promise.all([1, 2, 3, 4].map(() => ensureHolderKey(context, { folder })))
  for (const { publicKey } of keys) assert.deepEqual(publicKey, keys[0]!.publicKey)
})

test('A6 fault: of two commands that hear two pins at once neither forgets the other’s', async (t) => {
  const folder = makeFolder(t)
  const next = ['B', 'C'].map((letter) => `sha256:${letter.repeat(43)}`)
  await Promise.all(
    next.map((one) => hearServerPins(folder, pin, { under: pin, next: one }, ports)),
  )
  assert.deepEqual((await readServerPins(folder, pin)).toSorted(), [pin, ...next])
})

test('T7 fault: of two commands that verify at once, the one that was overtaken begins again and takes nothing back', async (t) => {
  const folder = makeFolder(t)
  const { anchor } = await createRepositorySimulator(builtAt)
  await createTrustState(
    { anchor, profile: 'strict', notBefore: builtAt },
    trustStore(folder, context),
  )
  const seen: (string | undefined)[] = []
  /** Reads both files, lets another command write one, and writes the same. */
  const verify = async (meanwhile: string | undefined) => {
    const store = trustStore(folder, context)
    await store.read('a')
    const other = await store.read('b')
    seen.push(other && Buffer.from(other).toString())
    if (meanwhile !== undefined) {
      await trustStore(folder, context).write('b', Buffer.from(meanwhile))
    }
    await store.write('b', Buffer.from('mine'))
  }
  const others = ['newer', 'newest']
  await usingTrustState(folder, () => verify(others.shift()))
  assert.deepEqual(seen, [undefined, 'newer', 'newest'])
  let count = 0
  await assert.rejects(
    usingTrustState(folder, () => verify(`another ${count++}`)),
    /other commands keep changing/,
  )
})

test('T7 fault: one of the two files of the trust state is enough, whatever lies in place of the other', async (t) => {
  const folder = makeFolder(t)
  const { anchor } = await createRepositorySimulator(builtAt)
  await createTrustState(
    { anchor, profile: 'strict', notBefore: builtAt },
    trustStore(folder, context),
  )
  for (const damage of ['a folder', 'a link that leads nowhere', 'garbage']) {
    const other = existsSync(join(folder, 'trust/state-a')) ? 'trust/state-b' : 'trust/state-a'
    const { path } = keptFile(folder, other)
    damages[damage]!(path, 0)
    assert.equal((await readTrustState(folder)).state.roots.length, 1, damage)
    renameSync(path, `${path}.old-${damage.length}`)
  }
})
