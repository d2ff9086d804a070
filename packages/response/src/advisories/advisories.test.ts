import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { anyCodePoint } from '@seaworthy/std/testing/any-code-point'
import type { AdvisoryContent, AdvisorySite, PublishedAdvisory } from './index.ts'
import {
  checkAdvisory,
  checkPublisher,
  checkWholeAdvisory,
  csafOf,
  fileNameOf,
  findAdvisoryFile,
  listSitePaths,
  osvOf,
  renderAdvisory,
  sharedFileOf,
} from './index.ts'

const publisher = {
  ...{ name: 'Harbour Works', namespace: 'https://harbour.example', prefix: 'HARBOUR' },
  ...{ baseUrl: 'https://harbour.example', contact: 'mailto:security@harbour.example' },
  ...{ scopeIn: 'All that we ship.', scopeOut: '', supported: [] },
}
const content: AdvisoryContent = {
  title: 'A crafted packet opens the sluice',
  summary: 'Whoever reaches port 4711 opens the sluice.',
  description: 'The sluice trusts anybody.',
  ...{ action: '', workaround: 'Close the port.', credits: ['Sam'] },
  ids: ['CVE-2026-12345', 'GHSA-2345-6789-cfgh'],
  affected: [
    { product: 'gateway', introduced: '1.0.0', fixed: '1.4.1' },
    { product: 'gateway', introduced: '2.0.0', fixed: null },
    { product: 'pump', introduced: null, fixed: '1.4.1' },
  ],
  cvss3: 'CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H',
  cvss4: 'CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N',
  references: [{ title: 'The tide table', url: 'https://tide.example/table' }],
}
const first = { at: new Date('2026-12-31T23:59:59Z'), what: 'First publication' }
const second = { at: new Date('2027-01-05T08:00:00Z'), what: 'The title' }
const advisory: PublishedAdvisory = {
  ...{ name: 'HARBOUR-2026-0001', content, changes: [first], withdrawnBecause: null },
}
const site = (text: string): AdvisorySite => ({
  ...{ publisher: { ...publisher, name: text, scopeIn: text }, setAt: first.at, now: second.at },
  heads: [
    {
      ...{ name: advisory.name, title: text, summary: text, credits: [text], score: 9.8 },
      ...{ isWithdrawn: false, isSigned: true, firstPublishedAt: first.at, changedAt: second.at },
    },
  ],
  openPgpKey: { fingerprint: 'A'.repeat(40), text: 'a key' },
  hasReportForm: true,
})

test('R10 the name of a file follows CSAF 2.0, 5.1', () => {
  assert.equal(fileNameOf('2022_#01-A'), '2022_01-a')
  assert.equal(fileNameOf('HARBOUR-2026-0001'), 'harbour-2026-0001')
})

test('R10 the same version gives the same bytes, and a correction or withdrawal says that it is one', () => {
  assert.equal(csafOf(publisher, advisory), csafOf(publisher, structuredClone(advisory)))
  const corrected = { ...advisory, changes: [first, second] }
  const { document } = JSON.parse(csafOf(publisher, corrected))
  assert.equal(document.tracking.version, '2')
  assert.equal(document.tracking.initial_release_date, '2026-12-31T23:59:59Z')
  assert.equal(document.tracking.current_release_date, '2027-01-05T08:00:00Z')
  const gone = { ...corrected, withdrawnBecause: 'It was the tide.' }
  const withdrawn = JSON.parse(csafOf(publisher, gone))
  assert.equal(withdrawn.document.category, 'csaf_base')
  assert.equal(withdrawn.vulnerabilities, undefined)
  assert.equal(JSON.parse(osvOf(publisher, gone)).withdrawn, '2027-01-05T08:00:00Z')
})

test('R10 what is affected without a fix, from a release on, and in every release before stands apart', () => {
  const { product_tree: tree, vulnerabilities } = JSON.parse(csafOf(publisher, advisory))
  const names = tree.branches[0].branches.map((product: { branches: { name: string }[] }) =>
    product.branches.map(({ name }) => name),
  )
  assert.deepEqual(names, [
    ['vers:generic/>=1.0.0|<1.4.1', '1.4.1', 'vers:generic/>=2.0.0'],
    ['vers:generic/<1.4.1', '1.4.1'],
  ])
  const [{ product_status: status, remediations }] = vulnerabilities
  assert.equal(status.known_affected.length, 3)
  assert.equal(status.fixed.length, 2)
  assert.deepEqual(
    remediations.map((one: { category: string; product_ids: string[] }) => [
      one.category,
      one.product_ids.length,
    ]),
    [
      ['vendor_fix', 2],
      ['none_available', 1],
      ['workaround', 3],
    ],
  )
})

