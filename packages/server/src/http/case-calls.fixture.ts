/** Calls of the routes of cases and advisories, for the tables of who may call what. */
import { createAdvisory, setPublisher } from '@seaworthy/api/advisories'
import { openCase } from '@seaworthy/api/cases'
import type { TestClient } from '../testing/index.ts'

const anAdvisory = {
  ...{ title: 'a flaw', summary: '', description: '', action: '', workaround: '', ids: [] },
  ...{ affected: [], cvss3: null, cvss4: null, credits: [], references: [] },
}
const aPublisher = {
  ...{ name: 'Harbour Works', namespace: 'https://harbour.example', prefix: 'HARBOUR' },
  ...{ baseUrl: 'https://harbour.example', contact: 'mailto:security@harbour.example' },
  ...{ scopeIn: '', scopeOut: '', supported: [] },
}

interface CaseCall {
  readonly params?: Readonly<Record<string, string>>
  readonly body?: unknown
}

export async function makeCaseCalls(
  client: TestClient,
): Promise<readonly (readonly [name: string, calls: readonly (() => CaseCall)[]])[]> {
  const ofNobody = `person_${'0'.repeat(26)}`
  await client.api.call(setPublisher, { body: aPublisher })
  const opened = { body: { title: 'a flaw', text: 'a text' } }
  const ofCase = { caseId: (await client.api.call(openCase, opened)).id }
  const ofAdvisory = {
    advisoryId: (await client.api.call(createAdvisory, { body: { content: anAdvisory } })).id,
  }
  return [
    ['case.list', [() => ({})]],
    ['case.open', [() => ({ body: { title: 'a flaw', text: 'a text' } })]],
    ['case.show', [() => ({ params: ofCase })]],
    ['case.list-entries', [() => ({ params: ofCase })]],
    ['case.note', [() => ({ params: ofCase, body: { text: 'a text' } })]],
    ['case.answer', [() => ({ params: ofCase, body: { text: 'a text', isDetailed: false } })]],
    ['case.move', [() => ({ params: ofCase, body: { event: 'validate' } })]],
    ['case.assign', [() => ({ params: ofCase, body: {} })]],
    ['case.read-in', [() => ({ params: { ...ofCase, personId: ofNobody } })]],
    ['case.read-out', [() => ({ params: { ...ofCase, reader: ofNobody } })]],
    ['advisory.list', [() => ({})]],
    ['advisory.create', [() => ({ body: { content: anAdvisory } })]],
    ['advisory.show', [() => ({ params: ofAdvisory })]],
    ['advisory.edit', [() => ({ params: ofAdvisory, body: { revision: 1, content: anAdvisory } })]],
    ['advisory.review', [() => ({ params: ofAdvisory, body: { revision: 1 } })]],
    ['advisory.publish', [() => ({ params: ofAdvisory, body: { revision: 1 } })]],
    ['advisory.withdraw', [() => ({ params: ofAdvisory, body: { reason: 'a test' } })]],
    ['advisory.show-publisher', [() => ({})]],
    ['advisory.set-publisher', [() => ({ body: aPublisher })]],
    ['advisory.set-openpgp-key', [() => ({ body: { publicKey: 'no key' } })]],
    ['advisory.show-next-unsigned', [() => ({})]],
    ['advisory.sign', [() => ({ body: { name: 'HARBOUR-2026-0001', signature: 'none' } })]],
    ['advisory.list-pages', [() => ({})]],
  ]
}
