/** Statements in CSAF 2.0, profile VEX. */
import { formatInstant } from '@seaworthy/std/time'
import type { Json } from '@seaworthy/std/json'
import type { ReadVexDocument, VexDocument } from './document.ts'
import { VexCollector } from './document.ts'
import { isCommon, nearestOf } from './justifications.ts'
import type { Members } from './members.ts'
import { instantOf, listOf, membersOf, textOf } from './members.ts'
import type { ReleaseName } from './products.ts'
import { readReleasePurl, releasePurl } from './products.ts'
import { readReview, writeReview } from './review.ts'
import type { VexStatus } from './statement.ts'

const releaseId = 'release'
const partId = (purl: string) => `${releaseId}:${purl}`
const aboutPrefix = 'About '

const statusMembers = [
  ['known_not_affected', 'not_affected'],
  ['known_affected', 'affected'],
  ['first_affected', 'affected'],
  ['last_affected', 'affected'],
  ['fixed', 'fixed'],
  ['first_fixed', 'fixed'],
  ['under_investigation', 'under_investigation'],
] as const satisfies readonly (readonly [string, VexStatus])[]

const memberOf: Record<VexStatus, string> = {
  not_affected: 'known_not_affected',
  affected: 'known_affected',
  fixed: 'fixed',
  under_investigation: 'under_investigation',
}

export function writeCsafVex(document: VexDocument): Json {
  const { id, author, namespace, product, version, issuedAt, statements } = document
  const at = formatInstant(issuedAt)
  const purls = [...new Set(statements.map(({ purl }) => purl))]
  const byVulnerability = Map.groupBy(statements, ({ vulnerability }) => vulnerability)
  return {
    document: {
      category: 'csaf_vex',
      csaf_version: '2.0',
      lang: 'en',
      title: `Vulnerabilities in ${product} ${version}`,
      publisher: { category: 'vendor', name: author, namespace },
      tracking: {
        ...{ id, version: '1', status: 'final', initial_release_date: at },
        current_release_date: at,
        revision_history: [{ number: '1', date: at, summary: 'First version.' }],
      },
    },
    product_tree: {
      branches: [
        {
          ...{ category: 'vendor', name: author },
          branches: [
            {
              ...{ category: 'product_name', name: product },
              branches: [
                {
                  ...{ category: 'product_version', name: version },
                  product: named(releaseId, `${product} ${version}`, releasePurl(document)),
                },
              ],
            },
          ],
        },
      ],
      full_product_names: purls.map((purl) => named(purl, purl, purl)),
      relationships: purls.map((purl) => ({
        category: 'default_component_of',
        product_reference: purl,
        relates_to_product_reference: releaseId,
        full_product_name: {
          product_id: partId(purl),
          name: `${purl} in ${product} ${version}`,
        },
      })),
    },
    vulnerabilities: [...byVulnerability].map(([name, about]) => writeVulnerability(name, about)),
  }
}

function named(id: string, name: string, purl: string): Json {
  return { product_id: id, name, product_identification_helper: { purl } }
}

function writeVulnerability(name: string, about: VexDocument['statements']): Json {
  const byStatus = Map.groupBy(about, ({ status }) => status)
  const idsOf = (some: VexDocument['statements']) => some.map(({ purl }) => partId(purl))
  const flags = about.flatMap(({ purl, justification }) => {
    const label = nearestOf(justification)
    return label === null ? [] : [{ label, product_ids: [partId(purl)] }]
  })
  const threats = about
    .filter(({ impact }) => impact !== '')
    .map(({ purl, impact }) => ({
      ...{ category: 'impact', details: impact, product_ids: [partId(purl)] },
    }))
  const remediations = about
    .filter(({ action }) => action !== '')
    .map(({ purl, action }) => ({
      ...{ category: 'mitigation', details: action, product_ids: [partId(purl)] },
    }))
  return {
    ...(/^CVE-\d{4}-\d{4,}$/.test(name)
      ? { cve: name }
      : { ids: [{ system_name: name.split('-')[0]!, text: name }] }),
    product_status: Object.fromEntries(
      [...byStatus].map(([status, some]) => [memberOf[status], idsOf(some)]),
    ),
    ...(flags.length === 0 ? {} : { flags }),
    ...(threats.length === 0 ? {} : { threats }),
    ...(remediations.length === 0 ? {} : { remediations }),
    notes: about.map((one) => ({
      category: 'other',
      title: aboutPrefix + partId(one.purl),
      text: writeReview({
        ...one,
        justification:
          nearestOf(one.justification) === one.justification ? null : one.justification,
      }),
    })),
  }
}

