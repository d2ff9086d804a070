import assert from 'node:assert/strict'
import { test } from 'node:test'
import { utf8Encode } from '@seaworthy/std/bytes'
import { Refusal } from '@seaworthy/std/refusal'
import fc from 'fast-check'
import type { VexDocument } from './document.ts'
import { readVexDocument, vexFormats, writeVexDocument } from './formats.ts'
import type { VexClaim } from './statement.ts'
import { requireSoundClaim, vexJustifications, vexStatuses } from './statement.ts'
import { isHarmlessText } from './texts.ts'

const now = new Date('2026-05-01T00:00:00Z')
const sound: VexClaim = {
  ...{ status: 'not_affected', justification: 'component_not_present', impact: '', action: '' },
  ...{ notes: '', evidence: [], isInherited: false, expiresAt: null },
}

test('R13 a statement says why it does not matter or what to do, and what is inherited ends', () => {
  const inDays = (days: number) => new Date(now.getTime() + days * 86_400_000)
  const cases: [Partial<VexClaim>, string | undefined][] = [
    [{}, undefined],
    [{ justification: null }, 'vex_statement_malformed'],
    [{ justification: null, impact: 'nobody can call it' }, undefined],
    [{ status: 'affected' }, 'vex_statement_malformed'],
    [{ status: 'affected', justification: null }, 'vex_statement_malformed'],
    [{ status: 'affected', justification: null, action: 'update' }, undefined],
    [{ status: 'fixed', justification: null }, undefined],
    [{ isInherited: true }, 'vex_statement_malformed'],
    [{ isInherited: true, expiresAt: inDays(366) }, undefined],
    [{ isInherited: true, expiresAt: inDays(367) }, 'vex_statement_malformed'],
    [{ expiresAt: now }, 'vex_statement_expired'],
    [{ impact: 'x'.repeat(4001) }, 'vex_statement_malformed'],
    [{ evidence: Array.from({ length: 17 }, () => 'x') }, 'vex_statement_malformed'],
    [{ evidence: [''] }, 'vex_statement_malformed'],
    [{ notes: 'bell\u0007' }, 'vex_statement_malformed'],
  ]
  for (const [more, code] of cases) {
    const check = () => requireSoundClaim({ ...sound, ...more }, now)
    if (code === undefined) check()
    else assert.throws(check, (error) => error instanceof Refusal && error.code === code)
  }
})

const text = fc
  .oneof(
    fc.string({ maxLength: 60 }),
    fc.constantFrom(
      '',
      'Review',
      'Review\nStated by: x',
      'Notes:\nx',
      'a\\nb',
      '\\',
      'Evidence: x\n',
    ),
  )
  .filter(isHarmlessText)
const second = fc
  .date({ min: new Date('2020-01-01T00:00:00Z'), max: now, noInvalidDate: true })
  .map((at) => new Date(Math.floor(at.getTime() / 1000) * 1000))
const statement = fc.record({
  vulnerability: fc.constantFrom('CVE-2026-0001', 'CVE-2026-12345', 'GHSA-abcd-efgh-ijkm', 'X-1'),
  purl: fc.constantFrom(
    'pkg:npm/tide@1.0.0',
    'pkg:deb/debian/a%2Bb@1:2?arch=amd64',
    'pkg:npm/%40a/b@1',
  ),
  status: fc.constantFrom(...vexStatuses),
  justification: fc.option(fc.constantFrom(...vexJustifications)),
  impact: text,
  action: text,
  notes: text,
  evidence: fc.array(
    text.filter((one) => one !== ''),
    { maxLength: 4 },
  ),
  isInherited: fc.boolean(),
  expiresAt: fc.option(second),
  author: text,
  statedAt: second,
})
const statements = fc
  .uniqueArray(statement, {
    maxLength: 6,
    selector: ({ vulnerability, purl }) => `${vulnerability} ${purl}`,
  })
  .map((some) => some.toSorted((a, b) => (sortText(a) < sortText(b) ? -1 : 1)))
const sortText = (one: { vulnerability: string; purl: string }) =>
  `${one.vulnerability} ${one.purl}`

for (const format of vexFormats) {
  test(`R13 no field of a statement is lost on the way through ${format}`, () => {
    fc.assert(
      fc.property(statements, fc.constantFrom('1.0.0', '2.0+a'), (some, version) => {
        const document: VexDocument = {
          ...{ id: 'https://example.org/vex/1', author: 'Harbour', issuedAt: now, product: 'web' },
          ...{ namespace: 'https://example.org', version, statements: some },
        }
        const read = readVexDocument(writeVexDocument(format, document))
        assert.ok(!('why' in read))
        assert.deepEqual([read.format, read.setAside, read.ignored], [format, [], []])
        assert.deepEqual(
          read.statements.toSorted((a, b) => (sortText(a) < sortText(b) ? -1 : 1)),
          some.map((one) => ({ ...one, product: 'web', version })),
        )
      }),
    )
  })
}

