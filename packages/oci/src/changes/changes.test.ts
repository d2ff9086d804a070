import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { utf8Encode } from '@seaworthy/std/bytes'
import { requireLinearWork } from '@seaworthy/std/testing'
import type { FileEntry } from '../bundle/file-list.ts'
import { listNamedPaths } from './commands.ts'
import { compareTrees, describeChanges } from './tree-changes.ts'
import type { ComparedTree, PlatformTree } from './platform-trees.ts'

const file = (path: string, mode: '0644' | '0755', size: number): FileEntry => ({
  ...{ type: 'file', path, size, mode },
  sha256: 'a'.repeat(64),
})

/** A release of one platform, as if computed from its content. */
function treeOf(
  entries: readonly FileEntry[],
  start: readonly string[] = ['./bin/app'],
  exec?: readonly string[],
): ComparedTree {
  const tree: PlatformTree = {
    kind: 'files',
    files: { entries },
    bytes: 1000,
    manifest: utf8Encode(
      JSON.stringify({ start, ...(exec === undefined ? {} : { health: { exec } }) }),
    ),
  }
  return { platforms: new Map([['linux/amd64', tree]]) }
}

const manifest = file('seaworthy.json', '0644', 20)
const numbered = (count: number, name: (number: string) => string) =>
  Array.from({ length: count }, (_, i) => name(String(i).padStart(4, '0')))

test('T11 attack: a command and an executable in letters that look like those before are spelled out', () => {
  const program = file('bin/app', '0755', 10)
  const before = treeOf([program, manifest])
  // Cyrillic letters.
  const alike = 'bin/\u0430\u0440\u0440'
  const after = treeOf([program, file(alike, '0755', 10), manifest], [`./${alike}`])
  const { lines } = describeChanges(compareTrees(before, after))
  const spelled = '(not ASCII: \u0430 is \\u{430}, \u0440 is \\u{440})'
  const marked = lines.filter((line) => line.startsWith('! '))
  assert.equal(marked.length, 2)
  const started = lines.filter((line) => line.trimStart().startsWith('starts '))
  const entry = lines.filter((line) => line.startsWith(`  + ${alike}`))
  for (const line of [...marked, ...started, ...entry]) assert.ok(line.endsWith(spelled), line)
  assert.deepEqual([started.length, entry.length], [1, 1])
  const first = describeChanges(compareTrees(undefined, after)).lines.join('\n')
  assert.ok(first.includes(spelled))
  assert.doesNotMatch(
    describeChanges(compareTrees(undefined, before)).lines.join('\n'),
    /not ASCII/,
  )
})

test('T11 attack: a changed executable hidden behind many changed texts is marked, shown, and first', () => {
  const texts = numbered(100, (number) => `aa/${number}.txt`)
  const release = (size: number) =>
    treeOf([
      ...texts.map((path) => file(path, '0644', size)),
      file('bin/helper', '0755', 10 + size),
      manifest,
    ])
  const changes = compareTrees(release(1), release(2))
  const { lines, leftOut } = describeChanges(changes)
  assert.equal(lines[0], '! linux/amd64  ~ bin/helper  11 B -> 12 B: executable')
  assert.match(lines[3]!, /^ {2}~ bin\/helper/)
  assert.match(
    lines.at(-1)!,
    /and 41 more \(--all shows them\), neither .*: 41 changed \(41 \.txt\)$/,
  )
  assert.equal(leftOut.lines.length, 41)
  const all = describeChanges(changes, { all: true })
  assert.equal(all.lines.length, 1 + 2 + 101)
  assert.deepEqual(all.leftOut, { lines: [], kinds: [] })
})

test('T11 attack: the script that start hands to an interpreter is never cut, in a first release neither', () => {
  const texts = numbered(100, (number) => `aa/${number}.txt`)
  const release = (size: number) =>
    treeOf(
      [
        ...texts.map((path) => file(path, '0644', size)),
        file('zz/server.js', '0644', 10 + size),
        { type: 'symlink', path: 'zz/tool', target: 'tool.bin' },
        file('zz/tool.bin', '0755', 1),
        manifest,
      ],
      ['node', 'zz/server.js'],
    )
  const [first, second] = [release(1), release(2)]
  const shownFirst = describeChanges(compareTrees(undefined, first)).lines
  assert.deepEqual(shownFirst.slice(2, 5), [
    '  + zz/server.js  11 B',
    '  + zz/tool -> tool.bin',
    '  + zz/tool.bin  1 B  executable',
  ])
  assert.equal(
    describeChanges(compareTrees(first, second)).lines[0],
    '! linux/amd64  ~ zz/server.js  11 B -> 12 B: seaworthy.json runs it',
  )
})

const link = (path: string, target: string): FileEntry => ({ type: 'symlink', path, target })
const node = '/usr/bin/node'

