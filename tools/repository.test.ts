import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import {
  acceptsNode,
  compareWithReview,
  listThirdParty,
  listTree,
  type Lock,
} from './dependency-rules.ts'
import { findCircles, listReached } from './import-graph.ts'
import { findDoubledNames } from './format-names.ts'
import { findDeadLinks } from './link-rules.ts'
import { findUnknownUpOptions } from './option-rules.ts'
import { listFiles, placeSource, readSources, repositoryRoot } from './source-tree.ts'
import { findDoubledTypes } from './type-names.ts'

interface PackageFile {
  exports?: Record<string, string>
  files?: string[]
  dependencies?: Record<string, string>
  optionalDependencies?: Record<string, string>
  devDependencies?: Record<string, string>
}

const readText = (path: string) => readFileSync(join(repositoryRoot, path), 'utf8')
const exists = (path: string) => existsSync(join(repositoryRoot, path))
const lock = (JSON.parse(readText('package-lock.json')) as { packages: Lock }).packages
const packageNames = readdirSync(join(repositoryRoot, 'packages'))
const readPackage = (name: string) =>
  JSON.parse(readText(`packages/${name}/package.json`)) as PackageFile

test('B11 every third-party package and version has its line in DEPENDENCIES.md, and no line is stale', () => {
  assert.ok(listThirdParty(lock).length > 20, 'the lock file was read')
  const { unreviewed, stale } = compareWithReview(lock, readText('DEPENDENCIES.md'))
  assert.deepEqual({ unreviewed, stale }, { unreviewed: [], stale: [] })
})

/** The folders of packages whose bytes the lock file does not fix. */
const findUnhashed = (packages: Lock) =>
  listThirdParty(packages)
    .filter(({ locked }) => !locked.integrity?.startsWith('sha512-'))
    .map(({ folder }) => folder)

test('B2 every locked package has a SHA-512 hash', () => {
  assert.deepEqual(findUnhashed(lock), [])
  const loose = {
    'node_modules/a': { version: '1.0.0', integrity: 'sha512-AA==' },
    'node_modules/b': { version: '1.0.0', integrity: 'sha1-AA==' },
    'node_modules/c': { version: '1.0.0' },
  }
  assert.deepEqual(findUnhashed(loose), ['node_modules/b', 'node_modules/c'])
  // A package's hash covers what it bundles.
  for (const path of listFiles('packages').filter((file) => file.endsWith('package-lock.json'))) {
    const { packages } = JSON.parse(readText(path)) as {
      packages: Record<string, { integrity?: string; inBundle?: boolean }>
    }
    const loose = Object.entries(packages).filter(
      ([folder, { integrity, inBundle }]) =>
        folder !== '' && inBundle !== true && !integrity?.startsWith('sha512-'),
    )
    assert.deepEqual(loose, [], path)
    assert.ok(Object.keys(packages).length > 100, path)
  }
})

test('the oldest Node that README promises to install with is refused by no package, so that npm warns of none', () => {
  const oldest = [20, 19, 0] as const
  const refusing = listThirdParty(lock).filter(
    ({ locked }) => !acceptsNode(locked.engines?.node ?? '*', oldest),
  )
  assert.deepEqual(
    refusing.map(({ folder, locked }) => `${folder}: ${locked.engines?.node}`),
    [],
  )
  for (const range of ['>=20.19', '^20.17.0 || >=22.9.0', '20 || >=22', '>= 14.6', '>=18 <21'])
    assert.ok(acceptsNode(range, oldest), range)
  for (const range of ['^22.22.2 || ^24.15.0 || >=26.0.0', '>=20.19.1', '^20.20.0', '>=18 <20'])
    assert.ok(!acceptsNode(range, oldest), range)
})

test('B11 install scripts do not run', () => {
  assert.match(readText('.npmrc'), /^ignore-scripts=true$/m)
})

test('the agent’s tree has at most 5 third-party packages, the server’s 60; std, trust and fleet have none', () => {
  for (const [name, countMax] of [
    ['agent', 5],
    ['server', 60],
    ['std', 0],
    ['trust', 0],
    ['fleet', 0],
  ] as const) {
    const tree = listTree(lock, `packages/${name}`)
    assert.ok(tree.length <= countMax, `${name} has ${tree.length}: ${tree.join(' ')}`)
  }
  assert.ok(listTree(lock, 'packages/server').some((p) => p.startsWith('postgres@')))
})