/** A release and one of its components, by the id that statements name. */
type Targets = ReadonlyMap<string, ReleaseName & { readonly purl: string }>

const known = [
  ...['cve', 'ids', 'title', 'product_status', 'flags', 'threats', 'remediations', 'notes'],
]

export function readCsafVex(root: Members): ReadVexDocument {
  const found = new VexCollector()
  const document = membersOf(root['document'])
  const author = textOf(membersOf(document['publisher'])['name'])
  const issued = instantOf(membersOf(document['tracking'])['current_release_date'])
  const targets = readTargets(membersOf(root['product_tree']))
  for (const [i, value] of listOf(root['vulnerabilities']).entries()) {
    const one = membersOf(value)
    found.keepOnly('vulnerabilities', one, known)
    const [first] = listOf(one['ids'])
    const vulnerability = textOf(one['cve']) || textOf(membersOf(first)['text'])
    const label = `vulnerability ${i + 1} (${vulnerability})`
    if (vulnerability === '') found.refuse(label, 'it names no vulnerability')
    else if (issued === undefined) found.refuse(label, 'its document does not say when it was made')
    else readStatements(one, { found, label, vulnerability, author, issued, targets })
    if (found.isFull) break
  }
  return found.finish('csaf')
}

interface Reading {
  readonly found: VexCollector
  readonly label: string
  readonly vulnerability: string
  readonly author: string
  readonly issued: Date
  readonly targets: Targets
}

function readStatements(one: Members, reading: Reading): void {
  const { found, label, vulnerability, author, issued, targets } = reading
  const said = membersOf(one['product_status'])
  found.keepOnly(
    'product_status',
    said,
    statusMembers.map(([member]) => member),
  )
  const flags = wordsBy(one['flags'], 'label')
  const impacts = wordsBy(one['threats'], 'details', 'impact')
  const actions = wordsBy(one['remediations'], 'details')
  const reviews = new Map(
    listOf(one['notes'])
      .map(membersOf)
      .map((note) => [textOf(note['title']), textOf(note['text'])]),
  )
  for (const [member, status] of statusMembers) {
    for (const id of listOf(said[member]).map(textOf)) {
      if (found.isFull) return
      const target = targets.get(id)
      const flag = flags.get(id)
      if (target === undefined) {
        found.refuse(`${label}, ${id}`, 'it is about a product of somebody else, or no component')
      } else if (flag !== undefined && !isCommon(flag)) {
        found.refuse(`${label}, ${id}`, 'its flag is none of CSAF')
      } else {
        found.add({
          ...{ vulnerability, status, ...target, author, statedAt: issued },
          ...{ justification: flag ?? null, evidence: [], expiresAt: null, isInherited: false },
          impact: impacts.get(id) ?? '',
          action: actions.get(id) ?? '',
          ...readReview(reviews.get(aboutPrefix + id) ?? ''),
        })
      }
    }
  }
}

/** What is said of each product by `member`, joined where it is said in several parts. */
function wordsBy(value: Json | undefined, member: string, category?: string): Map<string, string> {
  const words = new Map<string, string>()
  for (const part of listOf(value).map(membersOf)) {
    if (category !== undefined && part['category'] !== category) continue
    for (const id of listOf(part['product_ids']).map(textOf)) {
      const before = words.get(id)
      const text = textOf(part[member])
      words.set(id, before === undefined ? text : `${before}\n${text}`)
    }
  }
  return words
}

const branchesMax = 30
const productsMax = 20_000

function readTargets(tree: Members): Targets {
  const purls = new Map<string, string>()
  const add = (value: Json | undefined) => {
    const { product_id: id, product_identification_helper: helper } = membersOf(value)
    const purl = textOf(membersOf(helper)['purl'])
    if (purl !== '' && purls.size < productsMax) purls.set(textOf(id), purl)
  }
  const walk = (list: Json | undefined, depth: number) => {
    if (depth > branchesMax) return
    for (const branch of listOf(list).map(membersOf)) {
      add(branch['product'])
      walk(branch['branches'], depth + 1)
    }
  }
  walk(tree['branches'], 0)
  for (const one of listOf(tree['full_product_names'])) add(one)
  const targets = new Map<string, ReleaseName & { purl: string }>()
  for (const one of listOf(tree['relationships']).map(membersOf)) {
    const release = readReleasePurl(purls.get(textOf(one['relates_to_product_reference'])) ?? '')
    const purl = purls.get(textOf(one['product_reference']))
    const id = textOf(membersOf(one['full_product_name'])['product_id'])
    if (release !== undefined && purl !== undefined) targets.set(id, { ...release, purl })
  }
  return targets
}
