/** What matchers get wrong again and again, one test for each. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { utf8Encode } from '@seaworthy/std/bytes'
import { readSbom } from '../components/index.ts'
import { readRecord } from '../records/index.ts'
import { judgeComponent } from './index.ts'

interface Said {
  readonly ecosystem: string
  readonly name: string
  readonly ranges?: readonly object[]
  readonly fixed?: string
  readonly more?: object
}

function verdictOf(purl: string, { ecosystem, name, fixed, more = {}, ...said }: Said) {
  const document = {
    ...{ bomFormat: 'CycloneDX', specVersion: '1.6' },
    components: [{ type: 'library', name: 'a', purl }],
  }
  const events = [{ introduced: '0' }, ...(fixed === undefined ? [] : [{ fixed }])]
  const ranges = said.ranges ?? [{ type: 'ECOSYSTEM', events }]
  const record = readRecord(
    utf8Encode(
      JSON.stringify({
        ...{ id: 'X-1', modified: '2026-01-01T00:00:00Z', ...more },
        affected: [{ package: { ecosystem, name }, ranges }],
      }),
    ),
  )
  assert.ok('id' in record)
  const [component] = readSbom(utf8Encode(JSON.stringify(document))).components
  return judgeComponent(component!, record)?.verdict
}
const openssl = (version: string, distro = 'debian-12.11') =>
  `pkg:deb/debian/libssl3@${version}?distro=${distro}&upstream=openssl`

test('R13 trap: a record about a distribution without its release says nothing certain', () => {
  const said = { ecosystem: 'Debian', name: 'openssl', fixed: '3.0.17-1' }
  assert.equal(verdictOf(openssl('3.0.16-1~deb12u1'), said), 'unknown')
  const alpine = { ecosystem: 'Alpine', name: 'openssl', fixed: '3.5.2-r0' }
  const apk = 'pkg:apk/alpine/libssl3@3.5.1-r0?distro=alpine-3.22.1&upstream=openssl'
  assert.equal(verdictOf(apk, alpine), 'unknown')
  assert.equal(verdictOf(apk, { ...alpine, ecosystem: 'Alpine:v3.22' }), 'affected')
})

test('R13 trap: a record about another release is not about the package', () => {
  const said = { ecosystem: 'Debian:13', name: 'openssl', fixed: '3.5.1-1' }
  assert.equal(verdictOf(openssl('3.0.16-1~deb12u1'), said), undefined)
  assert.equal(
    verdictOf(openssl('3.0.16-1~deb12u1'), { ...said, ecosystem: 'Ubuntu:12' }),
    undefined,
  )
})

test('R13 trap: a record is found by the source of a package, and not by its own name', () => {
  const said = { ecosystem: 'Debian:12', name: 'openssl', fixed: '3.0.17-1~deb12u1' }
  assert.equal(verdictOf(openssl('3.0.16-1~deb12u1'), said), 'affected')
  assert.equal(verdictOf(openssl('3.0.16-1~deb12u1'), { ...said, name: 'libssl3' }), undefined)
})

test('R13 trap: an epoch counts wherever it stands', () => {
  const said = { ecosystem: 'Debian:12', name: 'vim', fixed: '2:9.0.1378-2+deb12u2' }
  const distro = 'distro=debian-12'
  for (const [purl, verdict] of [
    [`pkg:deb/debian/vim@2:9.0.1378-2%2Bdeb12u2?${distro}`, 'fixed'],
    [`pkg:deb/debian/vim@9.0.1378-2%2Bdeb12u2?epoch=2&${distro}`, 'fixed'],
    [`pkg:deb/debian/vim@2%3A8.3.2-1?${distro}`, 'affected'],
    [`pkg:deb/debian/vim@8.3.2-1?epoch=2&${distro}`, 'affected'],
  ] as const) {
    assert.equal(verdictOf(purl, said), verdict, purl)
  }
})

test('R13 trap: a mend for one release of a distribution is seen by its suffix', () => {
  const said = { ecosystem: 'Debian:12', name: 'openssl', fixed: '3.0.15-1+deb12u2' }
  for (const [version, verdict] of [
    ['3.0.15-1', 'affected'],
    ['3.0.15-1~deb12u2', 'affected'],
    ['3.0.15-1%2Bdeb12u1', 'affected'],
    ['3.0.15-1%2Bdeb12u2', 'fixed'],
    ['3.0.15-1%2Bdeb12u10', 'fixed'],
  ] as const) {
    assert.equal(verdictOf(openssl(version), said), verdict, version)
  }
})

test('R13 trap: a record that was withdrawn gives no verdict', () => {
  const said = { ecosystem: 'npm', name: 'a', fixed: '2.0.0' }
  assert.equal(verdictOf('pkg:npm/a@1.0.0', said), 'affected')
  const more = { withdrawn: '2026-02-01T00:00:00Z' }
  assert.equal(verdictOf('pkg:npm/a@1.0.0', { ...said, more }), undefined)
})

test('R13 trap: a range of commits ends nothing, wherever it stands among the others', () => {
  const commits = { type: 'GIT', repo: 'https://example.org/a', events: [{ introduced: '0' }] }
  const versions = { type: 'ECOSYSTEM', events: [{ introduced: '0' }, { fixed: '2.0.0' }] }
  const later = { type: 'ECOSYSTEM', events: [{ introduced: '3.0.0' }, { fixed: '3.1.0' }] }
  for (const ranges of [
    [commits, versions, later],
    [versions, commits, later],
    [later, versions, commits],
  ]) {
    const said = { ecosystem: 'PyPI', name: 'a', ranges }
    assert.equal(verdictOf('pkg:pypi/a@1.0', said), 'affected')
    assert.equal(verdictOf('pkg:pypi/a@3.0.5', said), 'affected')
    assert.equal(verdictOf('pkg:pypi/a@2.5', said), 'fixed')
  }
})