function findForeign({ dependencies, optionalDependencies, devDependencies }: PackageFile) {
  return Object.keys({ ...dependencies, ...optionalDependencies, ...devDependencies }).filter(
    (name) => !name.startsWith('@seaworthy/'),
  )
}

test('std, trust and fleet declare our own packages only', () => {
  for (const name of ['std', 'trust', 'fleet'])
    assert.deepEqual(findForeign(readPackage(name)), [], name)
  const loose = {
    dependencies: { '@seaworthy/std': '0.1.0', a: '1' },
    optionalDependencies: { b: '1' },
    devDependencies: { c: '1' },
  }
  assert.deepEqual(findForeign(loose), ['a', 'b', 'c'])
})

test('a lock file’s tree is followed through workspaces, nesting and platforms', () => {
  const small: Lock = {
    'packages/a': {
      dependencies: { '@seaworthy/b': '1', x: '1' },
      optionalDependencies: { z: '1' },
    },
    'packages/b': { dependencies: { y: '1' } },
    'node_modules/@seaworthy/b': { link: true, resolved: 'packages/b' },
    'node_modules/x': { version: '1.0.0', dependencies: { y: '2' } },
    'node_modules/x/node_modules/y': { version: '2.0.0' },
    'node_modules/y': { version: '1.0.0', integrity: 'sha1-x' },
  }
  assert.deepEqual(listTree(small, 'packages/a'), ['x@1.0.0', 'y@1.0.0', 'y@2.0.0'])
  assert.deepEqual(compareWithReview(small, '| `x` | 1.0.0 |\n| `y` | 1.0.0 |\n| `w` | 1.0.0 |'), {
    unreviewed: ['y@2.0.0'],
    stale: ['w@1.0.0'],
  })
  assert.throws(() => listTree({ 'packages/a': { dependencies: { x: '1' } } }, 'packages/a'))
})

function isAboutAScreen(text: string): boolean {
  const lines = text.trimEnd().split('\n').length
  return lines >= 5 && lines <= 60
}

test('every package has a README of about a screen', () => {
  assert.ok(packageNames.length >= 8)
  for (const name of packageNames) {
    const path = `packages/${name}/README.md`
    assert.ok(exists(path), `${path} is missing`)
    assert.ok(isAboutAScreen(readText(path)), path)
  }
  assert.ok(!isAboutAScreen('# a\n\nToo little.\n'))
  assert.ok(!isAboutAScreen('Too much.\n'.repeat(61)))
})

/** Subpaths that promise too much or lead nowhere. */
function findBadExports(exports: Record<string, string>, has: (path: string) => boolean): string[] {
  return Object.entries(exports)
    .filter(([subpath, target]) => !/^\.\/[a-z][a-z0-9/-]*$/.test(subpath) || !has(target))
    .map(([subpath]) => subpath)
}

test('packages export one subpath for each folder: no root barrel, no pattern, no dead end', () => {
  for (const name of packageNames) {
    const { exports = {}, files = [] } = readPackage(name)
    // What is built only when the package is packed lies in a folder that it ships.
    const isBuilt = (target: string) =>
      files.some((folder) => folder.startsWith('dist/') && target.startsWith(`./${folder}/`))
    assert.deepEqual(
      findBadExports(exports, (target) => isBuilt(target) || exists(`packages/${name}/${target}`)),
      [],
      name,
    )
  }
  const bad = { '.': './a.ts', './*': './a.ts', './gone': './gone.ts', './tuf': './a.ts' }
  assert.deepEqual(
    findBadExports(bad, (target) => target === './a.ts'),
    ['.', './*', './gone'],
  )
})

/** The numbers of migrations, in their order, that are not the place at which they stand. */
function findMisnumbered(paths: readonly string[]): string[] {
  const place = /^packages\/server\/src\/db\/migrations\/(\d{4})-/
  const numbers = paths.flatMap((path) => place.exec(path)?.[1] ?? [])
  return numbers.toSorted().filter((number, i) => Number(number) !== i + 1)
}

test('migrations are numbered from 1 without gap or double', () => {
  const folder = 'packages/server/src/db/migrations'
  const paths = listFiles()
  assert.ok(paths.filter((path) => path.startsWith(`${folder}/00`)).length >= 21)
  assert.deepEqual(findMisnumbered(paths), [])
  const at = (...names: string[]) => names.map((name) => `${folder}/${name}.sql`)
  assert.deepEqual(findMisnumbered(at('0001-a', '0003-c')), ['0003'])
  assert.deepEqual(findMisnumbered(at('0001-a', '0002-b', '0002-c')), ['0002'])
})

