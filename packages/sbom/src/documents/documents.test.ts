import assert from 'node:assert/strict'
import { test } from 'node:test'
import { utf8Encode } from '@seaworthy/std/bytes'
import { parseAnyJsonText } from '@seaworthy/std/json'
import { createScanner } from '../scan.ts'
import { documentKinds, formatDocument } from './index.ts'

const subject = {
  product: 'gateway',
  version: '1.0.0',
  platform: 'linux/amd64',
  digest: `sha256:${'0'.repeat(64)}`,
}
const packageJson = (name: string, licence: unknown) =>
  JSON.stringify({ name, version: '1.0.0', license: licence })
const files = {
  'node_modules/@a/b/package.json': packageJson('@a/b', 'MIT'),
  'node_modules/c/node_modules/@a/b/package.json': packageJson('@a/b', 'MIT'),
  'node_modules/c/package.json': packageJson('c', '(MIT OR Apache-2.0)'),
  'node_modules/d/package.json': packageJson('d', 'SEE LICENSE IN\nLICENSE'),
  'node_modules/e/package.json': packageJson('e', undefined),
  'node_modules/f/package.json': '{',
}

function scan(paths: readonly string[]) {
  const scanner = createScanner()
  for (const path of paths) {
    const bytes = utf8Encode(files[path as keyof typeof files])
    scanner.beginFile(path, bytes.length)
    scanner.writeFile(bytes)
    scanner.endFile()
  }
  return scanner.finish()
}
const whole = scan(Object.keys(files))

test('B4 a tree has one form of each document, in whatever order its files come', () => {
  const turned = scan(Object.keys(files).toReversed())
  for (const kind of documentKinds) {
    assert.equal(formatDocument(kind, turned, subject), formatDocument(kind, whole, subject))
  }
})

test('B4 CycloneDX: each package once with all its places, licences, and what could not be read', () => {
  const document = parseAnyJsonText(formatDocument('cyclonedx', whole, subject)) as {
    components: { purl: string; licenses?: object[]; evidence: { occurrences: object[] } }[]
    compositions: { aggregate: string }[]
  }
  assert.deepEqual(
    document.components.map(({ purl, licenses }) => [purl, licenses]),
    [
      ['pkg:npm/%40a/b@1.0.0', [{ license: { id: 'MIT' } }]],
      ['pkg:npm/c@1.0.0', [{ expression: 'MIT OR Apache-2.0' }]],
      ['pkg:npm/d@1.0.0', [{ license: { name: 'SEE LICENSE IN LICENSE' } }]],
      ['pkg:npm/e@1.0.0', undefined],
    ],
  )
  assert.equal(document.components[0]!.evidence.occurrences.length, 2)
  assert.equal(document.compositions[0]!.aggregate, 'incomplete')
})

test('B4 SPDX: words that are no identifier get a reference of their own', () => {
  const document = parseAnyJsonText(formatDocument('spdx', whole, subject)) as {
    packages: { name: string; licenseDeclared?: string }[]
    hasExtractedLicensingInfos: { licenseId: string; extractedText: string }[]
    comment: string
  }
  const [other] = document.hasExtractedLicensingInfos
  assert.equal(other!.extractedText, 'SEE LICENSE IN LICENSE')
  assert.deepEqual(
    document.packages.slice(1).map(({ name, licenseDeclared }) => `${name} ${licenseDeclared}`),
    ['@a/b MIT', 'c (MIT OR Apache-2.0)', `d ${other!.licenseId}`, 'e NOASSERTION'],
  )
  assert.match(document.comment, /Not read: node_modules\/f\/package\.json: not JSON$/)
})

test('B4 the list of packages has one line for each place', () => {
  assert.deepEqual(formatDocument('packages', whole, subject).split('\n'), [
    'type\tname\tversion\tlicence\tpath',
    'npm\t@a/b\t1.0.0\tMIT\tnode_modules/@a/b/package.json',
    'npm\t@a/b\t1.0.0\tMIT\tnode_modules/c/node_modules/@a/b/package.json',
    'npm\tc\t1.0.0\t(MIT OR Apache-2.0)\tnode_modules/c/package.json',
    'npm\td\t1.0.0\tSEE LICENSE IN LICENSE\tnode_modules/d/package.json',
    'npm\te\t1.0.0\t\tnode_modules/e/package.json',
    '# not read: node_modules/f/package.json: not JSON',
    '',
  ])
})
