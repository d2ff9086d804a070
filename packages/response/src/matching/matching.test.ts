import assert from 'node:assert/strict'
import { test } from 'node:test'
import { utf8Encode } from '@seaworthy/std/bytes'
import type { SbomComponent } from '../components/index.ts'
import { readCycloneDx } from '../components/index.ts'
import { readRecord } from '../records/index.ts'
import { judgeComponent } from './index.ts'

function componentOf(purl: string, more: object = {}): SbomComponent {
  const document = {
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    components: [{ type: 'library', name: 'a', purl, ...more }],
  }
  return readCycloneDx(utf8Encode(JSON.stringify(document))).components[0]!
}

interface Said {
  ecosystem?: string
  name?: string
  ranges?: unknown
  versions?: string[]
}

function recordOf(said: Said | readonly Said[], more: object = {}) {
  const list = Array.isArray(said) ? (said as readonly Said[]) : [said as Said]
  const affected = list.map(({ ecosystem = 'npm', name = 'a', ...others }) => ({
    package: { ecosystem, name },
    ...others,
  }))
  const record = readRecord(
    utf8Encode(JSON.stringify({ id: 'X-1', modified: '2026-01-01T00:00:00Z', affected, ...more })),
  )
  assert.ok('id' in record)
  return record
}
const range = (...events: object[]) => ({ type: 'ECOSYSTEM', events })
const git = { type: 'GIT', repo: 'https://example.org/a', events: [{ introduced: '0' }] }
const judge = (purl: string, said: Said | readonly Said[], more: object = {}) =>
  judgeComponent(componentOf(purl), recordOf(said, more))
const affected = (fixed?: string) => ({ verdict: 'affected', fixed, confidence: 'full' })

test('R13 a range with several beginnings, an end, and none', () => {
  const ranges = [
    range({ introduced: '0' }, { fixed: '1.2.0' }, { introduced: '2.0.0' }, { fixed: '2.1.0' }),
  ]
  assert.deepEqual(judge('pkg:npm/a@1.1.9', { ranges }), affected('1.2.0'))
  assert.deepEqual(judge('pkg:npm/a@1.2.0', { ranges }), { verdict: 'fixed' })
  assert.deepEqual(judge('pkg:npm/a@2.0.5', { ranges }), affected('2.1.0'))
  assert.deepEqual(judge('pkg:npm/a@3.0.0', { ranges }), { verdict: 'fixed' })
  const open = [range({ introduced: '1.0.0' })]
  assert.deepEqual(judge('pkg:npm/a@9.0.0', { ranges: open }), affected())
  assert.deepEqual(judge('pkg:npm/a@0.9.0', { ranges: open }), { verdict: 'not_affected' })
  const last = [range({ introduced: '1.0.0' }, { last_affected: '1.5.0' })]
  assert.deepEqual(judge('pkg:npm/a@1.5.0', { ranges: last }), affected())
  assert.deepEqual(judge('pkg:npm/a@1.5.1', { ranges: last }), { verdict: 'fixed' })
})

test('R13 a range of commits before the others does not end the evaluation', () => {
  const ranges = [git, range({ introduced: '0' }, { fixed: '2.0.0' })]
  assert.deepEqual(judge('pkg:npm/a@1.0.0', { ranges }), affected('2.0.0'))
  assert.deepEqual(judge('pkg:npm/a@1.0.0', { ranges: [git] }), {
    ...{ verdict: 'unknown', reason: 'git_only' },
  })
})

test('R13 events in any order, and versions that are listed without a range', () => {
  const ranges = [range({ fixed: '2.0.0' }, { introduced: '1.0.0' })]
  assert.deepEqual(judge('pkg:npm/a@1.5.0', { ranges }), affected('2.0.0'))
  assert.deepEqual(judge('pkg:npm/a@1.5.0', { versions: ['1.5.0'] }), affected())
  assert.deepEqual(judge('pkg:npm/a@1.5.1', { versions: ['1.5.0'] }), { verdict: 'not_affected' })
})