/** Numbers that more than one of these documents has. */
const findDoubledNumbers = (names: readonly string[]) => {
  const numbers = names.map((name) => name.slice(0, 4))
  return numbers.filter((number, i) => numbers.indexOf(number) < i)
}

/** Whether the title of an RFD names the number that its file has. */
const isTitled = (name: string, text: string) =>
  text.startsWith(`# RFD ${Number(name.slice(0, 4))}: `)

test('every RFD has a number of its own, which its title names', () => {
  const names = readdirSync(join(repositoryRoot, 'docs/rfd')).filter((name) => /^\d/.test(name))
  assert.ok(names.length > 40, 'the RFDs were read')
  assert.deepEqual(findDoubledNumbers(names), [])
  assert.deepEqual(
    names.filter((name) => !isTitled(name, readText(`docs/rfd/${name}`))),
    [],
  )
  assert.ok(isTitled('0002-b.md', '# RFD 2: b') && !isTitled('0002-b.md', '# RFD 3: b'))
  assert.deepEqual(findDoubledNumbers(['0001-a.md', '0002-b.md', '0002-c.md']), ['0002'])
})

test('links in the documentation lead somewhere', () => {
  const documents = listFiles().filter((path) => path.endsWith('.md'))
  assert.ok(documents.length > 5 && documents.includes('README.md'))
  const read = (path: string) => (exists(path) ? readText(path) : undefined)
  const dead = documents.flatMap((path) =>
    findDeadLinks(path, read, exists).map((target) => `${path}: ${target}`),
  )
  assert.deepEqual(dead, [])
})

test('every option of `seaworthy up` that a document names exists', () => {
  const documents = listFiles().filter((path) => path.endsWith('.md'))
  const unknown = documents.flatMap((path) =>
    findUnknownUpOptions(readText(path)).map((name) => `${path}: --${name}`),
  )
  assert.deepEqual(unknown, [])
  const text = '`seaworthy up --otlp-endpoint http://x --trace-ration 1` and `--other`'
  assert.deepEqual(findUnknownUpOptions(text), ['trace-ration'])
})

test('dead links are found, and only those', () => {
  const files: Record<string, string> = {
    'a.md': [
      '[ok](b/c.md) [ok](b/c.md#the-part) [ok](https://example.com/x) [ok](#here) [ok](b)',
      '[gone](d.md) [gone](b/c.md#no-part) [gone](#nowhere) [out](../x.md) ![gone](pic.svg)',
      '`[code](x.md)` [r]',
      '```\n[code](y.md)\n```',
      '[r]: e.md',
      '# Here',
    ].join('\n'),
    'b/c.md': '# C\n\n## The *part*\n',
  }
  assert.deepEqual(
    findDeadLinks(
      'a.md',
      (path) => files[path],
      (path) => path in files || path === 'b',
    ),
    ['d.md', 'b/c.md#no-part', '#nowhere', '../x.md', 'pic.svg', 'e.md'],
  )
})

test('no two files import each other, directly or in a circle, not even for types', () => {
  assert.deepEqual(findCircles(readSources()), [])
  const circle = [
    placeSource('packages/std/src/a.ts', "import type { B } from './b/b.ts'"),
    placeSource('packages/std/src/b/b.ts', "import { c } from './c.ts'"),
    placeSource('packages/std/src/b/c.ts', "export { a } from '../a.ts'"),
    placeSource('packages/std/src/d.ts', "import { a } from './a.ts'"),
  ]
  assert.deepEqual(findCircles(circle), [
    ['packages/std/src/a.ts', 'packages/std/src/b/b.ts', 'packages/std/src/b/c.ts'],
  ])
})

test('no two exported types of what ships have one name', () => {
  assert.deepEqual(findDoubledTypes(readSources()), [])
  const doubled = [
    placeSource('packages/agent/src/a.ts', 'export interface Step {}'),
    placeSource('packages/fleet/src/b.ts', "export type Step = 'a'\nexport class Other {}"),
    placeSource('packages/fleet/src/index.ts', "export type { Step } from './b.ts'"),
    placeSource('packages/fleet/src/b.test.ts', 'export class Other {}'),
    placeSource('packages/fleet/src/c.ts', 'interface Other {}\n// export interface Step'),
  ]
  assert.deepEqual(findDoubledTypes(doubled), [
    'Step: packages/agent/src/a.ts, packages/fleet/src/b.ts',
  ])
})

