import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { utf8Encode } from '@seaworthy/std/bytes'
import { parseAnyJsonText } from '@seaworthy/std/json'
import { requireLinearWork } from '@seaworthy/std/testing'
import { lacks } from '@seaworthy/std/testing/programs'
import fc from 'fast-check'
import { scanFiles, scanTexts, shown } from './testing.ts'

const repository = fileURLToPath(new URL('../../..', import.meta.url))

test('B4 what is found below node_modules is what the lock file says is installed', () => {
  const lock = parseAnyJsonText(readFileSync(`${repository}/package-lock.json`, 'utf8')) as {
    packages: Record<string, { version?: string; name?: string; link?: boolean }>
  }
  const installed = Object.entries(lock.packages).filter(
    ([path, { link }]) =>
      path.startsWith('node_modules/') && link !== true && existsSync(`${repository}/${path}`),
  )
  const paths = globSync('node_modules/**/package.json', { cwd: repository }).filter(
    (path) => !path.startsWith('node_modules/@seaworthy/'),
  )
  const found = scanFiles(paths.map((path) => [path, [readFileSync(`${repository}/${path}`)]]))
  assert.deepEqual(found.unread, [])
  assert.deepEqual(
    found.components.map(({ path, version }) => `${path} ${version}`).toSorted(),
    installed.map(([path, { version }]) => `${path}/package.json ${version}`).toSorted(),
  )
})

test(
  'B4 what is found of dpkg is what dpkg lists, with what each package was built from',
  { skip: lacks('dpkg-query') },
  (t) => {
    const format =
      '${db:Status-Status}\t${Package}\t${Version}\t${source:Package}\t${source:Version}\n'
    // A copy: somebody may install a package between two looks at the system's own.
    const status = readFileSync('/var/lib/dpkg/status')
    const folder = mkdtempSync(join(tmpdir(), 'seaworthy-dpkg-'))
    t.after(() => rmSync(folder, { recursive: true, force: true }))
    writeFileSync(join(folder, 'status'), status)
    const query = [`--admindir=${folder}`, '--show', `--showformat=${format}`]
    const listed = execFileSync('dpkg-query', query, { encoding: 'utf8' })
      .split('\n')
      .filter((line) => line.startsWith('installed\t'))
      .map((line) => line.slice('installed\t'.length))
    const { components } = scanFiles([['var/lib/dpkg/status', [status]]])
    const found = components.map(({ name, version, source }) =>
      [name, version, source!.name, source!.version].join('\t'),
    )
    assert.deepEqual(found.toSorted(), listed.toSorted())
  },
)

test('B4 a program that Go has built says its modules, wherever its bytes are cut', () => {
  const [program] = globSync('node_modules/@oxlint-tsgolint/*/tsgolint', { cwd: repository })
  const bytes = readFileSync(`${repository}/${program}`)
  const whole = scanFiles([['bin/lint', [bytes]]])
  const names = shown(whole)
  assert.ok(names.some((name) => /^golang stdlib 1\.\d+/.test(name)))
  assert.ok(names.some((name) => /^golang github\.com\/dlclark\/regexp2\/v2 v2\./.test(name)))
  // Its place was taken by a folder, which has no version.
  assert.ok(names.includes('golang github.com/microsoft/typescript-go/shim/ast'))
  const pieces: Uint8Array[] = []
  for (let at = 0; at < bytes.length; at += 65_521) pieces.push(bytes.subarray(at, at + 65_521))
  assert.deepEqual(scanFiles([['bin/lint', pieces]]), whole)
})

const varint = (value: number) => (value < 0x80 ? [value] : [(value & 0x7f) | 0x80, value >> 7])

