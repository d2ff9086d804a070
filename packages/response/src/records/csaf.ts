/**
 * Advisories in CSAF 2.0: which products of their publisher a vulnerability affects. What of an
 * advisory cannot be used is set aside with the reason.
 */
import type { Json } from '@seaworthy/std/json'
import { openJson, parseJson } from '@seaworthy/std/json'
import { cutText } from '@seaworthy/std/printable'
import { isCveId } from './cve.ts'
import { isInstant } from './instant.ts'

export const csafStatuses = [
  ...(['first_affected', 'first_fixed', 'fixed', 'known_affected', 'known_not_affected'] as const),
  ...(['last_affected', 'recommended', 'under_investigation'] as const),
] as const
export type CsafStatus = (typeof csafStatuses)[number]

export interface CsafProduct {
  readonly id: string
  readonly name: string
  readonly purl: string
  readonly cpe: string
  /** Names on the way to it, from the vendor: each with what it is a name of. */
  readonly branches: readonly { readonly category: string; readonly name: string }[]
}

export interface CsafVulnerability {
  /** Empty where the publisher has none. */
  readonly cve: string
  /** Ids in systems of others. */
  readonly ids: readonly string[]
  readonly title: string
  readonly products: Readonly<Record<CsafStatus, readonly string[]>>
  /** Why products are not affected, by the labels of CSAF. */
  readonly flags: readonly { readonly label: string; readonly products: readonly string[] }[]
  readonly remediations: readonly {
    readonly category: string
    readonly details: string
    readonly products: readonly string[]
  }[]
  /** Vectors of CVSS 3, each with the products that it is about. */
  readonly scores: readonly { readonly vector: string; readonly products: readonly string[] }[]
}

export interface CsafAdvisory {
  readonly id: string
  readonly version: string
  readonly category: string
  readonly title: string
  readonly status: string
  readonly publisher: { readonly name: string; readonly namespace: string }
  readonly initialAt: string
  readonly currentAt: string
  /** How far it may be passed on; empty where it does not say so. */
  readonly tlp: string
  readonly products: ReadonlyMap<string, CsafProduct>
  readonly vulnerabilities: readonly CsafVulnerability[]
  readonly faults: readonly string[]
}

type Members = { readonly [name: string]: Json }

const limits = { ...openJson, valuesMax: 1_000_000 }
const branchesMax = 30

/** The advisory, or why there is none. */
export function readCsaf(bytes: Uint8Array): CsafAdvisory | { readonly why: string } {
  let root: Json
  try {
    root = parseJson(bytes, limits)
  } catch {
    return { why: 'not JSON' }
  }
  const document = membersOf(membersOf(root)['document'])
  if (document['csaf_version'] !== '2.0') return { why: 'not CSAF 2.0' }
  const tracking = membersOf(document['tracking'])
  const publisher = membersOf(document['publisher'])
  const id = textOf(tracking['id'])
  const version = textOf(tracking['version'])
  const currentAt = textOf(tracking['current_release_date'])
  if (id === '') return { why: 'without an id' }
  if (version === '') return { why: 'without a version' }
  if (!isInstant(currentAt)) return { why: 'without the instant of this version' }
  const faults: string[] = []
  const tree = membersOf(membersOf(root)['product_tree'])
  const products = readProducts(tree, faults)
  const groups = readGroups(tree)
  return {
    ...{ id, version, currentAt, products, faults },
    category: textOf(document['category']),
    title: textOf(document['title']),
    status: textOf(tracking['status']),
    publisher: { name: textOf(publisher['name']), namespace: textOf(publisher['namespace']) },
    initialAt: textOf(tracking['initial_release_date']),
    tlp: textOf(membersOf(membersOf(document['distribution'])['tlp'])['label']),
    vulnerabilities: listOf(membersOf(root)['vulnerabilities']).map((one, i) =>
      readVulnerability(membersOf(one), {
        groups,
        report: (what) => faults.push(`vulnerability ${i + 1}: ${what}`),
        isKnown: (product) => products.has(product),
      }),
    ),
  }
}

