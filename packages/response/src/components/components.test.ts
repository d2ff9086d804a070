import assert from 'node:assert/strict'
import { test } from 'node:test'
import { utf8Encode } from '@seaworthy/std/bytes'
import { Refusal } from '@seaworthy/std/refusal'
import fc from 'fast-check'
import { judgeComponent } from '../matching/index.ts'
import { readRecord } from '../records/index.ts'
import { readSbom } from './index.ts'

const read = (document: unknown) => readSbom(utf8Encode(JSON.stringify(document)))
const cycloneDx = (components: unknown, more: object = {}) =>
  read({ bomFormat: 'CycloneDX', specVersion: '1.6', components, ...more })
const spdx = (packages: unknown, more: object = {}) =>
  read({ spdxVersion: 'SPDX-2.3', packages, ...more })
const ref = (purl: string) => ({
  externalRefs: [
    { referenceCategory: 'PACKAGE-MANAGER', referenceType: 'purl', referenceLocator: purl },
  ],
})

/**
 * Packages of one Debian machine: with an epoch that the source has not, with one that both have,
 * rebuilt, of the same source version, and with a suffix of the release.
 */
const machine = [
  { name: 'dmsetup', version: '2:1.02.185-2', source: ['lvm2', '2.03.16-2'] },
  {
    name: 'cryptsetup-bin',
    version: '2:2.6.1-4~deb12u2',
    source: ['cryptsetup', '2:2.6.1-4~deb12u2'],
  },
  {
    name: 'busybox-static',
    version: '1:1.35.0-4+deb12u1+b1',
    source: ['busybox', '1:1.35.0-4+deb12u1'],
  },
  { name: 'libssl3', version: '3.0.16-1~deb12u1', source: ['openssl', '3.0.16-1~deb12u1'] },
  { name: 'adduser', version: '3.134', source: ['adduser', '3.134'] },
] as const
const splitEpoch = (version: string) => {
  const [, epoch, rest = version] = /^(\d+):(.+)$/.exec(version) ?? []
  return { epoch, rest, qualifier: epoch === undefined ? '' : `&epoch=${epoch}` }
}
const qualified = (name: string, version: string, more = '&distro=debian-12.11') => {
  const { rest, qualifier } = splitEpoch(version)
  return `pkg:deb/debian/${name}@${encodeURIComponent(rest)}?arch=amd64${qualifier}${more}`
}
const system = { type: 'operating-system', name: 'debian', version: '12.11' }

const dialects = {
  'epoch as qualifier, source as properties': cycloneDx([
    system,
    ...machine.map(({ name, version, source: [srcName, srcVersion] }) => {
      const { epoch, rest } = splitEpoch(srcVersion)
      const [, upstream = rest, revision] = /^(.*)-([^-]*)$/.exec(rest) ?? []
      const said = { SrcName: srcName, SrcVersion: upstream, SrcRelease: revision, SrcEpoch: epoch }
      return {
        ...{ type: 'library', name, version: splitEpoch(version).rest },
        purl: qualified(name, version),
        properties: Object.entries(said).flatMap(([key, value]) =>
          value === undefined ? [] : [{ name: `aquasecurity:trivy:${key}`, value }],
        ),
      }
    }),
  ]),
  'epoch in the version, source in words': spdx(
    machine.map(({ name, version, source }) => ({
      ...{ name, versionInfo: version, sourceInfo: `built package from: ${source.join(' ')}` },
      ...ref(qualified(name, version)),
    })),
  ),
  'epoch in the package URL, source as upstream': cycloneDx(
    machine.map(({ name, version, source: [srcName, srcVersion] }) => {
      const isSame = srcVersion === version
      const upstream = isSame ? srcName : `${srcName}%40${encodeURIComponent(srcVersion)}`
      const own = srcName === name && isSame ? '' : `&upstream=${upstream}`
      const purl = `pkg:deb/debian/${name}@${encodeURIComponent(version)}?arch=amd64&distro=debian-12${own}`
      return { type: 'library', name, version, purl }
    }),
  ),
  'source as a package of its own, release as the system': spdx(
    [
      {
        SPDXID: 'SPDXRef-0',
        name: 'debian',
        versionInfo: '12.11',
        primaryPackagePurpose: 'OPERATING-SYSTEM',
      },
      ...machine.flatMap(({ name, version, source: [srcName, srcVersion] }) => [
        {
          ...{ SPDXID: `SPDXRef-${name}`, name, versionInfo: version },
          ...ref(`pkg:deb/debian/${name}@${encodeURIComponent(version)}?arch=amd64`),
        },
        {
          ...{ SPDXID: `SPDXRef-src-${name}`, name: srcName, versionInfo: srcVersion },
          ...ref(`pkg:deb/debian/${srcName}@${encodeURIComponent(srcVersion)}?arch=source`),
        },
      ]),
    ],
    {
      relationships: machine.map(({ name }) => ({
        spdxElementId: `SPDXRef-${name}`,
        relationshipType: 'GENERATED_FROM',
        relatedSpdxElement: `SPDXRef-src-${name}`,
      })),
    },
  ),
}

const recordOf = (ecosystem: string, name: string, fixed: string) => {
  const ranges = [{ type: 'ECOSYSTEM', events: [{ introduced: '0' }, { fixed }] }]
  const record = readRecord(
    utf8Encode(
      JSON.stringify({
        ...{ id: 'X-1', modified: '2026-01-01T00:00:00Z' },
        affected: [{ package: { ecosystem, name }, ranges }],
      }),
    ),
  )
  assert.ok('id' in record)
  return record
}