/** A program whose block of modules stands behind `before` blocks of 16 bytes. */
function craftProgram(before: number, modules: string, decoy: boolean): Uint8Array {
  const magic = Buffer.from('\u00ff Go buildinf:', 'latin1')
  const mark = Buffer.alloc(16, 0x30)
  const info = Buffer.concat([mark, Buffer.from(modules), mark])
  const start = Buffer.alloc(16 * (before + 2))
  start.write('\u007fELF', 'latin1')
  // The number also stands in programs that read the block of others.
  if (decoy) magic.copy(start, 16)
  const head = Buffer.alloc(32)
  magic.copy(head)
  head[14] = 8
  head[15] = 2
  const version = Buffer.from('go1.26.8')
  return Buffer.concat([
    ...[start, head, Buffer.from([version.length]), version],
    ...[Buffer.from(varint(info.length)), info, Buffer.alloc(100, 0xff)],
  ])
}

test('B4 the modules of a program do not depend on the pieces that it comes in (property)', () => {
  const modules = [
    'path\texample.org/a',
    'mod\texample.org/a\t(devel)\t',
    'dep\texample.org/b\tv1.2.3\th1:x=',
    'dep\texample.org/c\tv1.0.0',
    '=>\texample.org/d\tv2.0.0\th1:y=',
    'dep\texample.org/e\tv1.0.0',
    '=>\t./shim/e\t\t',
    'build\t-compiler=gc',
  ].join('\n')
  const expected = [
    'golang example.org/a',
    'golang example.org/b v1.2.3',
    'golang example.org/d v2.0.0',
    'golang example.org/e',
    'golang stdlib 1.26.8',
  ]
  fc.assert(
    fc.property(
      fc.nat(20),
      fc.boolean(),
      fc.array(fc.nat(600), { maxLength: 12 }),
      (before, decoy, cuts) => {
        const bytes = craftProgram(before, modules, decoy)
        const at = [0, ...cuts.filter((cut) => cut < bytes.length).toSorted((a, b) => a - b)]
        const pieces = at.map((begin, i) => bytes.subarray(begin, at[i + 1]))
        assert.deepEqual(shown(scanFiles([['bin/a', pieces]])), expected)
      },
    ),
  )
})

test('B4 T11 attack: a program that holds the number of Go’s block in other places does not hide its modules', () => {
  const modules = 'mod\texample.org/a\tv1.0.0\ndep\texample.org/b\tv1.2.3\th1:x='
  const expected = [
    'golang example.org/a v1.0.0',
    'golang example.org/b v1.2.3',
    'golang stdlib 1.26.8',
  ]
  const real = craftProgram(0, modules, false).subarray(32)
  const mebibyte = 1024 * 1024
  /** Says that its own texts take so many bytes. */
  const decoyOf = (textBytes: number) => {
    const head = Buffer.alloc(32)
    head.write('\u00ff Go buildinf:', 'latin1')
    head[15] = 2
    const length = [7, 14, 21].map((bits) => ((textBytes >> bits) & 0x7f) | 0x80)
    const whole = [(textBytes & 0x7f) | 0x80, length[0]!, length[1]!, length[2]! & 0x7f]
    return Buffer.concat([head, Buffer.from(whole), Buffer.alloc(12)])
  }
  const half = 512 * 1024
  for (const decoy of [decoyOf(0), decoyOf(100), decoyOf(mebibyte - 100), decoyOf(2 * mebibyte)]) {
    for (const behind of [16, mebibyte - 4096, mebibyte - 64, mebibyte + 4096, 3 * mebibyte]) {
      const start = Buffer.alloc(16)
      start.write('\u007fELF', 'latin1')
      const bytes = Buffer.concat([start, decoy, Buffer.alloc(behind, 0xff), real])
      for (const piece of [4096, half, half + 13, mebibyte, bytes.length]) {
        const pieces: Uint8Array[] = []
        for (let at = 0; at < bytes.length; at += piece) {
          pieces.push(bytes.subarray(at, at + piece))
        }
        const found = shown(scanFiles([['bin/a', pieces]]))
        assert.deepEqual(found, expected, `${behind} bytes behind, pieces of ${piece}`)
      }
    }
  }
})

