import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { Refusal } from '@seaworthy/std/refusal'
import type { TarEntry } from './format.ts'
import { encodeEntry, endBytes, entryBytes, paddingAfter } from './format.ts'
import { comparePaths, findPathFault, findTargetFault } from './paths.ts'
import type { TarLimits, TarSink } from './read.ts'
import { createTarReader, defaultTarLimits } from './read.ts'

type Read = TarEntry & { content?: string }

function collectingSink(found: Read[]): TarSink {
  return {
    makeDirectory: (path) => void found.push({ kind: 'directory', path }),
    makeSymlink: (path, target) => void found.push({ kind: 'symlink', path, target }),
    beginFile: (path, size, isExecutable) =>
      void found.push({ kind: 'file', path, size, isExecutable, content: '' }),
    // Some calls return a promise: both ways of answering must work.
    writeFile: (piece) => {
      found.at(-1)!.content += Buffer.from(piece).toString('latin1')
      return found.length % 2 === 0 ? Promise.resolve() : undefined
    },
    endFile: () => (found.length % 3 === 0 ? Promise.resolve() : undefined),
  }
}

async function readAll(
  bytes: Uint8Array,
  { cut = bytes.length || 1, limits = {} }: { cut?: number; limits?: Partial<TarLimits> } = {},
): Promise<Read[]> {
  const found: Read[] = []
  const reader = createTarReader(collectingSink(found), { ...defaultTarLimits, ...limits })
  for (let at = 0; at < bytes.length; at += cut) await reader.push(bytes.subarray(at, at + cut))
  reader.finish()
  return found
}

const contentOf = (size: number) => Buffer.alloc(size, 'x')

function write(...entries: TarEntry[]): Buffer {
  const parts: Buffer[] = []
  for (const entry of entries) {
    parts.push(encodeEntry(entry))
    if (entry.kind === 'file') {
      parts.push(contentOf(entry.size), Buffer.alloc(paddingAfter(entry.size)))
    }
  }
  return Buffer.concat([...parts, Buffer.alloc(endBytes)])
}

const file = (path: string, size = 3): TarEntry => ({
  kind: 'file',
  path,
  size,
  isExecutable: false,
})
const directory = (path: string): TarEntry => ({ kind: 'directory', path })
const symlink = (path: string, target: string): TarEntry => ({ kind: 'symlink', path, target })

/** Repairs the checksum after fields were changed. */
function patch(archive: Buffer, offset: number, text: string, header = 0): Buffer {
  const copy = Buffer.from(archive)
  copy.write(text, header + offset, 'latin1')
  copy.write('        ', header + 148, 'latin1')
  let sum = 0
  for (const byte of copy.subarray(header, header + 512)) sum += byte
  copy.write(`${sum.toString(8).padStart(6, '0')}\0 `, header + 148, 'latin1')
  return copy
}

const refused = (code: string) => (error: unknown) => {
  assert.ok(error instanceof Refusal, String(error))
  assert.equal(error.code, code)
  return true
}

const name = fc
  .string({
    unit: fc.constantFrom('a', 'b', '-', '.', '_', ' ', 'ä', '日', '😀'),
    minLength: 1,
    maxLength: 70,
  })
  .filter((text) => findPathFault(text) === undefined)

/** A tree as sorted entries, every folder before what is in it. */
const tree: fc.Arbitrary<TarEntry[]> = fc
  .array(
    fc.record({
      path: fc.array(name, { minLength: 1, maxLength: 5 }).map((names) => names.join('/')),
      size: fc.integer({ min: 0, max: 3000 }),
      isExecutable: fc.boolean(),
      target: fc.option(name),
    }),
    { maxLength: 12 },
  )
  .map((items) => {
    const entries = new Map<string, TarEntry>()
    for (const { path, size, isExecutable, target } of items) {
      const names = path.split('/')
      const parents = names.slice(0, -1).map((_, i) => names.slice(0, i + 1).join('/'))
      if (parents.some((p) => (entries.get(p)?.kind ?? 'directory') !== 'directory')) continue
      if (entries.has(path)) continue
      for (const parent of parents) entries.set(parent, directory(parent))
      entries.set(
        path,
        target === null ? { kind: 'file', path, size, isExecutable } : symlink(path, target),
      )
    }
    return [...entries.values()].toSorted((a, b) => comparePaths(a.path, b.path))
  })