const read = (document: object) => {
  const answer = readVexDocument(utf8Encode(JSON.stringify(document)))
  assert.ok(!('why' in answer))
  return answer
}
const openVex = (statement: object, more: object = {}) => ({
  ...{ '@context': 'https://openvex.dev/ns/v0.2.0', '@id': 'x', author: 'Them', version: 1 },
  ...{ timestamp: '2026-01-02T03:04:05.678Z', statements: [statement], ...more },
})

test('R13 a statement of somebody else in OpenVEX is read with its author, and what is not kept is named', () => {
  const products = [
    { '@id': 'pkg:generic/web@1.0', subcomponents: [{ '@id': 'pkg:npm/tide@1.0.0' }] },
  ]
  const { statements, ignored } = read(
    openVex({
      ...{ vulnerability: { name: 'CVE-2026-1' }, products, status: 'affected' },
      ...{ action_statement: 'Update.', status_notes: 'Seen twice.', supplier: 'Someone' },
    }),
  )
  assert.equal(statements.length, 1)
  const [one] = statements
  assert.deepEqual(
    [one!.author, one!.notes, one!.action, one!.statedAt.toISOString()],
    ['Them', 'Seen twice.', 'Update.', '2026-01-02T03:04:05.000Z'],
  )
  assert.deepEqual(ignored, ['statements.supplier'])
})

test('R13 attack: statements on foreign products, of unknown words or without a component are set aside by name', () => {
  const about = (product: object | string) => ({
    ...{ vulnerability: { name: 'CVE-2026-1' }, products: [product], status: 'fixed' },
  })
  const part = [{ '@id': 'pkg:npm/tide@1.0.0' }]
  const cases: [object, RegExp][] = [
    [about({ '@id': 'pkg:oci/theirs@sha256%3A1', subcomponents: part }), /somebody else/],
    [about('pkg:generic/web@1.0'), /no component/],
    [{ ...about({ '@id': 'pkg:generic/web@1.0', subcomponents: part }), status: 'fine' }, /status/],
    [
      {
        ...about({ '@id': 'pkg:generic/web@1.0', subcomponents: part }),
        ...{ status: 'not_affected', justification: 'trust_me' },
      },
      /justification/,
    ],
    [{ status: 'fixed' }, /no vulnerability/],
  ]
  for (const [statement, why] of cases) {
    const { statements, setAside } = read(openVex(statement))
    assert.deepEqual(statements, [])
    assert.match(setAside[0]!.why, why)
  }
})

test('R13 attack: a document of crossed lists, of endless branches or of no known form is bounded', () => {
  const many = Array.from({ length: 300 }, () => ({ '@id': 'pkg:npm/tide@1.0.0' }))
  const products = Array.from({ length: 300 }, () => ({
    ...{ '@id': 'pkg:generic/web@1.0', subcomponents: many },
  }))
  const { statements } = read(
    openVex({ vulnerability: { name: 'CVE-2026-1' }, products, status: 'fixed' }),
  )
  assert.ok(statements.length <= 5001)
  let branches: object[] = []
  for (let i = 0; i < 25; i++) branches = [{ branches }]
  const deep = {
    document: { csaf_version: '2.0' },
    product_tree: { branches },
    vulnerabilities: [],
  }
  assert.deepEqual(read(deep).statements, [])
  for (const bytes of ['{}', '[]', 'null', 'nonsense', '{"bomFormat":1}', '[1'.repeat(70_000)]) {
    assert.ok('why' in readVexDocument(utf8Encode(bytes)), bytes.slice(0, 20))
  }
})

test('R13 a record that CycloneDX calls a false positive is not affected, and says so again', () => {
  const document = {
    ...{ bomFormat: 'CycloneDX', specVersion: '1.6' },
    metadata: {
      ...{ timestamp: '2026-01-02T03:04:05Z', component: { purl: 'pkg:generic/web@1.0' } },
    },
    components: [{ 'bom-ref': 'a', purl: 'pkg:npm/tide@1.0.0' }],
    vulnerabilities: [
      {
        id: 'CVE-2026-1',
        analysis: { state: 'false_positive', detail: 'another tide', response: ['will_not_fix'] },
        affects: [{ ref: 'a' }, { ref: 'gone' }],
      },
    ],
  }
  const { statements, setAside, ignored } = read(document)
  assert.deepEqual(
    statements.map(({ status, impact, notes }) => [status, impact, notes]),
    [['not_affected', 'another tide', 'State: false_positive\nResponse: will_not_fix']],
  )
  assert.deepEqual(ignored, [])
  assert.match(setAside[0]!.why, /no component/)
})