test('B4 T11 attack: a program full of such numbers costs no more than its bytes', () => {
  const head = Buffer.alloc(64, 0x41)
  head.write('\u00ff Go buildinf:', 'latin1')
  head[15] = 2
  // An empty text, and one of almost a mebibyte.
  head.set([0, 0x80, 0x80, 0x3e], 32)
  const makeProgram = (part: Uint8Array) => {
    const start = Buffer.alloc(64)
    start.write('\u007fELF', 'latin1')
    return Buffer.concat([start, ...Array.from({ length: 65_536 }, () => part)])
  }
  const scanInPieces = (bytes: Uint8Array) => {
    const pieces: Uint8Array[] = []
    for (let at = 0; at < bytes.length; at += 4096) pieces.push(bytes.subarray(at, at + 4096))
    return scanFiles([['bin/a', pieces]])
  }
  // A place without its flag is passed over at a glance.
  const bare = Buffer.from(head)
  bare[15] = 0
  const [plain, hostile] = [makeProgram(bare), makeProgram(head)]
  requireLinearWork(
    'scanning it',
    () => scanInPieces(plain),
    () => assert.deepEqual(scanInPieces(hostile).components, []),
  )
})

test('B4 packages of Alpine and Python, and of a root below the tree', () => {
  const scan = scanTexts({
    'rootfs/etc/os-release': 'NAME="Alpine Linux"\nID=alpine\nVERSION_ID=3.22.1\n',
    'rootfs/lib/apk/db/installed':
      'C:Q1\nP:libssl3\nV:3.5.1-r0\nA:x86_64\nL:Apache-2.0\no:openssl\nF:usr\n\nP:musl\nV:1.2.5-r10\nL:MIT\n',
    'usr/lib/python3/Flask_Login-0.6.3.dist-info/METADATA':
      'Metadata-Version: 2.4\nName: Flask_Login\nVersion: 0.6.3\nLicense-Expression: MIT\n\nName: not this\n',
  })
  assert.equal(scan.distribution, undefined)
  assert.deepEqual(
    scan.components.map(({ purl }) => purl),
    [
      'pkg:apk/alpine/libssl3@3.5.1-r0?arch=x86_64&distro=alpine-3.22.1&upstream=openssl',
      'pkg:apk/alpine/musl@1.2.5-r10?distro=alpine-3.22.1',
      'pkg:pypi/flask-login@0.6.3',
    ],
  )
})

test('B4 a lock file says what an application is made of where nothing is installed beside it', () => {
  const entry = (version: string, more: object = {}) => ({ version, license: 'MIT', ...more })
  const lock = JSON.stringify({
    lockfileVersion: 3,
    packages: {
      '': { name: 'app', version: '1.0.0' },
      'packages/own': { name: 'own', version: '1.0.0' },
      'node_modules/own': { resolved: 'packages/own', link: true },
      'node_modules/a': entry('1.0.0'),
      'node_modules/a/node_modules/@b/c': entry('2.0.0'),
      'node_modules/alias': entry('3.0.0', { name: 'real' }),
      'node_modules/tester': entry('4.0.0', { dev: true }),
      'node_modules/for-mac': entry('5.0.0', { optional: true, os: ['darwin'] }),
      'node_modules/for-linux': entry('6.0.0', { optional: true, os: ['linux'] }),
    },
  })
  assert.deepEqual(shown(scanTexts({ 'app/package-lock.json': lock })), [
    ...['npm @b/c 2.0.0', 'npm a 1.0.0', 'npm for-linux 6.0.0', 'npm real 3.0.0'],
  ])
  const installed = {
    'app/package-lock.json': lock,
    'app/node_modules/a/package.json': '{"name":"a","version":"1.0.1"}',
    'app/node_modules/a/package-lock.json': lock,
  }
  assert.deepEqual(shown(scanTexts(installed)), ['npm a 1.0.1'])
  assert.deepEqual(shown(scanTexts({ ...installed, 'tool/npm-shrinkwrap.json': lock })).length, 5)

  const old = JSON.stringify({
    lockfileVersion: 1,
    dependencies: {
      a: { version: '1.0.0', dependencies: { b: { version: 'npm:@x/real@2.0.0' } } },
      c: { version: 'git+https://example.org/c.git#abc' },
      d: { version: '3.0.0', dev: true },
    },
  })
  assert.deepEqual(shown(scanTexts({ 'package-lock.json': old })), [
    ...['npm @x/real 2.0.0', 'npm a 1.0.0', 'npm c'],
  ])
})