for (const [how, start, script, others = [], exec] of [
  ['through a link', [node, 'main.mjs'], 'zz/real.mjs', [link('main.mjs', 'zz/real.mjs')]],
  ['through a linked folder', [node, 'now/app.mjs'], 'zz/app.mjs', [link('now', 'zz')]],
  ['through two links', [node, 'a/app'], 'zz/app', [link('a', 'b'), link('b', 'zz')]],
  ['beside a linked folder', [node, 'now/../app.mjs'], 'zz/app.mjs', [link('now', 'zz/deep')]],
  ['by its folder', ['/usr/bin/python3', 'zz'], 'zz/__main__.py'],
  ['without its ending', [node, './zz/app'], 'zz/app.js'],
  ['in an option', [node, '--import=./zz/first.mjs', 'ok.mjs'], 'zz/first.mjs'],
  ['in a line for a shell', ['/bin/sh', '-c', '. ./zz/run.sh'], 'zz/run.sh'],
  ['in an option of env', ['-S/bin/sh ./zz/run.sh'], 'zz/run.sh'],
  ['for health', ['./ok'], 'zz/h.sh', [link('h.sh', 'zz/h.sh')], ['/bin/sh', 'h.sh']],
] as const satisfies readonly (readonly [
  string,
  readonly string[],
  string,
  (readonly FileEntry[])?,
  (readonly string[])?,
])[]) {
  test(`T11 attack: a changed script that is named ${how} is marked and never cut`, () => {
    const release = (size: number) => {
      const texts = numbered(80, (number) => `aa/${number}.txt`)
      const entries = [
        ...texts.map((path) => file(path, '0644', size)),
        ...others,
        file(script, '0644', size),
        manifest,
      ]
      return treeOf(entries, start, exec)
    }
    const { lines } = describeChanges(compareTrees(release(1), release(2)))
    assert.equal(lines[0], `! linux/amd64  ~ ${script}  1 B -> 2 B: seaworthy.json runs it`)
    assert.ok(lines.slice(1).some((line) => line.includes(`~ ${script}`)))
  })
}

test('T11 attack: a seaworthy.json of many words costs no more than its words and files', () => {
  const word = (i: number) => `q${i}`
  const start = Array.from({ length: 4000 }, (_, i) => word(i % 100))
  const entries = numbered(20_000, (number) => `d/${number}`).map((path) => file(path, '0644', 1))
  const tree = treeOf([...entries, manifest], start).platforms.get('linux/amd64')!
  assert.ok(tree.kind === 'files')
  requireLinearWork(
    'finding what seaworthy.json names',
    () => new Map([...entries.map(({ path }) => path), ...start].toSorted().entries()),
    () => listNamedPaths(tree),
  )
})

test('T11 whatever changed, each entry is either shown or left out with its kind, and nothing that can run is left out (property)', () => {
  const path = fc
    .tuple(fc.constantFrom('a', 'bin', 'lib/deep'), fc.nat(150), fc.constantFrom('', '.js', '.so'))
    .map(([folder, number, ending]) => `${folder}/${number}${ending}`)
  const entry = fc.record({
    path,
    mode: fc.constantFrom<'0644' | '0755'>('0644', '0644', '0644', '0755'),
    size: fc.integer({ min: 1, max: 3 }),
  })
  const entries = fc
    .uniqueArray(entry, { selector: (one) => one.path, minLength: 50, maxLength: 250 })
    .map((all) =>
      all
        .map((one): FileEntry => file(one.path, one.mode, one.size))
        .toSorted((a, b) => (a.path < b.path ? -1 : 1)),
    )
  fc.assert(
    fc.property(entries, entries, path, (before, after, started) => {
      const changes = compareTrees(
        treeOf(before, ['node', started]),
        treeOf(after, ['node', started]),
      )
      const [change] = changes
      const { lines, leftOut } = describeChanges(changes)
      const all = describeChanges(changes, { all: true })
      const total = change!.added.length + change!.removed.length + change!.changed.length
      const shown = lines.filter((line) => /^ {2}[~+-] /.test(line))
      assert.equal(shown.length + leftOut.lines.length, total)
      const left = leftOut.lines.map((line) => line.replace('linux/amd64', ''))
      assert.deepEqual(
        [...shown, ...left].toSorted(),
        all.lines.filter((line) => /^ {2}[~+-] /.test(line)).toSorted(),
      )
      assert.equal(leftOut.kinds.length, leftOut.lines.length === 0 ? 0 : 1)
      const runnable = [...change!.added, ...change!.changed.map((one) => one.after)].filter(
        (one) => (one.type === 'file' && one.mode === '0755') || one.path === started,
      )
      for (const one of runnable) {
        const isOf = (line: string) => line.includes(` ${one.path}  `)
        assert.ok(shown.some(isOf), one.path)
        assert.ok(
          lines.some((line) => line.startsWith('! ') && isOf(line)),
          one.path,
        )
        assert.ok(!left.some(isOf), one.path)
      }
    }),
    { numRuns: 60 },
  )
})
