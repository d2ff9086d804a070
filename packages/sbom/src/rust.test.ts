import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { constants, deflateSync } from 'node:zlib'
import { utf8Encode } from '@seaworthy/std/bytes'
import { lacks } from '@seaworthy/std/testing/programs'
import fc from 'fast-check'
import { createCrateScan } from './rust.ts'
import { scanFiles, shown } from './testing.ts'

const crates = {
  packages: [
    { name: 'adler2', version: '2.0.1', source: 'crates.io' },
    { name: 'bindgen', version: '0.70.0', source: 'crates.io', kind: 'build' },
    { name: 'gateway', version: '1.0.0', source: 'local', root: true, dependencies: [0, 1] },
  ],
}
const expected = ['cargo adler2 2.0.1', 'cargo gateway 1.0.0']
const pack = (value: unknown, strategy: number = constants.Z_DEFAULT_STRATEGY) =>
  deflateSync(JSON.stringify(value), { strategy })

/** A program with one section; `isNamed` says whether the table of sections knows it. */
function craftProgram(section: Uint8Array, isNamed: boolean, before: number): Buffer {
  const head = Buffer.alloc(64)
  head.write('\u007fELF', 'latin1')
  head[4] = 2
  head[5] = 1
  const filling = Buffer.alloc(before, 0x78)
  const table = Buffer.alloc(128)
  head.writeBigUInt64LE(BigInt(head.length + before + section.length), 40)
  head.writeUInt16LE(64, 58)
  head.writeUInt16LE(2, 60)
  if (isNamed) table.writeBigUInt64LE(BigInt(head.length + before), 64 + 24)
  table.writeBigUInt64LE(BigInt(section.length), 64 + 32)
  return Buffer.concat([head, filling, section, table])
}
const scanOne = (bytes: Uint8Array) => scanFiles([['bin/a', [bytes]]])

test('B4 the crates of a program do not depend on the pieces that it comes in (property)', () => {
  fc.assert(
    fc.property(
      fc.nat(1500),
      fc.constantFrom(constants.Z_DEFAULT_STRATEGY, constants.Z_FIXED),
      fc.array(fc.nat(2000), { maxLength: 12 }),
      (before, strategy, cuts) => {
        const bytes = craftProgram(pack(crates, strategy), true, before)
        const at = [0, ...cuts.filter((cut) => cut < bytes.length).toSorted((a, b) => a - b)]
        const pieces = at.map((begin, i) => bytes.subarray(begin, at[i + 1]))
        assert.deepEqual(shown(scanFiles([['bin/a', pieces]])), expected)
      },
    ),
  )
})

test(
  'B4 the crates that stand in a section which binutils has added to a real program',
  { skip: lacks('objcopy') },
  (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'sbom-'))
    t.after(() => rmSync(folder, { recursive: true }))
    const many = {
      packages: Array.from({ length: 500 }, (_, i) => ({
        ...{ name: `crate-${i}`, version: `${i}.0.1`, source: 'crates.io', dependencies: [i >> 1] },
      })),
    }
    writeFileSync(join(folder, 'crates'), pack(many))
    const program = join(folder, 'program')
    execFileSync('objcopy', [
      ...['--add-section', `.dep-v0=${join(folder, 'crates')}`],
      ...[realpathSync('/bin/sh'), program],
    ])
    const found = shown(scanOne(readFileSync(program)))
    assert.equal(found.length, 500)
    assert.ok(found.includes('cargo crate-499 499.0.1'))
  },
)

test('B4 a list of crates that a program only carries as data is not its own', () => {
  const scan = scanOne(craftProgram(pack(crates), false, 100))
  assert.deepEqual([scan.components, scan.unread], [[], []])
})

test('B4 a list of crates that cannot be read is named', () => {
  const broken = pack(crates)
  broken.fill(0, broken.length - 6)
  const why = 'its list of crates cannot be read'
  for (const section of [broken, pack({ packages: [{ name: 'a' }] })]) {
    const { components, unread } = scanOne(craftProgram(section, true, 0))
    assert.deepEqual([components, unread], [[], [{ path: 'bin/a', why }]])
  }
})

test('B4 attack: a program full of what looks like lists of crates costs a bounded time', () => {
  const section = pack({ packages: [], filling: 'x'.repeat(100) })
  const many = Buffer.concat(Array.from({ length: 20 }, () => section))
  const { unread } = scanOne(craftProgram(many, true, 0))
  assert.deepEqual(unread, [{ path: 'bin/a', why: 'it has too many lists of crates' }])

  // The beginning of a packed text that is no list, again and again.
  const begin = deflateSync(utf8Encode('{"packages":{}}'.repeat(3))).subarray(0, 8)
  const crateScan = createCrateScan({ attempts: 100 })
  crateScan.write(Buffer.concat([craftProgram(begin, false, 0), Buffer.alloc(8 * 200, begin)]))
  const why = 'the tree has more places that look like lists of crates than are tried'
  assert.deepEqual(crateScan.finish('bin/a'), { why })
})