test('B4 a package that was removed and left its settings behind is not there', () => {
  const stanza = (status: string) =>
    `Package: dmsetup\nStatus: deinstall ok ${status}\nVersion: 2:1.02.185-2+b1\nSource: lvm2 (2.03.16-2)\n\n`
  assert.deepEqual(shown(scanTexts({ 'var/lib/dpkg/status': stanza('config-files') })), [])
  const { components } = scanTexts({ 'var/lib/dpkg/status': stanza('installed') })
  assert.deepEqual(
    components.map(({ version, source, purl }) => ({ version, source, purl })),
    [
      {
        version: '2:1.02.185-2+b1',
        source: { name: 'lvm2', version: '2.03.16-2' },
        purl: 'pkg:deb/debian/dmsetup@2:1.02.185-2%2Bb1?upstream=lvm2%402.03.16-2',
      },
    ],
  )
})

test('B4 a file that cannot be read is named, and takes no other one along', () => {
  const scan = scanTexts({
    'node_modules/a/package.json': '{"name":"a","version":',
    'node_modules/b/package.json': '{"name":"b","version":"1.0.0","license":{"type":"MIT"}}',
    'node_modules/b/lib/package.json': '{"name":"inner","version":"9.9.9"}',
  })
  assert.deepEqual(scan.unread, [{ path: 'node_modules/a/package.json', why: 'not JSON' }])
  assert.deepEqual(shown(scan), ['npm b 1.0.0'])
})

test('B4 attack: whatever stands in a file, the scan ends and names what it cannot read (property)', () => {
  const path = fc.constantFrom(
    ...['package.json', 'node_modules/a/package.json', 'var/lib/dpkg/status', 'etc/os-release'],
    ...['lib/apk/db/installed', 'a.dist-info/METADATA', 'bin/program'],
  )
  const text = fc.string({ unit: 'grapheme', maxLength: 200 }).map((one) => utf8Encode(one))
  const content = fc.oneof(fc.uint8Array({ maxLength: 300 }), text)
  fc.assert(
    fc.property(fc.array(fc.tuple(path, content), { maxLength: 8 }), (files) => {
      const scan = scanFiles(files.map(([name, bytes]) => [name, [bytes]]))
      for (const { purl } of scan.components) assert.match(purl, /^pkg:[a-z]+\/[!-~]+$/)
    }),
  )
})

test('B4 attack: a tree filled to exhaust whoever scans it is read in part, and says so', () => {
  const long = (name: string, version: string, licence: string) =>
    JSON.stringify({ name, version, license: licence })
  const named = scanTexts({
    'node_modules/a/package.json': long('a'.repeat(2000), '1.0.0', 'MIT'),
    'node_modules/b/package.json': long('b', '1.0.0', `MIT ${'x'.repeat(100_000)}`),
    'node_modules/c/package.json': ' '.repeat(2 * 1024 * 1024),
    'node_modules/d/package.json': long('d', '1.0.0', 'MIT'),
  })
  assert.deepEqual(shown(named), ['npm b 1.0.0', 'npm d 1.0.0'])
  assert.ok(named.components[0]!.licence.length <= 201)
  assert.equal(named.unreadCount, 2)

  const padding = utf8Encode(`Name: a\nVersion: 1.0\n\n${'\n'.repeat(1024 * 1024 - 100)}`)
  const many = scanFiles(
    Array.from({ length: 300 }, (_, i) => [`p${i}.dist-info/METADATA`, [padding]] as const),
  )
  assert.ok(many.components.length < 150)
  assert.equal(many.components.length + many.unreadCount, 300)
  assert.equal(many.unread.length, 100)

  const stanza = (i: number) => `Package: p${i}${'-'.repeat(900)}\nVersion: 1\n\n`
  const text = Array.from({ length: 15_000 }, (_, i) => stanza(i)).join('')
  const kept = scanTexts({ 'var/lib/dpkg/status': text })
  assert.ok(kept.components.length < 10_000)
  assert.deepEqual(
    kept.unread.map(({ why }) => why),
    ['the tree has more components than are listed'],
  )
})