test('R5 attack: no text of an advisory becomes markup, or a line or column of a list (property)', () => {
  const hostile = fc.oneof(
    fc.string({ unit: anyCodePoint, maxLength: 60 }),
    fc.constantFrom('</title><script>alert(1)</script>', '"\n=cmd|x', '&#60;img src=x>', ']]>'),
  )
  fc.assert(
    fc.property(hostile, (text) => {
      const page = renderAdvisory(
        { ...publisher, name: text },
        {
          ...advisory,
          content: { ...content, title: text, description: text, credits: [text], ids: [text] },
          changes: [{ ...first, what: text }],
          withdrawnBecause: text,
        },
      )
      assert.doesNotMatch(page, /<script|<img|javascript:/)
      const shown = site(text)
      const of = (path: string) => sharedFileOf(shown, path)!.text
      for (const path of ['/advisories/', '/advisories/policy.html', '/advisories/atom.xml']) {
        assert.doesNotMatch(of(path), /<script|<img/)
      }
      const lists = ['/.well-known/csaf/white/changes.csv', '/.well-known/csaf/white/index.txt']
      for (const path of lists) assert.equal(of(path).split('\n').length, 2)
      assert.equal(of('/.well-known/security.txt').split('\n').length, 10)
    }),
  )
})

test('R10 every path of the site is that of one file, and no other path is', () => {
  const shown = site('a title')
  const paths = listSitePaths(shown)
  assert.equal(new Set(paths).size, paths.length)
  for (const path of paths) {
    const found = [sharedFileOf(shown, path), findAdvisoryFile(shown, path)].filter(Boolean)
    assert.equal(found.length, 1, path)
  }
  for (const path of [
    '/advisories',
    '/advisories/x.html',
    '/advisories/__proto__',
    'constructor',
  ]) {
    assert.equal(sharedFileOf(shown, path), undefined)
    assert.equal(findAdvisoryFile(shown, path), undefined)
  }
})

describe('R5 what is refused', () => {
  const unfit = (part: Partial<AdvisoryContent>, code = 'advisory_unfit') =>
    assert.throws(() => checkAdvisory({ ...content, ...part }), { code }, JSON.stringify(part))

  test('R5 attack: what is not seen, what turns the writing, and addresses that run something', () => {
    checkWholeAdvisory(content)
    unfit({ title: 'a \u001b[31mred\u001b[0m title' })
    unfit({ title: 'two\nlines' })
    unfit({ title: ' a space' })
    unfit({ description: 'it turns \u202e here' })
    checkAdvisory({ ...content, description: 'a\n\tlist of\n\tlines' })
    for (const url of [
      'javascript:alert(1)',
      'http://plain.example',
      'https://a.example/">',
      'x',
    ]) {
      unfit({ references: [{ title: 'x', url }] })
    }
  })

  test('R5 ids, ranges and vectors that say nothing, or two things', () => {
    for (const id of ['CVE-2026-1', 'CVE-26-12345', 'cve-2026-12345', 'GHSA-xxxx-xxxx', '=1']) {
      unfit({ ids: [id] })
    }
    unfit({ ids: ['CVE-2026-12345', 'CVE-2026-12346'] })
    unfit({ ids: ['GHSA-2345-6789-cfgh', 'GHSA-2345-6789-cfgh'] })
    const range = (introduced: string, fixed: string) =>
      unfit({ affected: [{ product: 'gateway', introduced, fixed }] })
    range('1.10.0', '1.9.0')
    range('1.0.0', '1.0.0')
    range('spring', 'spring')
    checkAdvisory({
      ...content,
      affected: [{ product: 'gateway', introduced: 'spring', fixed: 'autumn' }],
    })
    unfit({ cvss3: 'CVSS:3.1/AV:N' }, 'vector_malformed')
    unfit({ cvss4: content.cvss3 }, 'vector_malformed')
  })

  test('R5 a draft may lack what is published only whole', () => {
    const draft = { ...content, summary: '', affected: [], cvss3: null, cvss4: null }
    checkAdvisory(draft)
    assert.throws(() => checkWholeAdvisory(draft), {
      code: 'advisory_incomplete',
      message: /lacks a summary, the releases that are affected, a vector/,
    })
  })

  test('R5 attack: a publisher whose contact or address would add a line to security.txt', () => {
    checkPublisher(publisher)
    const wrong = [
      { contact: 'mailto:a@b.example\nPolicy: https://evil.example' },
      { contact: 'tel:123' },
      { baseUrl: 'https://harbour.example/' },
      { baseUrl: 'https://user@harbour.example' },
      { baseUrl: 'https://harbour.example\n' },
    ]
    for (const part of wrong) {
      assert.throws(() => checkPublisher({ ...publisher, ...part }), { code: 'advisory_unfit' })
    }
  })
})