test('R13 the dialects of several tools say the same of one machine, and give the same verdicts', () => {
  const records = [
    recordOf('Debian:12', 'lvm2', '2.03.16-3'),
    recordOf('Debian:12', 'cryptsetup', '2:2.6.1-4~deb12u3'),
    recordOf('Debian:12', 'cryptsetup', '2:2.6.1-4~deb12u2'),
    recordOf('Debian:12', 'busybox', '1:1.35.0-4+deb12u1'),
    recordOf('Debian:12', 'busybox', '1:1.35.0-4+deb12u2'),
    recordOf('Debian:12', 'openssl', '3.0.17-1~deb12u1'),
    recordOf('Debian:12', 'adduser', '3.134'),
    // None is about another release, the name of a built package, or a package of another source.
    recordOf('Debian:11', 'openssl', '9'),
    recordOf('Debian:12', 'libssl3', '9'),
    recordOf('Debian:12', 'dmsetup', '9'),
    recordOf('Debian', 'openssl', '9'),
  ]
  const verdicts = Object.entries(dialects).map(([dialect, { components, others }]) => {
    assert.deepEqual(others, [], dialect)
    const built = components.filter(({ purl }) => !purl.includes('arch=source'))
    assert.deepEqual(
      built.map(({ name, version, release, subject }) => [name, version, release, subject]),
      machine.map(({ name, version, source }) => [
        ...[name, version, '12', { name: source[0], version: source[1] }],
      ]),
      dialect,
    )
    return records.map((record) =>
      built.flatMap((component) => {
        const verdict = judgeComponent(component, record)
        return verdict === undefined ? [] : [`${component.name} ${verdict.verdict}`]
      }),
    )
  })
  assert.deepEqual(verdicts[0], [
    ['dmsetup affected'],
    ['cryptsetup-bin affected'],
    ['cryptsetup-bin fixed'],
    ['busybox-static fixed'],
    ['busybox-static affected'],
    ['libssl3 affected'],
    ['adduser fixed'],
    ...[[], [], []],
    ['libssl3 unknown'],
  ])
  for (const other of verdicts) assert.deepEqual(other, verdicts[0])
})

test('R13 SPDX: what a document is about, folders and systems are no components of it', () => {
  const { components, others, isIncomplete } = spdx(
    [
      { SPDXID: 'SPDXRef-Release', name: 'gateway', versionInfo: '1.0' },
      { SPDXID: 'SPDXRef-a', name: 'a', ...ref('pkg:npm/a@1.0.0') },
      { SPDXID: 'SPDXRef-b', name: 'b' },
    ],
    {
      comment: 'Made from the content.\nNot read: node_modules/c/package.json: not JSON',
      relationships: [
        {
          ...{ spdxElementId: 'SPDXRef-DOCUMENT', relationshipType: 'DESCRIBES' },
          relatedSpdxElement: 'SPDXRef-Release',
        },
      ],
    },
  )
  assert.deepEqual([components.map(({ name }) => name), others], [['a'], ['b']])
  assert.equal(isIncomplete, true)
})

test('R13 an archive of Java whose group nobody knows is named as what no record can be about', () => {
  const { components, others } = cycloneDx([
    { type: 'library', name: 'guice', purl: 'pkg:generic/guice@4.2.3' },
    { type: 'library', name: 'core', purl: 'pkg:maven/core@1.0' },
    { type: 'library', name: 'codec', purl: 'pkg:maven/commons-codec/commons-codec@1.15' },
  ])
  assert.deepEqual(others, ['guice', 'core'])
  assert.deepEqual(components[0]!.subject, { name: 'commons-codec:commons-codec', version: '1.15' })
})

test('R13 attack: what is no bill of materials is refused, whatever it is (property)', () => {
  for (const document of [
    ...[null, [], {}, { bomFormat: 'CycloneDX' }, { spdxVersion: 'SPDX-3.0' }],
    { bomFormat: 'CycloneDX', specVersion: '1.1' },
    { bomFormat: 'CycloneDX', specVersion: '1.6', components: {} },
    { bomFormat: 'CycloneDX', specVersion: '1.6', components: [null] },
    { spdxVersion: 'SPDX-2.3', packages: {} },
    { spdxVersion: 'SPDX-2.3', packages: ['a'] },
  ]) {
    assert.throws(() => read(document), { code: 'sbom_malformed' })
  }
  const member = fc.constantFrom(
    ...['bomFormat', 'specVersion', 'components', 'spdxVersion', 'packages', 'externalRefs'],
    ...['purl', 'properties', 'relationships', 'sourceInfo', 'name', 'SPDXID'],
  )
  const text = fc.constantFrom('CycloneDX', '1.6', 'SPDX-2.3', 'pkg:deb/debian/a@1', '', '\u001b')
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      text,
      fc.constant(null),
      fc.array(tie('value'), { maxLength: 3 }),
      fc.dictionary(member, tie('value'), { maxKeys: 5 }),
    ),
  }))
  fc.assert(
    fc.property(value, fc.boolean(), (inner, isSpdx) => {
      const shell = isSpdx
        ? { spdxVersion: 'SPDX-2.3', packages: inner, relationships: inner }
        : { bomFormat: 'CycloneDX', specVersion: '1.6', components: inner }
      try {
        read(shell)
      } catch (error) {
        assert.ok(error instanceof Refusal && error.code === 'sbom_malformed')
      }
    }),
  )
})
