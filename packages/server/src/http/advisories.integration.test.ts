/**
 * Advisories from a draft to their last version (R5, R10), and what those who are not read in find
 * of a draft, which is nothing.
 */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import {
  createAdvisory,
  editAdvisory,
  listAdvisories,
  listAdvisoryPages,
  publishAdvisory,
  reviewAdvisory,
  setAdvisoryKey,
  setPublisher,
  showAdvisory,
  showNextUnsigned,
  signAdvisory,
  withdrawAdvisory,
} from '@seaworthy/api/advisories'
import { moveCaseBy, openCase, readIntoCase } from '@seaworthy/api/cases'
import { createInvitation } from '@seaworthy/api/invitations'
import type { ProblemError } from '@seaworthy/api/problems'
import type { builtInRoles } from '@seaworthy/fleet/access'
import { utf8Decode, utf8Encode } from '@seaworthy/std/bytes'
import { searchFor } from '@seaworthy/std/testing/leaks'
import { findProgram, skipWithout } from '@seaworthy/std/testing/programs'
import { generateSigner } from '@seaworthy/trust/keys'
import { makeOpenPgpKey, signOpenPgp } from '@seaworthy/trust/public-keys'
import type { Db, TestBrowser, TestClient, TestServer } from '../testing/index.ts'
import {
  acceptLink,
  becomeOwner,
  createTestBrowser,
  createTestClient,
  startTestServer,
} from '../testing/index.ts'

interface Joined {
  readonly browser: TestBrowser
  readonly id: string
}

let server: TestServer
let client: TestClient
let db: Db
let owner: Joined
let rhea: Joined
let remy: Joined
let ruth: Joined

before(async () => {
  server = await startTestServer({ workers: 1, args: ['--report-form'] })
  client = createTestClient(server)
  db = server.openDatabase()
  const browser = createTestBrowser(server, client)
  owner = { browser, id: (await becomeOwner(server, browser)).person.id }
  rhea = await comeIn('responder')
  remy = await comeIn('responder')
  ruth = await comeIn('responder')
})
after(async () => {
  client.close()
  await db.close()
  await server.stop()
})

async function comeIn(role: (typeof builtInRoles)[number]): Promise<Joined> {
  await owner.browser.stepUp()
  const { link } = await owner.browser.api.call(createInvitation, { body: { role } })
  const browser = createTestBrowser(server, client)
  return { browser, id: (await acceptLink(browser, link, `A new ${role}`)).person.id }
}

const refused = (code: string) => (error: unknown) => {
  assert.equal((error as ProblemError).code, code, String(error))
  return true
}

async function readPublic(path: string) {
  const answer = await client.send('GET', path)
  return { ...answer, text: utf8Decode(answer.bytes) }
}

const publisher = {
  ...{ name: 'Harbour Works', namespace: 'https://harbour.example', prefix: 'HARBOUR' },
  ...{ baseUrl: 'https://harbour.example', contact: 'mailto:security@harbour.example' },
  ...{ scopeIn: 'Everything that we ship.', scopeOut: 'Scanner output.' },
  supported: [{ product: 'gateway', versions: '1.x', until: '2027-12-31' }],
}

const content = {
  title: '=HYPERLINK("https://evil.example") opens <script>alert(1)</script> the sluice',
  summary: 'A crafted packet opens the sluice.',
  description: 'The sluice trusts the tide table of anybody.',
  ...{ action: '', workaround: 'Close port 4711.', ids: ['CVE-2026-12345'] },
  affected: [{ product: 'gateway', introduced: '1.0.0', fixed: '1.4.1' }],
  ...{ cvss3: 'CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H', cvss4: null },
  ...{ credits: ['Sam of the lighthouse'], references: [] },
}

/** What is published has been read by two people. */
async function publish(by: Joined, reviewer: Joined, wanted: typeof content, what?: string) {
  const { api } = by.browser
  const { id, caseId, revision } = await api.call(createAdvisory, { body: { content: wanted } })
  await by.browser.stepUp()
  await api.call(readIntoCase, { params: { caseId, personId: reviewer.id } })
  const params = { advisoryId: id }
  await reviewer.browser.api.call(reviewAdvisory, { params, body: { revision } })
  return api.call(publishAdvisory, { params, body: { revision, ...(what && { what }) } })
}

