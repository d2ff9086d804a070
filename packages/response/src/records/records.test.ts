import assert from 'node:assert/strict'
import { test } from 'node:test'
import { utf8Encode } from '@seaworthy/std/bytes'
import fc from 'fast-check'
import { readCsaf, readEpss, readKev, readRecord } from './index.ts'

const encode = (value: unknown) =>
  utf8Encode(typeof value === 'string' ? value : JSON.stringify(value))

const kevEntry = (cve: string, more: object = {}) => ({
  ...{ cveID: cve, vendorProject: 'Example', product: 'Gateway', vulnerabilityName: 'Overflow' },
  ...{ dateAdded: '2026-01-02', dueDate: '2026-01-23', knownRansomwareCampaignUse: 'Unknown' },
  ...more,
})
const kev = (vulnerabilities: readonly unknown[], count = vulnerabilities.length) =>
  readKev(
    encode({
      ...{ catalogVersion: '2026.01.02', dateReleased: '2026-01-02T15:00:00Z', count },
      vulnerabilities,
    }),
  )

test('R13 KEV: what is known to be exploited, and entries that cannot be used are named', () => {
  const read = kev([
    kevEntry('CVE-2026-0001', { knownRansomwareCampaignUse: 'Known' }),
    kevEntry('CVE-2026-0001'),
    kevEntry('CVE-1'),
    kevEntry('CVE-2026-0002', { dateAdded: 'soon' }),
    kevEntry('CVE-2026-12345', { dueDate: '' }),
  ])
  assert.ok('entries' in read)
  assert.deepEqual(
    read.entries.map(({ cve, addedOn, dueOn, isUsedByRansomware }) => [
      ...[cve, addedOn, dueOn, isUsedByRansomware],
    ]),
    [
      ['CVE-2026-0001', '2026-01-02', '2026-01-23', true],
      ['CVE-2026-12345', '2026-01-02', '', false],
    ],
  )
  assert.deepEqual(read.faults, [
    'entry 2: CVE-2026-0001 is there twice',
    'entry 3: without the id of a CVE',
    'entry 4: without the day on which it was added',
  ])
})

test('R13 attack: a catalogue that was cut off is refused, because what is missing would look unexploited', () => {
  assert.deepEqual(kev([kevEntry('CVE-2026-0001')], 1400), {
    why: 'it says 1400 entries, and has 1',
  })
})

const epssHead =
  '#model_version:v2026.03.14,score_date:2026-11-01T00:00:00+0000\ncve,epss,percentile\n'

test('R13 EPSS: scores of one model and day, and lines that cannot be used are counted', () => {
  const rows = [
    'CVE-2026-0001,0.00043,0.0899',
    'CVE-2026-0002,1,1.00000',
    'CVE-2026-0003,8e-05,0.00321\r',
    ...['CVE-2026-0002,0.5,0.5', 'CVE-2026-0004,1.5,0.5', 'CVE-2026-0005,0.1'],
    ...['CVE-2026-0006,0.1,0.1,0.1', '=cmd(),0.1,0.1', 'CVE-2026-0007,,', 'x'.repeat(1000)],
  ]
  const read = readEpss(encode(epssHead + rows.join('\n')))
  assert.ok('scores' in read)
  assert.deepEqual([read.model, read.day], ['v2026.03.14', '2026-11-01'])
  assert.deepEqual(
    [...read.scores],
    [
      ['CVE-2026-0001', { score: 0.00043, percentile: 0.0899 }],
      ['CVE-2026-0002', { score: 1, percentile: 1 }],
      ['CVE-2026-0003', { score: 0.00008, percentile: 0.00321 }],
    ],
  )
  assert.equal(read.faultCount, 7)
  assert.equal(read.faults[0], 'line 6: not an id and two shares, or twice')
  assert.deepEqual(readEpss(encode('cve,epss,percentile\n')), { why: 'without its model and day' })
})

const csaf = (tree: object, vulnerabilities: readonly object[]) =>
  readCsaf(
    encode({
      document: {
        ...{ csaf_version: '2.0', category: 'csaf_security_advisory', title: 'Gateway' },
        publisher: { category: 'vendor', name: 'Example', namespace: 'https://example.org' },
        tracking: {
          ...{ id: 'EX-2026-1', version: '2', status: 'final' },
          initial_release_date: '2026-01-01T00:00:00Z',
          current_release_date: '2026-01-02T00:00:00Z',
        },
        distribution: { tlp: { label: 'WHITE' } },
      },
      product_tree: tree,
      vulnerabilities,
    }),
  )

