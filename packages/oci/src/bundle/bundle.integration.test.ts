import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import {
  chmod,
  link,
  lstat,
  mkdir,
  mkdtemp,
  readFile,
  readlink,
  rm,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { buffer } from 'node:stream/consumers'
import { constants, createZstdCompress, zstdCompressSync } from 'node:zlib'
import { seededRandom } from '@seaworthy/std/random'
import { Refusal, TrustError } from '@seaworthy/std/refusal'
import { skipWithout } from '@seaworthy/std/testing/programs'
import { digestOf } from '../digests.ts'
import { encodeEntry, endBytes } from '../tar/format.ts'
import { createDirectorySink, syncEach, syncTree } from './directory.ts'
import { diffFileLists, encodeFileList, formatSha256Sums, parseFileList } from './file-list.ts'
import { packBundle } from './pack.ts'
import { unpackBundle } from './unpack.ts'

const hasCode =
  (code: string, kind: typeof Refusal | typeof TrustError = Refusal) =>
  (error: unknown) => {
    assert.ok(error instanceof kind, String(error))
    assert.equal(error.code, code)
    return true
  }

async function* inPieces(bytes: Uint8Array, size = 10_000): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

async function pack(folder: string) {
  const parts: Uint8Array[] = []
  const packed = await packBundle(folder, async (piece) => void parts.push(piece))
  return { ...packed, bytes: Buffer.concat(parts) }
}

describe('bundle', () => {
  let root: string
  before(async () => (root = await mkdtemp(join(tmpdir(), 'seaworthy-bundle-'))))
  after(() => rm(root, { recursive: true }))

  const makeTree = async (name: string, order: 'forward' | 'backward') => {
    const folder = join(root, name)
    await mkdir(join(folder, 'bin'), { recursive: true })
    await mkdir(join(folder, 'empty'))
    const steps = [
      () => writeFile(join(folder, 'bin', 'app'), '#!/bin/sh\necho hello\n', { mode: 0o700 }),
      () => writeFile(join(folder, 'zero'), ''),
      () => writeFile(join(folder, 'größe'), seededRandom(3).bytes(60_000), { mode: 0o600 }),
      () => writeFile(join(folder, 'big'), 'x'.repeat(3_000_000)),
      () => symlink('../big', join(folder, 'bin', 'link')),
      () => symlink('made-later', join(folder, 'dangling')),
      () => writeFile(join(folder, `${'long-'.repeat(40)}name`), 'l'),
    ]
    for (const step of order === 'forward' ? steps : steps.toReversed()) await step()
    return folder
  }

  it('B6 the same content gives the same bytes, whatever owner, time, mode, link and order', async () => {
    const first = await makeTree('first', 'forward')
    const second = await makeTree('second', 'backward')
    await utimes(join(second, 'zero'), 1, 1)
    await chmod(join(second, 'bin', 'app'), 0o4755)
    await rm(join(second, 'zero'))
    await writeFile(join(root, 'other'), '')
    await link(join(root, 'other'), join(second, 'zero'))
    const one = await pack(first)
    const two = await pack(second)
    assert.equal(one.digest, two.digest)
    assert.equal(one.digest, digestOf(one.bytes))
    assert.deepEqual(one.files, two.files)
    assert.deepEqual(parseFileList(encodeFileList(one.files)), one.files)
  })

  it('unpacks what was packed, exact modes under any umask, and again packs to the same bytes', async () => {
    const packed = await pack(join(root, 'first'))
    for (const umask of [0o022, 0o077, 0o000]) {
      const folder = join(root, `unpacked-${umask}`)
      await mkdir(folder)
      const previous = process.umask(umask)
      try {
        const sink = createDirectorySink(folder)
        const summary = await unpackBundle({
          source: inPieces(packed.bytes),
          expected: packed,
          sink,
        })
        assert.equal(summary.entryCount, packed.files.entries.length)
        await (umask === 0 ? syncEach(folder) : syncTree(folder))
      } finally {
        process.umask(previous)
      }
      assert.equal((await lstat(join(folder, 'bin', 'app'))).mode & 0o7777, 0o755)
      assert.equal((await lstat(join(folder, 'größe'))).mode & 0o7777, 0o644)
      assert.equal(await readlink(join(folder, 'bin', 'link')), '../big')
      assert.equal((await pack(folder)).digest, packed.digest)
    }
  })

  it('T8 common tools read it: tar lists it, sha256sum checks it', async (t) => {
    if (skipWithout(t, 'zstd')) return
    const packed = await pack(join(root, 'first'))
    const folder = join(root, 'by-tar')
    await mkdir(folder)
    await writeFile(join(root, 'bundle.tar.zst'), packed.bytes)
    execFileSync('tar', ['--zstd', '-xf', join(root, 'bundle.tar.zst'), '-C', folder])
    execFileSync('sha256sum', ['-c', '--strict', '--quiet', '-'], {
      cwd: folder,
      input: formatSha256Sums(packed.files),
    })
    assert.equal((await pack(folder)).digest, packed.digest)
  })

  it('a file that cannot be read is called that, and not changed meanwhile', async () => {
    const folder = join(root, 'unreadable')
    await mkdir(folder)
    await writeFile(join(folder, 'secret'), 'x', { mode: 0 })
    for (const passed of [root, folder]) await chmod(passed, 0o755)
    const isRoot = process.geteuid!() === 0
    if (isRoot) process.seteuid!(65_534)
    try {
      await assert.rejects(pack(folder), (error: unknown) => {
        assert.ok(hasCode('source_unreadable')(error))
        assert.equal((error as Error).message, 'secret cannot be read: permission denied (EACCES)')
        return true
      })
    } finally {
      if (isRoot) process.seteuid!(0)
    }
  })

  it('refuses what cannot be in a bundle', async () => {
    const check = async (
      name: string,
      code: string,
      make: (folder: string) => Promise<unknown>,
    ) => {
      const folder = join(root, `bad-${name}`)
      await mkdir(folder)
      await make(folder)
      await assert.rejects(pack(folder), hasCode(code))
    }
    await check('fifo', 'entry_kind', async (folder) => execFileSync('mkfifo', [join(folder, 'f')]))
    const server = createServer()
    await check(
      'socket',
      'entry_kind',
      (folder) => new Promise<void>((done) => server.listen(join(folder, 's'), done)),
    )
    server.close()
    await check('absolute', 'symlink_escapes', (folder) => symlink('/etc', join(folder, 'l')))
    await check('out', 'symlink_escapes', (folder) => symlink('../x', join(folder, 'l')))
    await check('twins', 'entry_twin', async (folder) => {
      for (const name of ['App.js', 'app.js']) await writeFile(join(folder, name), name)
    })
    await check('newline', 'path_unsafe', (folder) => writeFile(join(folder, 'a\nb'), ''))
    await check('bytes', 'path_unsafe', (folder) =>
      writeFile(Buffer.concat([Buffer.from(`${folder}/`), Buffer.from([0xff])]), ''),
    )
    await assert.rejects(pack(join(root, 'first', 'zero')), hasCode('source_not_directory'))
    await assert.rejects(pack(join(root, 'absent')), hasCode('source_not_directory'))
    const growing = join(root, 'growing')
    await mkdir(growing)
    const noise = Buffer.concat(
      Array.from({ length: 200 }, (_, i) => seededRandom(i).bytes(60_000)),
    )
    await writeFile(join(growing, 'a'), noise)
    await writeFile(join(growing, 'b'), 'b')
    const packing = packBundle(growing, () => writeFile(join(growing, 'b'), 'longer'))
    await assert.rejects(packing, hasCode('source_changed'))
  })

  const unpack = async (
    bytes: Uint8Array,
    expected = { digest: digestOf(bytes), size: bytes.length },
  ) => {
    const folder = await mkdtemp(join(root, 'try-'))
    const sink = createDirectorySink(folder)
    try {
      return await unpackBundle({ source: inPieces(bytes, 1000), expected, sink })
    } finally {
      sink.close()
    }
  }

  it('T7 replaced, truncated, lengthened content: refused as such, whatever the decoder says', async () => {
    const { bytes, digest, size } = await pack(join(root, 'first'))
    const expected = { digest, size }
    for (const at of [0, 5, 100, size >> 1, size - 1]) {
      const changed = Buffer.from(bytes)
      changed[at]! ^= 0x10
      await assert.rejects(unpack(changed, expected), hasCode('wrong_hash', TrustError))
    }
    const cut = bytes.subarray(0, size - 10)
    await assert.rejects(unpack(cut, expected), hasCode('wrong_length', TrustError))
    const longer = Buffer.concat([bytes, Buffer.from('x')])
    await assert.rejects(unpack(longer, expected), hasCode('endless_data', TrustError))
    await assert.rejects(
      unpack(Buffer.alloc(0), { digest, size }),
      hasCode('wrong_length', TrustError),
    )
  })

  it('T7 signed but bad: garbage, cut frames, huge windows, bombs', async () => {
    const { bytes } = await pack(join(root, 'first'))
    await assert.rejects(unpack(Buffer.from('garbage garbage')), hasCode('zstd_damaged'))
    await assert.rejects(unpack(bytes.subarray(0, bytes.length - 10)), hasCode('zstd_damaged'))
    const bomb = zstdCompressSync(
      Buffer.concat([
        encodeEntry({ kind: 'file', path: 'a', size: 2 ** 36 + 1, isExecutable: false }),
        Buffer.alloc(1000),
      ]),
    )
    await assert.rejects(unpack(bomb), hasCode('file_too_large'))
    const zeros = zstdCompressSync(Buffer.alloc(50_000_000))
    await assert.rejects(unpack(zeros), hasCode('tar_trailing_bytes'))
    const params = {
      [constants.ZSTD_c_windowLog]: 27,
      [constants.ZSTD_c_contentSizeFlag]: 0,
    }
    const wide = createZstdCompress({ params })
    wide.write(Buffer.alloc(endBytes))
    wide.end()
    await assert.rejects(unpack(await buffer(wide)), hasCode('zstd_damaged'))
  })

  it('errors of source and sink come through as they are', async () => {
    const { bytes, digest, size } = await pack(join(root, 'first'))
    const source = (async function* () {
      yield bytes.subarray(0, 5000)
      throw new Error('link down')
    })()
    const folder = await mkdtemp(join(root, 'try-'))
    const sink = createDirectorySink(folder)
    await assert.rejects(unpackBundle({ source, expected: { digest, size }, sink }), /link down/)
    sink.close()
    const failing = createDirectorySink(await mkdtemp(join(root, 'try-')))
    failing.writeFile = () => {
      throw new Error('disk full')
    }
    await assert.rejects(
      unpackBundle({ source: inPieces(bytes), expected: { digest, size }, sink: failing }),
      /disk full/,
    )
    failing.close()
  })

  it('B7 shows what changed between two file lists', async () => {
    const before = (await pack(join(root, 'first'))).files
    const folder = await makeTree('third', 'forward')
    await rm(join(folder, 'zero'))
    await writeFile(join(folder, 'new'), 'n')
    await chmod(join(folder, 'big'), 0o755)
    const difference = diffFileLists(before, (await pack(folder)).files)
    assert.deepEqual(
      difference.added.map((e) => e.path),
      ['new'],
    )
    assert.deepEqual(
      difference.removed.map((e) => e.path),
      ['zero'],
    )
    assert.deepEqual(
      difference.changed.map((c) => c.after.path),
      ['big'],
    )
  })

  it('file lists with anything unexpected are refused', async () => {
    const good =
      (await readFile(join(root, 'first', 'zero'))).length === 0
        ? '{"format":"seaworthy-files-v1","entries":[]}'
        : ''
    assert.deepEqual(parseFileList(Buffer.from(good)), { entries: [] })
    for (const text of [
      '',
      '[]',
      '{"format":"seaworthy-files-v2","entries":[]}',
      '{"format":"seaworthy-files-v1","entries":[{"path":"../a","type":"directory","mode":"0755"}]}',
      '{"format":"seaworthy-files-v1","entries":[{"path":"a","type":"file","size":1,"mode":"4755","sha256":"00"}]}',
      '{"format":"seaworthy-files-v1","entries":[{"path":"b","type":"directory","mode":"0755"},{"path":"a","type":"directory","mode":"0755"}]}',
    ]) {
      assert.throws(() => parseFileList(Buffer.from(text)), hasCode('file_list_malformed'))
    }
  })
})