test('R13 a package of a distribution is judged by its source, with its epoch, for its release', () => {
  const said = {
    ...{ ecosystem: 'Debian:12', name: 'lvm2' },
    ranges: [range({ introduced: '0' }, { fixed: '2.03.16-3' })],
  }
  const distro = 'distro=debian-12.11'
  for (const [purl, more] of [
    [`pkg:deb/debian/dmsetup@2:1.02.185-2?${distro}&upstream=lvm2%402.03.16-2`, {}],
    [
      `pkg:deb/debian/dmsetup@1.02.185-2?epoch=2&${distro}`,
      {
        properties: [
          { name: 'aquasecurity:trivy:SrcName', value: 'lvm2' },
          { name: 'aquasecurity:trivy:SrcVersion', value: '2.03.16' },
          { name: 'aquasecurity:trivy:SrcRelease', value: '2' },
        ],
      },
    ],
  ] as const) {
    const component = componentOf(purl, more)
    assert.equal(component.version, '2:1.02.185-2')
    assert.deepEqual(judgeComponent(component, recordOf(said)), affected('2.03.16-3'))
    assert.equal(
      judgeComponent(component, recordOf({ ...said, ecosystem: 'Debian:11' })),
      undefined,
    )
    assert.deepEqual(judgeComponent(component, recordOf({ ...said, ecosystem: 'Debian' })), {
      ...{ verdict: 'unknown', reason: 'record_without_release' },
    })
    assert.equal(judgeComponent(component, recordOf({ ...said, name: 'dmsetup' })), undefined)
  }
  const rebuilt = componentOf(`pkg:deb/debian/a@1.0-1%2Bb2?${distro}`)
  assert.equal(rebuilt.subject.version, '1.0-1')
})

test('R13 what cannot be decided is unknown with its reason, and never clean', () => {
  const ranges = [range({ introduced: '0' }, { fixed: '2.0.0' })]
  const unknown = (reason: string) => ({ verdict: 'unknown', reason })
  assert.deepEqual(judge('pkg:npm/a', { ranges }), unknown('component_without_version'))
  assert.deepEqual(judge('pkg:npm/a@latest', { ranges }), unknown('version_unreadable'))
  const odd = [range({ introduced: 'first' })]
  assert.deepEqual(judge('pkg:npm/a@1.0.0', { ranges: odd }), unknown('range_unreadable'))
  assert.deepEqual(
    judge('pkg:deb/debian/a@1.0-1', { ecosystem: 'Debian:12', ranges }),
    unknown('component_without_release'),
  )
})

test('R13 a version that only a commit has is told apart', () => {
  const ranges = [range({ introduced: '0' }, { fixed: '0.38.0' })]
  const go = { ecosystem: 'Go', name: 'golang.org/x/net', ranges }
  const purl = (version: string) => `pkg:golang/golang.org/x/net@${version}`
  assert.deepEqual(judge(purl('v0.37.0'), go), affected('0.38.0'))
  assert.deepEqual(judge(purl('v0.0.0-20200101120000-abcdefabcdef'), go), {
    ...affected('0.38.0'),
    confidence: 'low',
  })
})

test('R13 a record that was withdrawn says nothing any more', () => {
  const ranges = [range({ introduced: '0' })]
  assert.equal(
    judge('pkg:npm/a@1.0.0', { ranges }, { withdrawn: '2026-02-01T00:00:00Z' }),
    undefined,
  )
})

test('R13 names of Python are the same however they are written', () => {
  const said = { ecosystem: 'PyPI', name: 'Flask_Login', ranges: [range({ introduced: '0' })] }
  assert.deepEqual(judge('pkg:pypi/flask-login@0.6.3', said), affected())
})

test('R13 what is wrong in a record is set aside by its reason, and the rest is used', () => {
  const record = recordOf([
    { ranges: range({ introduced: '0' }) },
    { ranges: [{ type: 'ECOSYSTEM', events: [{ introduced: '0', fixed: '1.0.0' }] }] },
    { ranges: [range({ fixed: '1.0.0' })], versions: ['1.0.0'] },
    { ranges: [range({ introduced: '0' }, { fixed: '3.0.0' })] },
  ])
  assert.deepEqual(record.faults, [
    'affected 1: ranges is not a list, it has neither ranges nor versions',
    'affected 2: range 1: an event says not exactly one thing, it has neither ranges nor versions',
    'affected 3: range 1: no version introduced it',
  ])
  assert.deepEqual(judgeComponent(componentOf('pkg:npm/a@2.0.0'), record), affected('3.0.0'))
  for (const [text, why] of [
    ['{', 'not JSON'],
    ['[]', 'not an object'],
    ['{"modified":"2026-01-01T00:00:00Z"}', 'without an id'],
    ['{"id":"X-1"}', 'without the instant of its last change'],
  ] as const) {
    assert.deepEqual(readRecord(utf8Encode(text)), { why })
  }
})
