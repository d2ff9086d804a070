import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { Refusal } from '@seaworthy/std/refusal'
import { utf8Encode } from '@seaworthy/std/bytes'
import { makeEmptyFolder, readLines, verifySums, writePieces, writeSums } from './files.ts'
import { readManifest, writeManifest } from './manifest.ts'

const isNamed = (error: unknown) =>
  error instanceof Refusal && /^export_(?:changed|incomplete|malformed)$/.test(error.code)

async function withFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'seaworthy-sums-'))
  try {
    await work(folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

test('O4 attack: any bytes for `export.json` are one that is read, or are refused by name', async () => {
  await withFolder((folder) =>
    fc.assert(
      fc.asyncProperty(fc.oneof(fc.json(), fc.string()), async (text) => {
        await writeFile(join(folder, 'export.json'), text)
        await assert.rejects(readManifest(folder, null), isNamed)
      }),
      { numRuns: 50 },
    ),
  )
})

test('O4 a manifest is read as it was written', async () => {
  const counts = fc
    .dictionary(fc.stringMatching(/^[a-z_]{1,9}$/), fc.nat())
    .map((record) => new Map(Object.entries(record)))
  const manifest = fc.record({
    program: fc.string(),
    at: fc.string(),
    migrations: fc.array(fc.record({ name: fc.string(), sha256: fc.string() })),
    ...{ tables: counts, counters: counts },
    sums: fc.record({ sha256: fc.string(), files: fc.nat(), bytes: fc.maxSafeNat() }),
  })
  await fc.assert(
    fc.asyncProperty(manifest, (written) =>
      withFolder(async (folder) => {
        const sha256 = await writeManifest(folder, written)
        const read = await readManifest(folder, sha256)
        assert.deepEqual(structuredClone(read.manifest), structuredClone(written))
        await assert.rejects(readManifest(folder, '0'.repeat(64)), isNamed)
      }),
    ),
    { numRuns: 20 },
  )
})

test('O4 attack: a file that was cut, changed, added, removed or renamed is found by its name', async () => {
  const names = ['a/b.jsonl', 'a/c d', 'a-b', 'z']
  const change = fc.record({
    name: fc.constantFrom(...names),
    how: fc.constantFrom('cut', 'changed', 'added', 'removed', 'renamed'),
  })
  await fc.assert(
    fc.asyncProperty(change, ({ name, how }) =>
      withFolder(async (folder) => {
        for (const one of names) await writePieces(join(folder, one), ['some ', utf8Encode(one)])
        const sums = await writeSums(folder)
        assert.equal(sums.files, names.length)
        await verifySums(folder, sums)
        const path = join(folder, name)
        if (how === 'cut') await writeFile(path, 'some')
        if (how === 'changed') await writeFile(path, `SOME ${name}`)
        if (how === 'added') await writeFile(`${path}.more`, '')
        if (how === 'removed' || how === 'renamed') await rm(path)
        if (how === 'renamed') await writeFile(`${path}.other`, `some ${name}`)
        await assert.rejects(
          verifySums(folder, sums),
          (error) => isNamed(error) && (error as Error).message.includes(name),
        )
      }),
    ),
    { numRuns: 25 },
  )
})

test('O4 a folder with something in it takes no export', async () => {
  await withFolder(async (folder) => {
    await makeEmptyFolder(folder)
    await makeEmptyFolder(join(folder, 'new/one'))
    await assert.rejects(makeEmptyFolder(folder), /is not empty/)
  })
})

test('O4 lines are read as they were written, and one without an end or too long is refused', async () => {
  await withFolder(async (folder) => {
    const path = join(folder, 'lines')
    const read = async (text: string, bytesMax: number) => {
      await writeFile(path, text)
      return Array.fromAsync(readLines(path, bytesMax))
    }
    assert.deepEqual(await read('', 9), [])
    assert.deepEqual(await read('a\n\nü\n', 9), ['a', '', 'ü'])
    const long = `${'x'.repeat(600_000)}\n${'y'.repeat(300_000)}\n`
    assert.deepEqual(await read(long, 600_000), long.trim().split('\n'))
    await assert.rejects(read(long, 100_000), isNamed)
    await assert.rejects(read('a\nb', 9), isNamed)
  })
})