describe('tar', () => {
  it('reads what is written, cut anywhere', async () => {
    await fc.assert(
      fc.asyncProperty(tree, fc.integer({ min: 1, max: 2000 }), async (entries, cut) => {
        const archive = write(...entries)
        const expected = entries.map((entry) =>
          entry.kind === 'file' ? { ...entry, content: contentOf(entry.size).toString() } : entry,
        )
        let read: Read[]
        try {
          read = await readAll(archive, { cut })
        } catch (error) {
          // Only links that lead in circles are left to refuse in such a tree.
          return refused('symlink_escapes')(error)
        }
        assert.deepEqual(read, expected)
        const bytes = entries.reduce((sum, entry) => sum + entryBytes(entry), endBytes)
        return bytes === archive.length
      }),
      { numRuns: 150 },
    )
  })

  it('writes long, foreign and very large entries with pax headers', async () => {
    const long = `${'d'.repeat(90)}/${'e'.repeat(90)}`
    const entries = [directory('d'.repeat(90)), symlink(long, 'x'.repeat(300)), file('ä', 1)]
    assert.equal((await readAll(write(...entries))).length, 3)
    const huge = encodeEntry(file('huge', 2 ** 40))
    assert.match(huge.toString('latin1', 512, 540), /^22 size=1099511627776\n/)
  })

  const attacks: [string, Uint8Array, string][] = [
    ['path traversal', patch(write(file('aa')), 0, '../x\0'), 'path_unsafe'],
    ['traversal inside', write(directory('a'), file('a/../b')), 'path_unsafe'],
    ['absolute path', write(file('/etc/passwd')), 'path_unsafe'],
    ['dot path', write(file('./a')), 'path_unsafe'],
    ['empty part', write(file('a//b')), 'path_unsafe'],
    ['line end in a name', write(file('a\nb')), 'tar_pax'],
    ['control character', patch(write(file('ab')), 0, 'a\x07'), 'path_unsafe'],
    ['over-long name', write(file('n'.repeat(256))), 'path_too_long'],
    ['over-long path', write(file(`${'n/'.repeat(2500)}a`)), 'path_too_long'],
    ['too deep', write(file(`${'n/'.repeat(200)}a`)), 'path_too_long'],
    ['absolute symlink', write(symlink('a', '/etc')), 'symlink_escapes'],
    ['symlink out', write(symlink('a', '../b')), 'symlink_escapes'],
    [
      'symlink out of a folder',
      write(directory('a'), symlink('a/b', '../../c')),
      'symlink_escapes',
    ],
    [
      'symlink out through a symlink',
      write(directory('a'), directory('a/b'), symlink('a/c', 'b/../../..'), symlink('d', 'a/c')),
      'symlink_escapes',
    ],
    [
      'symlink whose dots count from a linked folder',
      write(directory('a'), symlink('a/root', '..'), symlink('b', 'a/root/..')),
      'symlink_escapes',
    ],
    ['symlink in a circle', write(symlink('a', 'b'), symlink('b', 'a')), 'symlink_escapes'],
    ['writing through a symlink', write(symlink('a', 'b'), file('a/x')), 'entry_parent'],
    ['writing into a file', write(file('a'), file('a/x')), 'entry_parent'],
    ['missing folder', write(file('a/x')), 'entry_parent'],
    ['duplicate entry', write(file('a'), file('a')), 'entry_duplicate'],
    ['files that differ by case', write(file('A.js'), file('a.js')), 'entry_twin'],
    ['folders that differ by case', write(directory('A'), directory('a')), 'entry_twin'],
    ['a link and a file that differ by case', write(symlink('A', 'b'), file('a')), 'entry_twin'],
    ['sharp s in all forms', write(file('STRASSE'), file('straße')), 'entry_twin'],
    ['a Kelvin sign for a K', write(file('K'), file('\u212a')), 'entry_twin'],
    ['a composed and a decomposed name', write(file('e\u0301'), file('\u00e9')), 'entry_twin'],
    ['a name with an invisible character', write(file('a'), file('a\u200d')), 'entry_twin'],
    [
      'a link that leads out where case does not count',
      write(directory('b'), symlink('b/c', '..'), symlink('out', 'B/C/../x')),
      'symlink_escapes',
    ],
    ['file replacing a symlink', write(symlink('a', 'b'), file('a')), 'entry_duplicate'],
    ['wrong order', write(file('b'), file('a')), 'entry_order'],
    ['hard link', patch(write(file('aa')), 156, '1'), 'entry_kind'],
    ['character device', patch(write(file('aa')), 156, '3'), 'entry_kind'],
    ['block device', patch(write(file('aa')), 156, '4'), 'entry_kind'],
    ['fifo', patch(write(file('aa')), 156, '6'), 'entry_kind'],
    ['GNU sparse file', patch(write(file('aa')), 156, 'S'), 'entry_kind'],
    ['GNU long name', patch(write(file('aa')), 156, 'L'), 'entry_kind'],
    ['global pax header', patch(write(file('aa')), 156, 'g'), 'entry_kind'],
    ['old file type', patch(write(file('aa')), 156, '\0'), 'entry_kind'],
    ['set-uid file', patch(write(file('aa')), 100, '0004755'), 'tar_not_canonical'],
    ['world-writable file', patch(write(file('aa')), 100, '0000666'), 'tar_not_canonical'],
    ['owner', patch(write(file('aa')), 108, '0001750'), 'tar_not_canonical'],
    ['time', patch(write(file('aa')), 136, '00000000001'), 'tar_not_canonical'],
    ['user name', patch(write(file('aa')), 265, 'root'), 'tar_not_canonical'],
    ['bytes behind the name', patch(write(file('aa')), 90, 'zz'), 'tar_not_canonical'],
    ['folder with a size', patch(write(directory('a')), 124, '00000000007'), 'tar_not_canonical'],
    ['base-256 size', patch(write(file('aa')), 124, '\x80'), 'tar_header'],
    ['negative size', patch(write(file('aa')), 124, '-0000000001'), 'tar_header'],
    ['GNU magic', patch(write(file('aa')), 257, 'ustar  \0'), 'tar_header'],
    ['wrong checksum', Buffer.from(write(file('aa'))).fill('1', 148, 149), 'tar_not_canonical'],
    ['huge size', patch(write(file('aa')), 124, '77777777777'), 'tar_truncated'],
    ['padding', Buffer.from(write(file('aa'))).fill('x', 520, 521), 'tar_padding'],
    ['no end', write(file('aa')).subarray(0, 1024), 'tar_truncated'],
    ['half an end', write(file('aa')).subarray(0, 1536), 'tar_truncated'],
    ['cut content', write(file('aa', 900)).subarray(0, 1024), 'tar_truncated'],
    ['nothing', Buffer.alloc(0), 'tar_truncated'],
    ['trailing bytes', Buffer.concat([write(file('aa')), Buffer.from('x')]), 'tar_trailing_bytes'],
    ['trailing zeros', Buffer.concat([write(file('aa')), Buffer.alloc(512)]), 'tar_trailing_bytes'],
    [
      'second archive behind one zero block',
      Buffer.concat([write(file('a')).subarray(0, 1536), write(file('b'))]),
      'tar_trailing_bytes',
    ],
  ]
  for (const [attack, archive, code] of attacks) {
    it(`T7 ${attack}: ${code}`, async () => {
      await assert.rejects(readAll(archive), refused(code))
      await assert.rejects(readAll(archive, { cut: 100 }), refused(code))
    })
  }

  it('T11 attack: two names that a file system takes for one are never both in a bundle (property)', async () => {
    const unit = fc.constantFrom('a', 'Z', 'ä', 'ß', 'Å', 'σ', 'ς', 'İ', '한', '-', '7', '😀')
    const variants: ((text: string) => string)[] = [
      (text) => text.toUpperCase(),
      (text) => text.toLowerCase(),
      (text) => text.normalize('NFC'),
      (text) => text.normalize('NFD'),
      (text) => text.replace(/(?<=^.)/u, '\u2060'),
    ]
    await fc.assert(
      fc.asyncProperty(
        fc.string({ unit, minLength: 1, maxLength: 8 }),
        fc.array(fc.constantFrom(...variants), { minLength: 1, maxLength: 3 }),
        async (path, changes) => {
          const twin = changes.reduce((text, change) => change(text), path)
          fc.pre(twin !== path)
          const entries = [file(path), file(twin)].toSorted((a, b) => comparePaths(a.path, b.path))
          await assert.rejects(readAll(write(...entries)), refused('entry_twin'))
        },
      ),
      { numRuns: 300 },
    )
  })

  it('T7 pax abuse: other records, duplicates, wrong lengths, without need, without entry', async () => {
    const withPax = (records: string, tail = write(file('a'))) => {
      const size = Buffer.byteLength(records)
      const head = patch(write(file('@pax', size)), 156, 'x').subarray(0, 512)
      return Buffer.concat([head, Buffer.from(records), Buffer.alloc(paddingAfter(size)), tail])
    }
    const cases: [string, string][] = [
      ['19 GNU.sparse.x=1\n', 'tar_pax'],
      ['11 mtime=1\n', 'tar_pax'],
      ['9 path=a\n9 path=b\n', 'tar_pax'],
      ['8 path=a\n', 'tar_pax'],
      ['09 path=a\n', 'tar_pax'],
      ['9 path=a', 'tar_pax'],
      ['9 size=0\n', 'tar_pax'],
      ['10 size=-1\n', 'tar_pax'],
      ['9 path=b\n', 'tar_not_canonical'],
      ['15 path=../../x\n', 'tar_pax'],
      ['16 path=../../x\n', 'path_unsafe'],
    ]
    for (const [records, code] of cases) {
      await assert.rejects(readAll(withPax(records)), refused(code), records)
    }
    await assert.rejects(readAll(withPax('9 path=b\n', Buffer.alloc(1024))), refused('tar_pax'))
    const twice = withPax('9 path=b\n', withPax('9 path=c\n'))
    await assert.rejects(readAll(twice), refused('tar_pax'))
  })

  it('T7 endless data: stops at every limit', async () => {
    const three = write(file('a'), file('b'), file('c'))
    const check = (limits: Partial<TarLimits>, code: string) =>
      assert.rejects(readAll(three, { limits }), refused(code))
    await check({ entriesMax: 2 }, 'too_many_entries')
    await check({ namesBytesMax: 2 }, 'too_many_entries')
    await check({ fileBytesMax: 2 }, 'file_too_large')
    await check({ totalBytesMax: 8 }, 'total_too_large')
  })

  it('answers garbage and damaged archives with codes alone', async () => {
    const good = write(directory('d'), file('d/a', 700), symlink('l', 'd/a'), file('ä', 5))
    const damaged = fc
      .array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 })
      .map((changes) => {
        const copy = Buffer.from(good)
        for (const [at, value] of changes) copy[at] = value
        return copy
      })
    const garbage = fc.uint8Array({ maxLength: 3000 })
    await fc.assert(
      fc.asyncProperty(fc.oneof(damaged, garbage), async (bytes) => {
        try {
          await readAll(bytes, { cut: 333 })
        } catch (error) {
          assert.ok(error instanceof Refusal, String(error))
        }
      }),
      { numRuns: 3000 },
    )
  })

  it('every path that GNU tar would read differently has a fault', () => {
    for (const path of ['', '/', 'a/', '/a', '..', 'a/..', 'a\0b', '\ud800']) {
      assert.ok(findPathFault(path), JSON.stringify(path))
    }
    for (const target of ['', '/a', 'a\0', '\ud800']) assert.ok(findTargetFault(target))
  })
})