test('R13 CSAF: products by branches, groups and relationships, with what is said of each', () => {
  const helper = { purl: 'pkg:generic/gateway@1.0' }
  const advisory = csaf(
    {
      branches: [
        {
          ...{ category: 'vendor', name: 'Example' },
          branches: [
            {
              ...{ category: 'product_version', name: '1.0' },
              product: {
                ...{ product_id: 'P1', name: 'Gateway 1.0' },
                product_identification_helper: helper,
              },
            },
          ],
        },
      ],
      full_product_names: [{ product_id: 'P2', name: 'Gateway 2.0' }],
      relationships: [
        {
          ...{
            category: 'installed_on',
            product_reference: 'P1',
            relates_to_product_reference: 'P2',
          },
          full_product_name: { product_id: 'P3', name: 'Gateway 1.0 on 2.0' },
        },
      ],
      product_groups: [{ group_id: 'G', product_ids: ['P2', 'P3'] }],
    },
    [
      {
        cve: 'CVE-2026-0001',
        product_status: { known_affected: ['P1', 'P9'], known_not_affected: ['P2', 'P3'] },
        flags: [{ label: 'vulnerable_code_not_present', group_ids: ['G'] }],
        remediations: [{ category: 'vendor_fix', details: 'Update.', product_ids: ['P1'] }],
        scores: [{ cvss_v3: { vectorString: 'CVSS:3.1/AV:N' }, products: ['P1'] }],
      },
      { ids: [{ system_name: 'X', text: '7' }], product_status: { fixed: ['P2'] } },
    ],
  )
  assert.ok('products' in advisory)
  const { products, vulnerabilities, faults, id, version, tlp } = advisory
  assert.deepEqual([id, version, tlp], ['EX-2026-1', '2', 'WHITE'])
  assert.deepEqual([...products.keys()], ['P1', 'P2', 'P3'])
  assert.equal(products.get('P1')!.purl, helper.purl)
  assert.deepEqual(
    products.get('P1')!.branches.map(({ name }) => name),
    ['Example', '1.0'],
  )
  const [first, second] = vulnerabilities
  assert.deepEqual(first!.products.known_affected, ['P1'])
  assert.deepEqual(first!.flags, [{ label: 'vulnerable_code_not_present', products: ['P2', 'P3'] }])
  assert.deepEqual(first!.scores, [{ vector: 'CVSS:3.1/AV:N', products: ['P1'] }])
  assert.deepEqual([second!.cve, second!.ids, second!.products.fixed], ['', ['7'], ['P2']])
  assert.deepEqual(faults, [
    'vulnerability 1: it speaks of products that the advisory does not name',
  ])
})

test('R13 attack: whatever a document says, it is read or set aside with a reason (property)', () => {
  const member = fc.constantFrom(
    ...['document', 'tracking', 'csaf_version', 'id', 'version', 'current_release_date'],
    ...['product_tree', 'branches', 'product', 'product_id', 'vulnerabilities', 'product_status'],
    ...['known_affected', 'scores', 'cvss_v3', 'cveID', 'dateAdded', 'catalogVersion', 'affected'],
    ...['modified', 'package', 'ranges', 'events', 'introduced', 'fixed', '__proto__'],
  )
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 5 },
      fc.constantFrom('2.0', '2026-01-01T00:00:00Z', 'CVE-2026-0001', '', '0', '\u001b[2J'),
      fc.constantFrom(null, true, 0, -1),
      fc.array(tie('value'), { maxLength: 3 }),
      fc.dictionary(member, tie('value'), { maxKeys: 6 }),
    ),
  }))
  fc.assert(
    fc.property(value, fc.string({ maxLength: 60 }), (document, text) => {
      const documents = [encode(document), encode(text), encode(epssHead + text)]
      for (const read of [readCsaf, readKev, readEpss, readRecord]) {
        for (const bytes of documents) {
          const result: object = read(bytes)
          assert.ok('why' in result || 'faults' in result)
        }
      }
    }),
  )
})
