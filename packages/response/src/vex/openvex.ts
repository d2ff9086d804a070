/** Statements in OpenVEX (0.2.0). */
import { formatInstant } from '@seaworthy/std/time'
import type { Json } from '@seaworthy/std/json'
import type { ReadVexDocument, VexDocument } from './document.ts'
import { VexCollector } from './document.ts'
import { nearestOf } from './justifications.ts'
import type { Members } from './members.ts'
import { instantOf, listOf, membersOf, textOf } from './members.ts'
import { readReleasePurl, releasePurl } from './products.ts'
import { readReview, writeReview } from './review.ts'
import type { VexJustification } from './statement.ts'
import { vexJustifications, vexStatuses } from './statement.ts'

export function writeOpenVex(document: VexDocument): Json {
  const { id, author, issuedAt, statements } = document
  const purl = releasePurl(document)
  return {
    '@context': 'https://openvex.dev/ns/v0.2.0',
    '@id': id,
    author,
    timestamp: formatInstant(issuedAt),
    version: 1,
    tooling: 'Seaworthy',
    statements: statements.map((one) => {
      const { justification } = one
      const nearest = nearestOf(justification)
      return {
        vulnerability: { name: one.vulnerability },
        timestamp: formatInstant(one.statedAt),
        products: [{ '@id': purl, identifiers: { purl }, subcomponents: [{ '@id': one.purl }] }],
        status: one.status,
        ...(nearest === null ? {} : { justification: nearest }),
        ...(one.impact === '' ? {} : { impact_statement: one.impact }),
        ...(one.action === '' ? {} : { action_statement: one.action }),
        status_notes: writeReview({
          ...one,
          justification: nearest === justification ? null : justification,
        }),
      }
    }),
  }
}

const known = [
  ...['@id', 'vulnerability', 'timestamp', 'last_updated', 'products', 'status', 'status_notes'],
  ...['justification', 'impact_statement', 'action_statement', 'version'],
]

export function readOpenVex(root: Members): ReadVexDocument {
  const found = new VexCollector()
  const author = textOf(root['author'])
  for (const [i, value] of listOf(root['statements']).entries()) {
    const one = membersOf(value)
    found.keepOnly('statements', one, known)
    const { vulnerability, label } = nameOf(one['vulnerability'], i)
    const status = vexStatuses.find((name) => name === textOf(one['status']))
    const statedAt = [one['last_updated'], one['timestamp'], root['timestamp']]
      .map(instantOf)
      .find((at) => at !== undefined)
    const said = readWords(one)
    if (vulnerability === '') found.refuse(label, 'it names no vulnerability')
    else if (status === undefined) found.refuse(label, 'its status is none of OpenVEX')
    else if (statedAt === undefined) found.refuse(label, 'it does not say when it was made')
    else if (typeof said === 'string') found.refuse(label, said)
    else {
      for (const target of targetsOf(one, label, found)) {
        found.add({ vulnerability, status, ...target, author, statedAt, ...said })
      }
    }
    if (found.isFull) break
  }
  return found.finish('openvex')
}

/** A vulnerability is an object with a name, or a text in older documents. */
function nameOf(value: Json | undefined, index: number): { vulnerability: string; label: string } {
  const vulnerability = textOf(value) || textOf(membersOf(value)['name'])
  return { vulnerability, label: `statement ${index + 1} (${vulnerability})` }
}

function readWords(one: Members) {
  const code = textOf(one['justification'])
  const justification: VexJustification | undefined = vexJustifications.find((j) => j === code)
  if (code !== '' && justification === undefined) return 'its justification is none of OpenVEX'
  return {
    ...{ justification: justification ?? null, evidence: [], expiresAt: null, isInherited: false },
    impact: textOf(one['impact_statement']),
    action: textOf(one['action_statement']),
    ...readReview(textOf(one['status_notes'])),
  }
}

function* targetsOf(one: Members, label: string, found: VexCollector) {
  const products = listOf(one['products'])
  if (products.length === 0) found.refuse(label, 'it names no product')
  for (const value of products) {
    const { '@id': id, identifiers, subcomponents } = membersOf(value)
    const named = textOf(value) || textOf(membersOf(identifiers)['purl']) || textOf(id)
    const release = readReleasePurl(named)
    if (release === undefined) {
      found.refuse(`${label}, ${named}`, 'it is about a product of somebody else')
      continue
    }
    const parts = listOf(subcomponents)
    if (parts.length === 0) found.refuse(`${label}, ${named}`, 'it names no component')
    for (const part of parts) {
      if (found.isFull) return
      const { '@id': partId, identifiers: known } = membersOf(part)
      const purl = textOf(part) || textOf(membersOf(known)['purl']) || textOf(partId)
      yield { ...release, purl }
    }
  }
}
