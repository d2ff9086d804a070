/** A judge of other people reads what the public finds of advisories. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { test } from 'node:test'
import { promisify } from 'node:util'
import {
  createAdvisory,
  publishAdvisory,
  reviewAdvisory,
  setAdvisoryKey,
  setPublisher,
  showNextUnsigned,
  signAdvisory,
  withdrawAdvisory,
} from '@seaworthy/api/advisories'
import { readIntoCase } from '@seaworthy/api/cases'
import { utf8Encode } from '@seaworthy/std/bytes'
import { findProgram, skipWithout } from '@seaworthy/std/testing/programs'
import { generateSigner } from '@seaworthy/trust/keys'
import { makeOpenPgpKey, signOpenPgp } from '@seaworthy/trust/public-keys'
import {
  confirmed,
  createTestClient,
  joinAsFirstOwner,
  joinBy,
  startTestServer,
} from '../testing/index.ts'

/** What `csaf_checker` says of one domain. */
interface CheckerReport {
  readonly domains: readonly {
    readonly passed: boolean
    readonly role: string
    readonly requirements: readonly {
      readonly num: number
      readonly messages: readonly { readonly type: number; readonly text: string }[]
    }[]
  }[]
}

const errorType = 2

const content = {
  title: 'A crafted packet opens the sluice',
  summary: 'A crafted packet opens the sluice.',
  description: 'The sluice trusts the tide table of anybody.',
  ...{ action: '', workaround: 'Close port 4711.', ids: ['CVE-2026-12345'] },
  affected: [{ product: 'gateway', introduced: '1.0.0', fixed: '1.4.1' }],
  ...{ cvss3: 'CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H', cvss4: null },
  ...{ credits: ['Sam of the lighthouse'], references: [] },
}

test("R10 gocsaf's csaf_checker finds a trusted provider, whose documents are signed and of which one was withdrawn", async (t) => {
  if (skipWithout(t, 'csaf_checker')) return
  const server = await startTestServer({ workers: 1 })
  t.after(() => server.stop())
  const client = createTestClient(server)
  t.after(() => client.close())
  const owner = await joinAsFirstOwner(server, client)
  const remy = await joinBy(owner, { role: 'responder' }, { server, client })
  const api = await confirmed(owner)
  const publisher = {
    ...{ name: 'Harbour Works', namespace: 'https://harbour.example', prefix: 'HARBOUR' },
    ...{ baseUrl: server.url, contact: 'mailto:security@harbour.example' },
    ...{ scopeIn: 'Everything that we ship.', scopeOut: '', supported: [] },
  }
  await api.call(setPublisher, { body: publisher })
  const signer = await generateSigner('ed25519')
  const at = new Date()
  const publicKey = await makeOpenPgpKey({ signer, userId: publisher.name, at })
  await api.call(setAdvisoryKey, { body: { publicKey } })

  const publish = async (title: string) => {
    const { id, caseId } = await api.call(createAdvisory, {
      body: { content: { ...content, title } },
    })
    await api.call(readIntoCase, { params: { caseId, personId: remy.id } })
    const call = { params: { advisoryId: id }, body: { revision: 1 } }
    await remy.browser.api.call(reviewAdvisory, call)
    await (await confirmed(owner)).call(publishAdvisory, call)
    return call.params
  }
  await publish(content.title)
  const params = await publish('The capstan lets go of its chain')
  await api.call(withdrawAdvisory, { params, body: { reason: 'It was the tide.' } })
  for (;;) {
    const { next } = await api.call(showNextUnsigned, {})
    if (next === null) break
    const bytes = utf8Encode(next.document)
    const signature = await signOpenPgp({ signer, publicKey, at }, 'bytes', bytes)
    await api.call(signAdvisory, { body: { name: next.name, signature } })
  }

  const address = `${server.url}/.well-known/csaf/provider-metadata.json`
  const { stdout } = await promisify(execFile)(
    findProgram('csaf_checker')!,
    ['--insecure', '--format', 'json', address],
    { env: { PATH: process.env['PATH'] }, maxBuffer: 8 * 1024 * 1024 },
  )
  const report = JSON.parse(stdout) as CheckerReport
  const [domain] = report.domains
  const errors = domain!.requirements.flatMap(({ num, messages }) =>
    messages.filter(({ type }) => type === errorType).map(({ text }) => `${num}: ${text}`),
  )
  assert.deepEqual(errors, [])
  const judged = domain!.requirements.map(({ num }) => num)
  assert.deepEqual(
    judged,
    Array.from({ length: 20 }, (_, i) => i + 1),
  )
  assert.deepEqual([domain!.role, domain!.passed], ['csaf_trusted_provider', true])
})