test('R5 before anybody says who publishes, the server promises nothing and publishes nothing', async () => {
  for (const path of ['/advisories/', '/.well-known/security.txt', '/.well-known/csaf/x']) {
    assert.equal((await readPublic(path)).status, 404)
  }
  await owner.browser.stepUp()
  const { api } = owner.browser
  const wrong: readonly Partial<typeof publisher>[] = [
    { baseUrl: 'http://harbour.example' },
    { baseUrl: 'https://harbour.example/deeper' },
    { namespace: 'javascript:alert(1)' },
    { contact: 'mailto:a@b\nExpires: 2099-01-01T00:00:00Z' },
    { name: 'Harbour\u202eskroW' },
  ]
  for (const part of wrong) {
    await assert.rejects(
      api.call(setPublisher, { body: { ...publisher, ...part } }),
      refused('advisory_unfit'),
    )
  }
  await api.call(setPublisher, { body: publisher })
  const { text, status } = await readPublic('/.well-known/security.txt')
  assert.equal(status, 200)
  const expires = /^Expires: (.*)$/m.exec(text)![1]!
  const days = (Date.parse(expires) - Date.now()) / 86_400_000
  assert.ok(days > 100 && days < 365, expires)
  assert.match(text, /^Contact: mailto:security@harbour\.example$/m)
})

