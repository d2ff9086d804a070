/**
 * An advisory as CSAF 2.0 (profile `csaf_security_advisory`). The same version of an advisory gives
 * the same bytes anywhere.
 */
import { formatInstant } from '@seaworthy/std/time'
import { ratingOf, scoreCvss3, scoreCvss4 } from '../severity/index.ts'
import type { AdvisoryContent, AdvisoryPublisher, PublishedAdvisory } from './advisory.ts'
import { changedAt, cveOf, describeReleases, firstPublishedAt } from './advisory.ts'
import { csafPathOf, htmlPathOf } from './paths.ts'

interface CsafProduct {
  readonly product_id: string
  readonly name: string
}

/** The products of the document: what is affected, what is rid of it, and the tree of both. */
interface CsafProducts {
  readonly affected: readonly (CsafProduct & { readonly fixedIn: string | null })[]
  readonly fixed: readonly CsafProduct[]
  readonly branches: readonly object[]
}

export function csafOf(publisher: AdvisoryPublisher, advisory: PublishedAdvisory): string {
  const document =
    advisory.withdrawnBecause === null
      ? currentDocument(publisher, advisory)
      : withdrawnDocument(publisher, advisory, advisory.withdrawnBecause)
  return `${JSON.stringify(document, null, 2)}\n`
}

/** CSAF 2.0 has no state for it: a document without products takes the place of the earlier one. */
function withdrawnDocument(
  publisher: AdvisoryPublisher,
  advisory: PublishedAdvisory,
  because: string,
): object {
  const head = headOf(publisher, advisory)
  return {
    document: {
      category: 'csaf_base',
      ...head,
      title: `Withdrawn: ${advisory.content.title}`,
      notes: [{ category: 'general', title: 'Withdrawn', text: because }],
    },
  }
}

function currentDocument(publisher: AdvisoryPublisher, advisory: PublishedAdvisory): object {
  const { content } = advisory
  const products = productsOf(publisher, content)
  const cve = cveOf(content)
  const { category, ...head } = {
    category: 'csaf_security_advisory',
    ...headOf(publisher, advisory),
  }
  return {
    document: {
      category,
      ...severityOf(content),
      ...head,
      notes: [
        { category: 'summary', title: 'Summary', text: content.summary },
        ...(content.cvss4 === null
          ? []
          : [{ category: 'other', title: 'CVSS 4.0', text: cvss4Text(content.cvss4) }]),
      ],
    },
    product_tree: { branches: products.branches },
    vulnerabilities: [
      {
        title: content.title,
        ...(cve === undefined ? {} : { cve }),
        ...otherIds(content),
        ...(content.credits.length === 0
          ? {}
          : { acknowledgments: [{ names: content.credits, summary: 'Reported the flaw' }] }),
        notes: [{ category: 'description', title: 'Description', text: content.description }],
        product_status: statusOf(products),
        remediations: remediationsOf(content, products),
        ...scoresOf(content, products),
      },
    ],
  }
}

function headOf(publisher: AdvisoryPublisher, advisory: PublishedAdvisory) {
  const { name, content, changes } = advisory
  const { baseUrl } = publisher
  return {
    csaf_version: '2.0',
    distribution: { tlp: { label: 'WHITE', url: 'https://www.first.org/tlp/v1/' } },
    lang: 'en',
    publisher: {
      category: 'vendor',
      contact_details: publisher.contact,
      name: publisher.name,
      namespace: publisher.namespace,
    },
    references: [
      {
        category: 'self',
        summary: 'This document',
        url: `${baseUrl}${csafPathOf({ name, firstPublishedAt: firstPublishedAt(advisory) })}`,
      },
      { category: 'self', summary: 'The same for people', url: `${baseUrl}${htmlPathOf(name)}` },
      ...content.references.map(({ title, url }) => ({
        category: 'external',
        summary: title,
        url,
      })),
    ],
    title: content.title,
    tracking: {
      current_release_date: formatInstant(changedAt(advisory)),
      generator: { engine: { name: 'Seaworthy' } },
      id: name,
      initial_release_date: formatInstant(firstPublishedAt(advisory)),
      revision_history: changes.map(({ at, what }, i) => ({
        ...{ date: formatInstant(at), number: `${i + 1}`, summary: what },
      })),
      status: 'final',
      version: `${changes.length}`,
    },
  }
}

