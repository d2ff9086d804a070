import assert from 'node:assert/strict'
import { test } from 'node:test'
import { utf8Encode } from '@seaworthy/std/bytes'
import { readPackages } from './packages.ts'

const read = (document: unknown) => readPackages(utf8Encode(JSON.stringify(document)))

test('R13 packages are listed with licences in each form that CycloneDX has for them', () => {
  const packages = read({
    components: [
      { type: 'operating-system', name: 'debian', version: '12' },
      { group: '@a', name: 'b', version: '1.0', purl: 'pkg:npm/%40a/b@1.0' },
      { name: 'c', licenses: [{ license: { id: 'MIT' } }, { license: { name: 'my own' } }] },
      { name: 'd', version: '2', licenses: [{ expression: 'MIT OR Apache-2.0' }] },
    ],
  })
  assert.deepEqual(packages, [
    { name: '@a/b', version: '1.0', purl: 'pkg:npm/%40a/b@1.0', licence: undefined },
    { name: 'c', version: '', purl: undefined, licence: 'MIT, my own' },
    { name: 'd', version: '2', purl: undefined, licence: 'MIT OR Apache-2.0' },
  ])
})

test('R13 attack: a document of another shape is refused, and no member of it is believed', () => {
  for (const document of [null, [], { components: {} }, 'text']) {
    assert.throws(() => read(document), { code: 'sbom_malformed' })
  }
  assert.deepEqual(
    read({ components: [null, { name: 7 }, { name: 'a', version: {}, licenses: [[], 7] }] }),
    [{ name: 'a', version: '', purl: undefined, licence: undefined }],
  )
})