test('media types, annotations and the names of formats each stand in one file', () => {
  assert.deepEqual(findDoubledNames(readSources()), [])
  const doubled = [
    placeSource('packages/oci/src/a.ts', "const type = 'application/vnd.seaworthy.a.v1+json'"),
    placeSource('sim/src/b.ts', "const a = { type: 'application/vnd.seaworthy.a.v1+json' }"),
    placeSource('packages/oci/src/c.ts', "const name = 'dev.seaworthy.platform'"),
    placeSource('packages/oci/src/d.ts', '// dev.seaworthy.platform, `dev.seaworthy.platform`'),
    placeSource('packages/oci/src/e.test.ts', "const name = 'dev.seaworthy.platform'"),
    placeSource('packages/trust/src/f.ts', 'const text = `seaworthy-report-v1\\n${a}`'),
    placeSource('packages/server/src/g.ts', "const text = 'seaworthy-report-v1\\n'"),
    placeSource('packages/api/src/h.ts', "const text = 'signed over `seaworthy-report-v1`'"),
    placeSource('packages/agent/src/i.ts', "const code = 'waiting_for_restart'"),
    placeSource('packages/fleet/src/j.ts', "const code = 'waiting_for_restart'"),
    placeSource('packages/fleet/src/k.ts', "const is = code === 'waiting_for_restart'"),
  ]
  assert.deepEqual(findDoubledNames(doubled), [
    'application/vnd.seaworthy.a.v1+json: packages/oci/src/a.ts, sim/src/b.ts',
    'seaworthy-report-v1: packages/server/src/g.ts, packages/trust/src/f.ts',
    'waiting_for_restart of fleet: packages/fleet/src/j.ts, packages/fleet/src/k.ts',
  ])
})

test('V3 the fetcher’s code reaches nothing of the installer, its trust, its state or its keys', () => {
  const fetcher = 'packages/agent/src/fetcher/'
  const isBehindWall = (name: string) =>
    /^packages\/agent\/src\/(?:installer|state)\/|^@seaworthy\/trust\b/.test(name)
  const shipped = readSources().filter(({ isTest }) => !isTest)
  assert.deepEqual(listReached(shipped, fetcher).filter(isBehindWall), [])
  const taken = [
    placeSource(`${fetcher}a.ts`, "import type { A } from '../device/a.ts'"),
    placeSource('packages/agent/src/device/a.ts', "import { b } from '../state/b.ts'"),
    placeSource('packages/agent/src/state/b.ts', "import { c } from '@seaworthy/trust/keys'"),
  ]
  assert.deepEqual(listReached(taken, fetcher).filter(isBehindWall), [
    ...['@seaworthy/trust/keys', 'packages/agent/src/state/b.ts'],
  ])
})

/** The paths in a text, without those that stand for others. */
const listPaths = (text: string) =>
  [...text.matchAll(/`((?:packages|sim|tools|docs)\/[^`\s]+)`/g)]
    .map(([, path]) => path!)
    .filter((path) => !/[A-Z]{4}|[*…]/.test(path))

test('CONTRIBUTING.md names no file that is not there', () => {
  const named = listPaths(readText('CONTRIBUTING.md'))
  assert.ok(named.length > 10, `saw ${named.length} paths`)
  assert.deepEqual(
    named.filter((path) => !exists(path)),
    [],
  )
  const text = '`tools/test.ts`, `sim/gone.ts`, `docs/*.md` and `packages/NAME/src`'
  assert.deepEqual(listPaths(text), ['tools/test.ts', 'sim/gone.ts'])
  assert.ok(!exists('sim/gone.ts'))
})

function listRooms(text: string): string[] {
  const listed = /^\*\*The rooms of the server\.\*\*[^:]*?subject: ([^.]*)\./m.exec(text)
  return [...listed![1]!.matchAll(/`([a-z]+)`/g)].map(([, room]) => room!)
}

test('docs/ARCHITECTURE.md lists every room of the server, in order', () => {
  const rooms = listFiles()
    .map((path) => /^packages\/server\/src\/app\/([^/]+)\/index\.ts$/.exec(path)?.[1])
    .filter((room) => room !== undefined)
  assert.deepEqual(listRooms(readText('docs/ARCHITECTURE.md')), rooms.toSorted())
  const text = '**The rooms of the server.** Folders, one for each subject: `b`, `a`. Not `c`.'
  assert.deepEqual(listRooms(text), ['b', 'a'])
})
