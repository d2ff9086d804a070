/** Statements in CycloneDX (1.6), as vulnerabilities with an analysis. */
import { formatInstant } from '@seaworthy/std/time'
import type { Json } from '@seaworthy/std/json'
import type { ReadVexDocument, VexDocument } from './document.ts'
import { VexCollector } from './document.ts'
import { cycloneDxOf, fromCycloneDx } from './justifications.ts'
import type { Members } from './members.ts'
import { instantOf, listOf, membersOf, textOf } from './members.ts'
import { readReleasePurl, releasePurl } from './products.ts'
import type { VexStatement, VexStatus } from './statement.ts'
import { vexJustifications } from './statement.ts'

const states: Record<VexStatus, string> = {
  not_affected: 'not_affected',
  affected: 'exploitable',
  fixed: 'resolved',
  under_investigation: 'in_triage',
}

const property = {
  author: 'seaworthy:author',
  evidence: 'seaworthy:evidence',
  expiresAt: 'seaworthy:expiresAt',
  isInherited: 'seaworthy:isInherited',
  justification: 'seaworthy:justification',
  notes: 'seaworthy:notes',
} as const

export function writeCycloneDxVex(document: VexDocument): Json {
  const { author, product, version, issuedAt, statements } = document
  const purl = releasePurl(document)
  const at = formatInstant(issuedAt)
  return {
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    version: 1,
    metadata: {
      timestamp: at,
      supplier: { name: author },
      component: { type: 'application', 'bom-ref': purl, name: product, version, purl },
    },
    components: [...new Set(statements.map((one) => one.purl))].map((one) => ({
      ...{ type: 'library', 'bom-ref': one, name: nameOf(one), purl: one },
    })),
    vulnerabilities: statements.map(writeVulnerability),
  }
}

/** The part of a package URL that people call the package. */
function nameOf(purl: string): string {
  return /^pkg:[^/]+\/([^@?#]+)/.exec(purl)?.[1] ?? purl
}

function writeVulnerability(one: VexDocument['statements'][number]): Json {
  const { justification, expiresAt, notes, evidence } = one
  const isExact =
    justification === null || fromCycloneDx(cycloneDxOf(justification)) === justification
  return {
    id: one.vulnerability,
    ...(one.action === '' ? {} : { recommendation: one.action }),
    analysis: {
      state: states[one.status],
      ...(justification === null ? {} : { justification: cycloneDxOf(justification) }),
      ...(one.impact === '' ? {} : { detail: one.impact }),
      lastUpdated: formatInstant(one.statedAt),
    },
    affects: [{ ref: one.purl }],
    properties: [
      { name: property.author, value: one.author },
      ...evidence.map((value) => ({ name: property.evidence, value })),
      ...(expiresAt === null
        ? []
        : [{ name: property.expiresAt, value: formatInstant(expiresAt) }]),
      ...(one.isInherited ? [{ name: property.isInherited, value: 'true' }] : []),
      ...(isExact ? [] : [{ name: property.justification, value: justification }]),
      ...(notes === '' ? [] : [{ name: property.notes, value: notes }]),
    ],
  }
}

const known = ['bom-ref', 'id', 'recommendation', 'analysis', 'affects', 'properties']
const knownAnalysis = ['state', 'justification', 'detail', 'response', 'lastUpdated', 'firstIssued']

export function readCycloneDxVex(root: Members): ReadVexDocument {
  const found = new VexCollector()
  const metadata = membersOf(root['metadata'])
  const release = readReleasePurl(textOf(membersOf(metadata['component'])['purl']))
  const author = textOf(membersOf(metadata['supplier'])['name'])
  const purls = new Map(
    listOf(root['components'])
      .map(membersOf)
      .map((one) => [textOf(one['bom-ref']), textOf(one['purl'])]),
  )
  for (const [i, value] of listOf(root['vulnerabilities']).entries()) {
    if (found.isFull) break
    const one = membersOf(value)
    const vulnerability = textOf(one['id'])
    const label = `vulnerability ${i + 1} (${vulnerability})`
    const analysis = membersOf(one['analysis'])
    found.keepOnly('vulnerabilities', one, known)
    found.keepOnly('vulnerabilities.analysis', analysis, knownAnalysis)
    const status = statusOf(textOf(analysis['state']))
    const statedAt = [analysis['lastUpdated'], analysis['firstIssued'], metadata['timestamp']]
      .map(instantOf)
      .find((at) => at !== undefined)
    const said = readWords(one, analysis)
    if (release === undefined) found.refuse(label, 'it is about a product of somebody else')
    else if (vulnerability === '') found.refuse(label, 'it names no vulnerability')
    else if (status === undefined) found.refuse(label, 'it says nothing of whether it matters')
    else if (statedAt === undefined) found.refuse(label, 'it does not say when it was made')
    else if (typeof said === 'string') found.refuse(label, said)
    else {
      for (const { ref } of listOf(one['affects']).map(membersOf)) {
        const purl = purls.get(textOf(ref)) ?? ''
        if (purl === '') found.refuse(label, 'it names no component of the document')
        else found.add({ vulnerability, status, ...release, purl, author, statedAt, ...said })
      }
    }
  }
  return found.finish('cyclonedx')
}

/** A record that is wrong means that the release is not affected. */
function statusOf(state: string): VexStatus | undefined {
  switch (state) {
    case 'not_affected':
    case 'false_positive':
      return 'not_affected'
    case 'exploitable':
      return 'affected'
    case 'resolved':
    case 'resolved_with_pedigree':
      return 'fixed'
    case 'in_triage':
      return 'under_investigation'
    default:
      return undefined
  }
}

type Words = Pick<
  VexStatement,
  'justification' | 'impact' | 'action' | 'evidence' | 'expiresAt' | 'isInherited' | 'notes'
> &
  Partial<Pick<VexStatement, 'author'>>

function readWords(one: Members, analysis: Members): Words | string {
  const code = textOf(analysis['justification'])
  const said = fromCycloneDx(code)
  if (code !== '' && said === undefined) return 'its justification is none of CycloneDX'
  const properties = listOf(one['properties']).map(membersOf)
  const valuesOf = (name: string) =>
    properties.filter((each) => each['name'] === name).map((each) => textOf(each['value']))
  const [author] = valuesOf(property.author)
  const [exact] = valuesOf(property.justification)
  const [expires] = valuesOf(property.expiresAt)
  const state = textOf(analysis['state'])
  const own = ['false_positive', 'resolved_with_pedigree'].includes(state)
    ? [`State: ${state}`]
    : []
  const answers = listOf(analysis['response']).map((each) => `Response: ${textOf(each)}`)
  return {
    justification: vexJustifications.find((each) => each === exact) ?? said ?? null,
    impact: textOf(analysis['detail']),
    action: textOf(one['recommendation']),
    evidence: valuesOf(property.evidence),
    expiresAt: instantOf(expires) ?? null,
    isInherited: valuesOf(property.isInherited).includes('true'),
    notes: [...valuesOf(property.notes).slice(0, 1), ...own, ...answers].join('\n'),
    ...(author === undefined ? {} : { author }),
  }
}