/** Products as leaves of branches, by themselves, or as one that is part of another. */
function readProducts(tree: Members, faults: string[]): Map<string, CsafProduct> {
  const products = new Map<string, CsafProduct>()
  const add = (value: Json | undefined, branches: CsafProduct['branches']) => {
    if (value === undefined) return
    const { product_id: id, name, product_identification_helper: helper } = membersOf(value)
    const { purl, cpe } = membersOf(helper)
    if (textOf(id) === '') faults.push('a product has no id')
    else if (products.has(textOf(id))) faults.push('a product is there twice')
    else {
      products.set(textOf(id), {
        ...{ id: textOf(id), name: textOf(name), purl: textOf(purl), cpe: textOf(cpe), branches },
      })
    }
  }
  const walk = (list: Json | undefined, above: CsafProduct['branches']) => {
    if (above.length > branchesMax) {
      faults.push('branches lie in too many others')
      return
    }
    for (const one of listOf(list)) {
      const { category, name, product, branches } = membersOf(one)
      const here = [...above, { category: textOf(category), name: textOf(name) }]
      add(product, here)
      walk(branches, here)
    }
  }
  walk(tree['branches'], [])
  for (const one of listOf(tree['full_product_names'])) add(one, [])
  for (const one of listOf(tree['relationships'])) add(membersOf(one)['full_product_name'], [])
  return products
}

function readGroups(tree: Members): ReadonlyMap<string, readonly string[]> {
  return new Map(
    listOf(tree['product_groups']).map((one) => {
      const { group_id: id, product_ids: ids } = membersOf(one)
      return [textOf(id), textsOf(ids)]
    }),
  )
}

interface Reading {
  readonly groups: ReadonlyMap<string, readonly string[]>
  readonly report: (what: string) => void
  readonly isKnown: (product: string) => boolean
}

function readVulnerability(one: Members, { groups, report, isKnown }: Reading): CsafVulnerability {
  const cve = textOf(one['cve'])
  if (cve !== '' && !isCveId(cve)) report('its CVE is no id of one')
  const known = (ids: readonly string[]) => {
    const own = ids.filter(isKnown)
    if (own.length < ids.length) report('it speaks of products that the advisory does not name')
    return own
  }
  const about = ({ product_ids: ids, group_ids: names }: Members) =>
    known([
      ...new Set([...textsOf(ids), ...textsOf(names).flatMap((name) => groups.get(name) ?? [])]),
    ])
  const said = membersOf(one['product_status'])
  const products = Object.fromEntries(
    csafStatuses.map((status) => [status, known(textsOf(said[status]))]),
  ) as Record<CsafStatus, string[]>
  const notAffected = new Set(products.known_not_affected)
  const contradicted = products.known_affected.some((id) => notAffected.has(id))
  if (contradicted) report('a product is both affected and not affected')
  return {
    ...{ cve: isCveId(cve) ? cve : '', title: textOf(one['title']), products },
    ids: listOf(one['ids']).map((id) => textOf(membersOf(id)['text'])),
    flags: listOf(one['flags'])
      .map(membersOf)
      .map((flag) => ({ label: textOf(flag['label']), products: about(flag) })),
    remediations: listOf(one['remediations'])
      .map(membersOf)
      .map((remedy) => ({
        category: textOf(remedy['category']),
        details: textOf(remedy['details']),
        products: about(remedy),
      })),
    scores: listOf(one['scores'])
      .map(membersOf)
      .flatMap((score) => {
        const vector = textOf(membersOf(score['cvss_v3'])['vectorString'])
        return vector === '' ? [] : [{ vector, products: known(textsOf(score['products'])) }]
      }),
  }
}

function membersOf(value: Json | undefined): Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {}
}

function listOf(value: Json | undefined): readonly Json[] {
  return Array.isArray(value) ? value : []
}

function textsOf(value: Json | undefined): string[] {
  return listOf(value).filter((one) => typeof one === 'string')
}

const textMax = 20_000

function textOf(value: Json | undefined): string {
  return typeof value === 'string' ? cutText(value, textMax) : ''
}