function otherIds({ ids }: AdvisoryContent): object {
  const others = ids.filter((id) => !id.startsWith('CVE-'))
  if (others.length === 0) return {}
  const systemOf = (id: string) =>
    id.startsWith('GHSA-') ? 'GitHub Security Advisory' : id.slice(0, id.indexOf('-'))
  return { ids: others.map((id) => ({ system_name: systemOf(id), text: id })) }
}

function productsOf(publisher: AdvisoryPublisher, content: AdvisoryContent): CsafProducts {
  let count = 0
  const newId = () => `CSAFPID-${`${++count}`.padStart(4, '0')}`
  const affected: (CsafProduct & { readonly fixedIn: string | null })[] = []
  const fixed = new Map<string, CsafProduct>()
  const names = [...new Set(content.affected.map(({ product }) => product))]
  const products = names.map((name) => {
    const branches: object[] = []
    for (const one of content.affected.filter(({ product }) => product === name)) {
      const product = { product_id: newId(), name: `${publisher.name} ${describeReleases(one)}` }
      affected.push({ ...product, fixedIn: one.fixed })
      branches.push({ category: 'product_version_range', name: versOf(one), product })
      if (one.fixed === null || fixed.has(`${name} ${one.fixed}`)) continue
      const mended = { product_id: newId(), name: `${publisher.name} ${name} ${one.fixed}` }
      fixed.set(`${name} ${one.fixed}`, mended)
      branches.push({ category: 'product_version', name: one.fixed, product: mended })
    }
    return { category: 'product_name', name, branches }
  })
  const branches = [{ category: 'vendor', name: publisher.name, branches: products }]
  return { affected, fixed: [...fixed.values()], branches }
}

/** A range as `vers` has it. */
function versOf({ introduced, fixed }: AdvisoryContent['affected'][number]): string {
  const limits = [
    introduced === null ? [] : [`>=${encodeURIComponent(introduced)}`],
    fixed === null ? [] : [`<${encodeURIComponent(fixed)}`],
  ].flat()
  return `vers:generic/${limits.length === 0 ? '*' : limits.join('|')}`
}

const idsOf = (products: readonly CsafProduct[]) => products.map(({ product_id }) => product_id)

function statusOf({ affected, fixed }: CsafProducts): object {
  return {
    ...(fixed.length === 0 ? {} : { fixed: idsOf(fixed) }),
    known_affected: idsOf(affected),
  }
}

function remediationsOf(content: AdvisoryContent, { affected }: CsafProducts): object[] {
  const mended = affected.filter(({ fixedIn }) => fixedIn !== null)
  const open = affected.filter(({ fixedIn }) => fixedIn === null)
  const action = content.action === '' ? 'Install the fixed release.' : content.action
  return [
    ...(mended.length === 0
      ? []
      : [{ category: 'vendor_fix', details: action, product_ids: idsOf(mended) }]),
    ...(open.length === 0
      ? []
      : [
          {
            category: 'none_available',
            details: 'There is no fixed release yet.',
            product_ids: idsOf(open),
          },
        ]),
    ...(content.workaround === ''
      ? []
      : [
          {
            category: 'workaround',
            details: content.workaround,
            product_ids: idsOf(affected),
          },
        ]),
  ]
}

function scoresOf({ cvss3 }: AdvisoryContent, { affected }: CsafProducts): object {
  if (cvss3 === null) return {}
  const { base } = scoreCvss3(cvss3)
  const score = {
    ...{ version: '3.1', vectorString: cvss3, baseScore: base },
    baseSeverity: ratingOf(base).toUpperCase(),
  }
  return { scores: [{ cvss_v3: score, products: idsOf(affected) }] }
}

/** The worst score of what is given, which is what a list shows. */
export function scoreOf({
  cvss3,
  cvss4,
}: Pick<AdvisoryContent, 'cvss3' | 'cvss4'>): number | undefined {
  const scores = [
    cvss3 === null ? [] : [scoreCvss3(cvss3).base],
    cvss4 === null ? [] : [scoreCvss4(cvss4)],
  ].flat()
  return scores.toSorted((a, b) => b - a)[0]
}

function severityOf(content: AdvisoryContent): object {
  const score = scoreOf(content)
  return score === undefined ? {} : { aggregate_severity: { text: ratingOf(score) } }
}

function cvss4Text(vector: string): string {
  const score = scoreCvss4(vector)
  return `${vector} (${score.toFixed(1)}, ${ratingOf(score)})`
}
