import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import {
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { randomBelow, seededRandom, systemRandom } from '@seaworthy/std/random'
import { hourMs, ManualClock, systemClock, systemSleep } from '@seaworthy/std/time'
import { putBytes, storeContent } from '../content.ts'
import type { Digest } from '../digests.ts'
import { digestOf, parseDigest } from '../digests.ts'
import { emptyBytes, emptyDescriptor, encodeManifest, mediaTypes } from '../manifests.ts'
import { collectGarbage, requireClosure } from './garbage.ts'
import { openDiskStore } from './disk.ts'
import { testRegistryStore } from './store.suite.ts'

const contentPath = (root: string, digest: Digest) => {
  const [algorithm, hex] = digest.split(':') as [string, string]
  return join(root, 'content', algorithm, hex.slice(0, 2), hex)
}

testRegistryStore('disk', async () => {
  const root = await mkdtemp(join(tmpdir(), 'seaworthy-store-'))
  const clock = new ManualClock(new Date('2026-01-01T00:00:00Z'))
  const open = () => openDiskStore(root, { clock, random: systemRandom })
  return {
    store: await open(),
    clock,
    reopen: open,
    damage: async (digest) => {
      const bytes = await readFile(contentPath(root, digest))
      bytes[0]! ^= 1
      await writeFile(contentPath(root, digest), bytes)
    },
    close: () => rm(root, { recursive: true }),
  }
})

describe('disk: damage', () => {
  it('A9 fault: content, tags and uploads are the server’s alone, whatever the umask of its account', async () => {
    const root = await mkdtemp(join(tmpdir(), 'seaworthy-modes-'))
    const umask = process.umask(0)
    try {
      const clock = new ManualClock(new Date('2026-01-01T00:00:00Z'))
      const store = await openDiskStore(root, { clock, random: systemRandom })
      await putBytes(storeContent(store, 'product'), emptyBytes, mediaTypes.empty)
      const { bytes } = encodeManifest({
        kind: 'manifest',
        mediaType: mediaTypes.manifest,
        artifactType: 'a/b',
        config: emptyDescriptor,
        layers: [],
      })
      await store.putManifest('product', { bytes, tag: 'one' })
      const entries = await readdir(root, { recursive: true, withFileTypes: true })
      const files = entries.filter((entry) => entry.isFile())
      assert.ok(files.length >= 3)
      for (const { parentPath, name } of files) {
        const path = join(parentPath, name)
        assert.equal((await stat(path)).mode & 0o077, 0, path)
      }
    } finally {
      process.umask(umask)
      await rm(root, { recursive: true })
    }
  })

  it('O1 fault: whatever lies in place of a tag ends the collection by name, and setting or deleting the tag mends it', async () => {
    const root = await mkdtemp(join(tmpdir(), 'seaworthy-tags-'))
    try {
      const clock = new ManualClock(new Date('2026-01-01T00:00:00Z'))
      const store = await openDiskStore(root, { clock, random: systemRandom })
      const content = storeContent(store, 'product')
      await putBytes(content, emptyBytes, mediaTypes.empty)
      const { bytes, descriptor } = encodeManifest({
        kind: 'manifest',
        mediaType: mediaTypes.manifest,
        artifactType: 'a/b',
        config: emptyDescriptor,
        layers: [],
      })
      const push = () => store.putManifest('product', { bytes, tag: 'one' })
      await push()
      const collect = () => collectGarbage(store, { roots: async () => [], clock, graceMs: hourMs })
      const path = join(root, 'repositories/product/_tags/one')
      for (const put of [
        () => writeFile(path, ''),
        () => writeFile(path, Uint8Array.of(0xff, 0xfe)),
        () => writeFile(path, descriptor.digest.padEnd(5000)),
        () => mkdir(path),
        () => symlink('elsewhere', path),
        () => symlink(path, path),
        async () => void execFileSync('mkfifo', [path]),
      ]) {
        clock.advance(48 * hourMs)
        await rm(path, { recursive: true, force: true })
        await put()
        await assert.rejects(collect(), /the tag one of product cannot be read/)
        await push()
        await collect()
        await rm(path)
        await put()
        assert.ok(await store.deleteTag('product', 'one'))
        assert.deepEqual(await store.listTags('product'), [])
        await push()
      }
      // A list that cannot be read is not an empty one.
      const list = dirname(path)
      for (const put of [() => writeFile(list, ''), () => symlink('elsewhere', list)]) {
        clock.advance(48 * hourMs)
        await rename(list, `${list}-aside`)
        await put()
        await assert.rejects(collect())
        await rm(list)
        await rename(`${list}-aside`, list)
        await collect()
      }
      assert.ok(await store.peekManifest('product', descriptor.digest))
    } finally {
      await rm(root, { recursive: true })
    }
  })
})

describe('disk: kill -9', () => {
  it('O1 leaves a store that opens, with every acknowledged release whole', async () => {
    const root = await mkdtemp(join(tmpdir(), 'seaworthy-kill-'))
    const random = seededRandom(11)
    const acknowledged = new Set<Digest>()
    try {
      for (let round = 0; round < 8; round++) {
        const child = spawn(
          process.execPath,
          [fileURLToPath(new URL('writer.fixture.ts', import.meta.url)), root, String(round)],
          { stdio: ['ignore', 'pipe', 'inherit'] },
        )
        let text = ''
        child.stdout.setEncoding('utf8').on('data', (part: string) => (text += part))
        const ended = new Promise((resolve) => child.once('close', resolve))
        // Each round has at least one acknowledged push, then death at any moment.
        while (text.split('\n').length < 3) {
          assert.equal(child.exitCode, null, 'the writer ended by itself')
          await systemSleep(5)
        }
        await systemSleep(20 + randomBelow(random, 120))
        child.kill('SIGKILL')
        await ended
        for (const line of text.split('\n').slice(0, -1)) {
          if (line !== 'ready') acknowledged.add(parseDigest(line))
        }
        const store = await openDiskStore(root, { clock: systemClock, random: systemRandom })
        for (const digest of acknowledged) await requireClosure(store, 'product', digest)
        for (const tag of await store.listTags('product')) {
          const digest = await store.resolveTag('product', tag)
          assert.ok(digest, `tag ${tag} is whole`)
          await requireClosure(store, 'product', digest)
        }
        assert.deepEqual(await store.scrub(), [])
      }
      assert.ok(acknowledged.size >= 8, `only ${acknowledged.size} pushes were acknowledged`)
      const clock = new ManualClock(new Date(Date.now() + 10 * hourMs))
      const store = await openDiskStore(root, { clock, random: systemRandom })
      const roots = [...acknowledged]
      await collectGarbage(store, { roots: async () => roots, clock, graceMs: hourMs })
      for (const digest of acknowledged) await requireClosure(store, 'product', digest)
    } finally {
      await rm(root, { recursive: true })
    }
  })

  it('a sweep killed between setting aside and removing has lost nothing that is in use', async () => {
    const root = await mkdtemp(join(tmpdir(), 'seaworthy-aside-'))
    try {
      const store = await openDiskStore(root, { clock: systemClock, random: systemRandom })
      const bytes = new TextEncoder().encode('wanted')
      const digest = digestOf(bytes)
      const uploadId = await store.createUpload('product')
      const source = (async function* () {
        yield bytes
      })()
      await store.appendUpload('product', uploadId, { offset: 0, source, sizeMax: 10 })
      await store.commitUpload('product', uploadId, digest)
      const path = contentPath(root, digest)
      await rename(path, `${path}.gone`)
      assert.equal((await store.statBlob('product', digest))?.size, 6)
      assert.ok(await stat(path))
    } finally {
      await rm(root, { recursive: true })
    }
  })
})