describe('R5 R10 from a draft to its last version', () => {
  let name: string
  let advisoryId: string
  const csafPath = () => `/.well-known/csaf/white/${name.split('-')[1]}/${name.toLowerCase()}.json`

  test('R5 attack: what its last editor alone has read is not published, and neither is what was edited after the review', async () => {
    const { api } = rhea.browser
    const draft = await api.call(createAdvisory, { body: { content } })
    advisoryId = draft.id
    const params = { advisoryId }
    const body = { revision: 1 }
    await rhea.browser.stepUp()
    await assert.rejects(
      api.call(publishAdvisory, { params, body }),
      refused('advisory_not_reviewed'),
    )
    await assert.rejects(
      api.call(reviewAdvisory, { params, body }),
      refused('advisory_of_reviewer'),
    )
    await assert.rejects(
      remy.browser.api.call(reviewAdvisory, { params, body }),
      refused('advisory_not_found'),
    )
    await api.call(readIntoCase, { params: { caseId: draft.caseId, personId: remy.id } })
    await remy.browser.api.call(reviewAdvisory, { params, body })
    const edited = { ...content, summary: 'A crafted packet opens the sluice at once.' }
    await api.call(editAdvisory, { params, body: { revision: 1, content: edited } })
    await assert.rejects(
      api.call(publishAdvisory, { params, body: { revision: 2 } }),
      refused('advisory_not_reviewed'),
    )
    await assert.rejects(
      remy.browser.api.call(reviewAdvisory, { params, body }),
      refused('advisory_changed'),
    )
  })

  test('R5 attack: an advisory is not published while its case has an embargo', async () => {
    const { api } = rhea.browser
    const params = { advisoryId }
    await remy.browser.api.call(reviewAdvisory, { params, body: { revision: 2 } })
    const { caseId } = await api.call(showAdvisory, { params })
    const embargo = { event: 'propose-embargo', embargoUntil: '2099-01-01T00:00:00Z' } as const
    await api.call(moveCaseBy, { params: { caseId }, body: embargo })
    await api.call(moveCaseBy, { params: { caseId }, body: { event: 'accept-embargo' } })
    await assert.rejects(
      api.call(publishAdvisory, { params, body: { revision: 2 } }),
      refused('advisory_under_embargo'),
    )
    assert.doesNotMatch((await readPublic('/advisories/')).text, /sluice/)
    await api.call(moveCaseBy, { params: { caseId }, body: { event: 'end-embargo' } })
  })

  test('R10 a reviewed advisory is public in every form, with hashes, and no text of it becomes markup', async () => {
    await rhea.browser.stepUp()
    const params = { advisoryId }
    const done = await rhea.browser.api.call(publishAdvisory, { params, body: { revision: 2 } })
    name = done.name!
    assert.match(name, /^HARBOUR-\d{4}-0001$/)
    const csaf = await readPublic(csafPath())
    assert.equal(csaf.status, 200)
    assert.equal(csaf.headers['access-control-allow-origin'], '*')
    const document = JSON.parse(csaf.text) as {
      document: { tracking: { id: string; version: string } }
      vulnerabilities: { scores: { cvss_v3: { baseScore: number } }[] }[]
    }
    assert.equal(document.document.tracking.id, name)
    assert.equal(document.vulnerabilities[0]!.scores[0]!.cvss_v3.baseScore, 9.8)
    for (const form of ['sha256', 'sha512']) {
      const { text } = await readPublic(`${csafPath()}.${form}`)
      assert.equal(text.split(' ')[0], createHash(form).update(csaf.bytes).digest('hex'))
    }
    const { paths } = await rhea.browser.api.call(listAdvisoryPages, {})
    for (const path of paths) {
      const page = await readPublic(path)
      assert.equal(page.status, 200, path)
      assert.match(page.headers['cache-control']!, /public/)
      const isJson = page.headers['content-type'] === 'application/json'
      if (!isJson) assert.doesNotMatch(page.text, /<script|^=|,=/m, path)
    }
    const changes = await readPublic('/.well-known/csaf/white/changes.csv')
    assert.match(changes.text, /^"\d{4}\/harbour-\d{4}-0001\.json","[^"]*Z"\n$/)
    const rolie = await readPublic('/.well-known/csaf/white/csaf-feed-tlp-white.json')
    assert.match(rolie.text, new RegExp(`https://harbour.example${csafPath()}.sha512`))
    const known = await client.send('GET', csafPath(), {
      headers: { 'if-none-match': csaf.headers['etag']! },
    })
    assert.equal(known.status, 304)
  })

  test('R5 a document is signed by a key that the server never has, and another key takes its signatures away', async (t) => {
    const { api } = rhea.browser
    const at = new Date()
    const signer = await generateSigner('ed25519')
    const userId = 'Harbour Works <security@harbour.example>'
    const publicKey = await makeOpenPgpKey({ signer, userId, at })
    const sign = (text: string, by = { signer, publicKey, at }) =>
      signOpenPgp(by, 'bytes', utf8Encode(text))
    const { text } = await readPublic(csafPath())
    const signature = await sign(text)
    const send = (given: string) => api.call(signAdvisory, { body: { name, signature: given } })
    await assert.rejects(send(signature), refused('advisory_key_not_set'))
    await rhea.browser.stepUp()
    const secret = publicKey.replaceAll('PUBLIC KEY', 'PRIVATE KEY')
    await assert.rejects(
      api.call(setAdvisoryKey, { body: { publicKey: secret } }),
      refused('public_key_private'),
    )
    const { openPgpFingerprint } = await api.call(setAdvisoryKey, { body: { publicKey } })

    const { count, next } = await api.call(showNextUnsigned, {})
    assert.deepEqual([count, next?.name, next?.document], [1, name, text])
    const later = new Date(at.getTime() + 3_600_000)
    for (const wrong of [
      await sign(`${text} `),
      await sign(text, { signer, publicKey, at: later }),
    ]) {
      await assert.rejects(send(wrong), refused('openpgp_signature_wrong'))
    }
    await assert.rejects(send('none'), refused('openpgp_signature_malformed'))
    assert.equal((await readPublic(`${csafPath()}.asc`)).status, 404)
    const provider = '/.well-known/csaf/provider-metadata.json'
    assert.match((await readPublic(provider)).text, /"csaf_provider"/)

    await send(signature)
    assert.equal((await readPublic(`${csafPath()}.asc`)).text, signature)
    assert.match((await readPublic(provider)).text, /"csaf_trusted_provider"/)
    const served = await readPublic(`/.well-known/csaf/openpgp/${openPgpFingerprint}.asc`)
    assert.equal(served.text, publicKey)
    const feed = await readPublic('/.well-known/csaf/white/csaf-feed-tlp-white.json')
    assert.match(feed.text, /\.json\.asc"/)
    assert.equal((await api.call(showNextUnsigned, {})).next, null)
    // The tests after this one publish without a signature.
    const other = await generateSigner('ed25519')
    const otherKey = await makeOpenPgpKey({ signer: other, userId, at })
    await api.call(setAdvisoryKey, { body: { publicKey: otherKey } })
    assert.equal((await readPublic(`${csafPath()}.asc`)).status, 404)
    assert.match((await readPublic(provider)).text, /"csaf_provider"/)
    await assert.rejects(send(signature), refused('openpgp_signature_wrong'))

    if (skipWithout(t, 'gpg')) return
    const folder = mkdtempSync(join(tmpdir(), 'seaworthy-gpg-'))
    t.after(() => rmSync(folder, { recursive: true, force: true }))
    const write = (file: string, given: string) => writeFileSync(join(folder, file), given)
    const gpg = (...args: string[]) =>
      execFileSync(findProgram('gpg')!, ['--homedir', folder, '--batch', ...args], {
        ...{ cwd: folder, stdio: 'pipe' },
      })
    write('key.asc', served.text)
    write('document', text)
    write('document.asc', signature)
    gpg('--import', 'key.asc')
    gpg('--verify', 'document.asc', 'document')
  })

  test('R5 a correction is a version more, and a withdrawal the last one; neither rewrites what was published', async () => {
    const { api } = rhea.browser
    const params = { advisoryId }
    const before = await db.reader.sql`select * from advisory_versions order by version`
    const corrected = { ...content, title: 'A crafted packet opens the sluice' }
    await api.call(editAdvisory, { params, body: { revision: 2, content: corrected } })
    assert.match((await readPublic('/advisories/')).text, /HYPERLINK/, 'a draft changes nothing')
    await remy.browser.api.call(reviewAdvisory, { params, body: { revision: 3 } })
    await rhea.browser.stepUp()
    await assert.rejects(
      api.call(publishAdvisory, { params, body: { revision: 3 } }),
      refused('advisory_unfit'),
    )
    const body = { revision: 3, what: 'The title' }
    assert.equal((await api.call(publishAdvisory, { params, body })).state, 'corrected')
    assert.match((await readPublic('/advisories/')).text, /A crafted packet opens the sluice/)
    assert.equal(JSON.parse((await readPublic(csafPath())).text).document.tracking.version, '2')
    await api.call(withdrawAdvisory, { params, body: { reason: 'It was the tide.' } })
    const page = await readPublic(`/advisories/${name.toLowerCase()}.html`)
    assert.match(page.text, /withdrawn: It was the tide\./)
    const osv = await readPublic(`/advisories/osv/x_${name}.json`)
    assert.ok('withdrawn' in JSON.parse(osv.text))
    await assert.rejects(
      api.call(editAdvisory, { params, body: { revision: 3, content } }),
      refused('advisory_withdrawn'),
    )
    const after = await db.reader.sql`select * from advisory_versions order by version`
    assert.equal(after.length, 3)
    assert.deepEqual([...after.slice(0, 1)], [...before])
  })

  test('R10 the names of advisories have no gap that would tell of a draft', async () => {
    await rhea.browser.api.call(createAdvisory, { body: { content } })
    const next = await publish(rhea, remy, { ...content, title: 'Another flaw' })
    assert.match(next.name!, /-0002$/)
  })
})

test('R5 attack: hostile and unfit content is refused by name, and nothing is stored', async () => {
  const { api } = rhea.browser
  const count = async () => {
    const [row] = await db.reader.sql<
      [{ count: number }]
    >`select count(*)::int as count from advisories`
    return row.count
  }
  const stored = await count()
  const wrong: readonly (readonly [part: Partial<typeof content>, code: string])[] = [
    [{ title: 'a \u001b[31mred\u001b[0m title' }, 'advisory_unfit'],
    [{ title: 'a title\nof two lines' }, 'advisory_unfit'],
    [{ description: 'it turns \u202e the writing' }, 'advisory_unfit'],
    [{ cvss3: 'CVSS:3.1/AV:N' }, 'vector_malformed'],
    [{ ids: ['CVE-2026-1'] }, 'advisory_unfit'],
    [{ ids: ['CVE-2026-12345', 'CVE-2026-12346'] }, 'advisory_unfit'],
    [{ affected: [{ product: 'gateway', introduced: '1.4.1', fixed: '1.4.1' }] }, 'advisory_unfit'],
    [{ description: 'x'.repeat(20_001) }, 'invalid_request'],
    [{ description: 'x'.repeat(1024 * 1024) }, 'body_too_large'],
  ]
  for (const [part, code] of wrong) {
    const body = { content: { ...content, ...part } }
    await assert.rejects(api.call(createAdvisory, { body }), refused(code))
  }
  assert.equal(await count(), stored)
  const { id, caseId } = await api.call(createAdvisory, {
    body: { content: { ...content, summary: '', affected: [] } },
  })
  await api.call(readIntoCase, { params: { caseId, personId: remy.id } })
  await assert.rejects(
    remy.browser.api.call(reviewAdvisory, { params: { advisoryId: id }, body: { revision: 1 } }),
    refused('advisory_incomplete'),
  )
})

describe('R5 need to know', () => {
  const words = {
    title: 'The capstan lets go of its chain',
    summary: 'Whoever leans on the third bollard opens the gate.',
  }
  let advisoryId: string
  let caseId: string

  before(async () => {
    const opened = { body: { title: words.title, text: words.summary } }
    caseId = (await rhea.browser.api.call(openCase, opened)).id
    const body = { caseId, content: { ...content, ...words, ids: ['CVE-2026-99999'] } }
    advisoryId = (await rhea.browser.api.call(createAdvisory, { body })).id
  })

  test('R5 attack: no public page, list or metric has a trace of a draft', async () => {
    const search = searchFor({ ...words, id: advisoryId, cve: 'CVE-2026-99999' })
    const { paths } = await rhea.browser.api.call(listAdvisoryPages, {})
    for (const path of [...paths, '/metrics', '/readyz', '/openapi.json']) {
      assert.deepEqual(search((await readPublic(path)).bytes), [], path)
    }
  })

  test('R5 attack: an owner and another responder can do nothing with an advisory of a case that they are not read in to', async () => {
    const params = { advisoryId }
    for (const { browser } of [owner, ruth]) {
      await browser.stepUp()
      const { api } = browser
      const attempts = [
        () => api.call(showAdvisory, { params }),
        () => api.call(editAdvisory, { params, body: { revision: 1, content } }),
        () => api.call(reviewAdvisory, { params, body: { revision: 1 } }),
        () => api.call(publishAdvisory, { params, body: { revision: 1 } }),
        () => api.call(withdrawAdvisory, { params, body: { reason: 'x' } }),
      ]
      for (const attempt of attempts) await assert.rejects(attempt(), refused('advisory_not_found'))
      await assert.rejects(
        api.call(createAdvisory, { body: { caseId, content } }),
        refused('case_not_found'),
      )
      const { items } = await api.call(listAdvisories, { query: {} })
      assert.ok(items.every(({ id }) => id !== advisoryId))
    }
  })

  test('R5 the audit log names the advisory alone, and the database holds its draft sealed', async () => {
    const rows = await db.reader.sql<{ entry: Uint8Array }[]>`select entry from audit_entries`
    const search = searchFor(words)
    const log = rows.map(({ entry }) => utf8Decode(entry)).join('\n')
    assert.deepEqual(search(log), [])
    const dump = await db.reader.sql`select * from advisories`
    assert.deepEqual(search(JSON.stringify(dump)), [])
  })
})
