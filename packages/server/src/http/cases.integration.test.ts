/**
 * Cases from the report of a stranger to their end (R2, R3), and what those who are not read in
 * find of them, which is nothing.
 */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { createAdvisory } from '@seaworthy/api/advisories'
import {
  answerCase,
  assignCase,
  listCaseEntries,
  listCases,
  moveCaseBy,
  noteInCase,
  openCase,
  readIntoCase,
  readOutOfCase,
  showCase,
} from '@seaworthy/api/cases'
import { formatPath } from '@seaworthy/api/client'
import { createInvitation } from '@seaworthy/api/invitations'
import { disablePerson, setPerson } from '@seaworthy/api/people'
import type { ProblemError } from '@seaworthy/api/problems'
import { routes } from '@seaworthy/api/routes'
import { createToken } from '@seaworthy/api/tokens'
import { builtInRoles, tokenRoles } from '@seaworthy/fleet/access'
import { utf8Decode } from '@seaworthy/std/bytes'
import { waitUntil } from '@seaworthy/std/testing'
import { searchFor } from '@seaworthy/std/testing/leaks'
import { formatInstant, systemClock } from '@seaworthy/std/time'
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

before(async () => {
  server = await startTestServer({ workers: 1, args: ['--report-form'] })
  client = createTestClient(server)
  db = server.openDatabase()
  const browser = createTestBrowser(server, client)
  owner = { browser, id: (await becomeOwner(server, browser)).person.id }
  rhea = await comeIn('responder')
  remy = await comeIn('responder')
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

const formHeaders = { 'content-type': 'application/x-www-form-urlencoded' }
async function postForm(path: string, fields: Readonly<Record<string, string>>) {
  const body = new URLSearchParams(fields).toString()
  const answer = await client.send('POST', path, { headers: formHeaders, body })
  return { ...answer, text: utf8Decode(answer.bytes) }
}
async function readPage(path: string) {
  const answer = await client.send('GET', path)
  return { ...answer, text: utf8Decode(answer.bytes) }
}

/** Reports a flaw as a browser does, and answers the path of the private page. */
async function report(
  title: string,
  text = 'It overflows when the tide is high.',
): Promise<string> {
  const { status, text: page } = await postForm('/report', { title, text, product: 'lock 1.2' })
  assert.equal(status, 201, page)
  return /\/report\/[A-Za-z0-9_-]{43}/.exec(page)![0]
}

/** The newest case, which nobody has taken. */
async function findUntaken(by: Joined): Promise<string> {
  const { items } = await by.browser.api.call(listCases, { query: { state: 'open' } })
  const untaken = items.find(({ title }) => title === null)
  assert.ok(untaken, 'a report waits')
  return untaken.id
}

describe('R2 R3 from a report to its end', () => {
  let path: string
  let caseId: string

  test('R2 a stranger reports a flaw in a page without a script, and handlers see that one waits, without its content', async () => {
    const form = await readPage('/report')
    assert.equal(form.status, 200)
    assert.doesNotMatch(form.text, /<script/)
    path = await report('<img src=x onerror=alert(1)> sluice')
    caseId = await findUntaken(rhea)
    await assert.rejects(
      rhea.browser.api.call(showCase, { params: { caseId } }),
      refused('case_not_taken'),
    )
  })

  test('R3 a clock that is about to break, or has, raises one alarm, for those who are read in', async () => {
    const { api } = rhea.browser
    const params = { caseId: (await api.call(openCase, { body: { title: 'reef', text: 'x' } })).id }
    const soon = formatInstant(new Date(systemClock.now().getTime() + 86_400_000))
    const proposal = { event: 'propose-embargo', embargoUntil: soon } as const
    await api.call(moveCaseBy, { params, body: proposal })
    const alarms = async () => {
      const { items } = await api.call(listCaseEntries, { params, query: {} })
      return items.filter(({ kind }) => kind === 'alarm')
    }
    await waitUntil('the alarm is raised', async () => (await alarms()).length > 0)
    const [alarm, ...others] = await alarms()
    assert.deepEqual(others, [])
    assert.match(alarm!.text, /embargo is about to break/)
    assert.equal(alarm!.by, 'server')
    const rows = await db.reader.sql<{ entry: Uint8Array }[]>`select entry from audit_entries`
    const logged = rows
      .map(({ entry }) => utf8Decode(entry))
      .filter((entry) => entry.includes('case.alarm') && entry.includes(params.caseId))
    assert.equal(logged.length, 1)
    assert.doesNotMatch(logged[0]!, /embargo/)
    await api.call(moveCaseBy, { params, body: { event: 'reject-embargo' } })
  })

  test('R3 whoever takes a case is read in, answers its reporter, and meets the clocks by that', async () => {
    const { api } = rhea.browser
    const params = { caseId }
    const taken = await api.call(assignCase, { params, body: {} })
    assert.equal(taken.title, '<img src=x onerror=alert(1)> sluice')
    assert.equal(taken.handler, rhea.id)
    assert.deepEqual(
      taken.clocks.map(({ name, state }) => [name, state]),
      [
        ['acknowledge', 'running'],
        ['answer', 'running'],
      ],
    )
    await api.call(answerCase, { params, body: { text: 'A person reads it.', isDetailed: false } })
    const detailed = { text: 'We see it, too. </article><script>', isDetailed: true }
    await api.call(answerCase, { params, body: detailed })
    const { clocks } = await api.call(showCase, { params })
    assert.deepEqual(
      clocks.map(({ name, state }) => [name, state]),
      [
        ['acknowledge', 'met'],
        ['answer', 'met'],
        ['update', 'running'],
      ],
    )
    const page = await readPage(path)
    assert.match(page.text, /A person reads it\./)
    assert.doesNotMatch(page.text, /<script|<img/)
    assert.equal(page.headers['cache-control'], 'no-store')
  })

  test('R2 the reporter adds a message behind the link, also when the case is closed, and nothing is lost', async () => {
    const { api } = rhea.browser
    const params = { caseId }
    await api.call(moveCaseBy, { params, body: { event: 'validate' } })
    await assert.rejects(
      api.call(moveCaseBy, { params, body: { event: 'propose-embargo' } }),
      refused('case_embargo_time'),
    )
    const embargoUntil = '2099-03-01T12:00:00Z'
    await api.call(moveCaseBy, { params, body: { event: 'propose-embargo', embargoUntil } })
    await api.call(moveCaseBy, { params, body: { event: 'accept-embargo' } })
    await api.call(moveCaseBy, { params, body: { event: 'accept' } })
    await assert.rejects(
      api.call(moveCaseBy, { params, body: { event: 'close' } }),
      refused('case_move_illegal'),
    )
    await api.call(moveCaseBy, { params, body: { event: 'public' } })
    const closed = await api.call(moveCaseBy, { params, body: { event: 'close' } })
    assert.deepEqual(
      [closed.report, closed.embargo, closed.knowledge],
      ['closed', 'exited', 'VfdPxa'],
    )
    assert.equal((await postForm(path, { text: 'It is back!' })).status, 303)
    const { waitingSince } = await api.call(showCase, { params })
    assert.ok(waitingSince !== null)
    const { items } = await api.call(listCaseEntries, { params })
    assert.deepEqual(
      items.filter(({ kind }) => kind !== 'move').map(({ kind }) => kind),
      ['report', 'assign', 'answer', 'answer', 'reply'],
    )
    assert.match((await readPage(path)).text, /It is back!/)
  })
})

test('R2 attack: hostile forms are refused by name, with a page, and nothing is stored', async () => {
  const count = async () => {
    const [row] = await db.reader.sql<[{ count: number }]>`select count(*)::int as count from cases`
    return row.count
  }
  const stored = await count()
  const huge = await client
    .send('POST', '/report', { headers: formHeaders, body: new Uint8Array(10 * 1024 * 1024) })
    .catch(() => ({ status: 413 }))
  assert.equal(huge.status, 413)
  const wrong: readonly (readonly [fields: Readonly<Record<string, string>>, status: number])[] = [
    [{ text: 'no title' }, 422],
    [{ title: 'x'.repeat(201), text: 'x' }, 422],
    [{ title: 'x', text: 'x'.repeat(20_001) }, 422],
    [{ title: ' \r\n', text: 'x' }, 422],
  ]
  for (const [fields, status] of wrong) {
    const answer = await postForm('/report', fields)
    assert.equal(answer.status, status)
    assert.match(answer.headers['content-type']!, /text\/html/)
  }
  const { status } = await client.send('POST', '/report', {
    headers: { 'content-type': 'text/plain' },
    body: 'title=x',
  })
  assert.equal(status, 415)
  const absent = await readPage(`/report/${'A'.repeat(43)}`)
  assert.equal(absent.status, 404)
  assert.equal(await count(), stored)
})

test('R2 a server that was not told to takes no reports, and so promises nobody anything', async () => {
  const plain = await startTestServer({ workers: 1 })
  const stranger = createTestClient(plain)
  try {
    for (const method of ['GET', 'POST'] as const) {
      const body = new URLSearchParams({ title: 'sluice', text: 'It overflows.' }).toString()
      const sent = method === 'POST' ? { headers: formHeaders, body } : {}
      const { status, bytes } = await stranger.send(method, '/report', sent)
      assert.equal(status, 404)
      assert.match(utf8Decode(bytes), /takes no reports by form: [^]*--report-form/)
    }
  } finally {
    stranger.close()
    await plain.stop()
  }
})

describe('R2 need to know', () => {
  const words = {
    title: 'The capstan lets go of its chain',
    text: 'Whoever leans on the third bollard opens the gate.',
  }
  let caseId: string
  let advisoryId: string

  before(async () => {
    caseId = (await rhea.browser.api.call(openCase, { body: words })).id
    const params = { caseId }
    const event = { event: 'propose-embargo', embargoUntil: '2099-01-01T00:00:00Z' } as const
    await rhea.browser.api.call(moveCaseBy, { params, body: event })
    await rhea.browser.api.call(moveCaseBy, { params, body: { event: 'accept-embargo' } })
    await rhea.browser.api.call(noteInCase, { params, body: { text: words.text } })
    // The draft of an advisory has the title of its case.
    advisoryId = (await rhea.browser.api.call(createAdvisory, { body: { caseId } })).id
  })

  test('R2 attack: somebody who is not read in finds no trace of an embargoed case or its advisory in any GET route, as any role', async () => {
    const search = searchFor({ ...words, id: caseId, advisory: advisoryId })
    const callers = new Map<string, { token?: string; headers?: Record<string, string> }>()
    for (const role of tokenRoles) {
      const { token } = await client.api.call(createToken, {
        body: { name: `walk-${role}`, role, lifetimeSeconds: 3600 },
      })
      callers.set(role, { token })
    }
    for (const [name, { browser }] of Object.entries({ owner, remy })) {
      const cookie = `__Host-seaworthy=${browser.cookies.get('__Host-seaworthy')}`
      callers.set(name, {
        headers: { cookie, origin: server.url, 'sec-fetch-site': 'same-origin' },
      })
    }
    callers.set('nobody', {})
    const found: string[] = []
    let answered = 0
    const look = async (path: string) => {
      for (const [name, credential] of callers) {
        const { status, bytes } = await client.send('GET', path, credential)
        if (status === 200) answered++
        // What the caller asked for by its id may come back in the refusal of nothing else.
        if (status === 200 || !(path.includes(caseId) || path.includes(advisoryId))) {
          for (const what of search(bytes)) found.push(`${what} at ${path} as ${name}`)
        }
      }
    }
    const ids: Readonly<Record<string, string>> = {
      ...{ caseId, advisoryId, personId: rhea.id, product: 'acme' },
    }
    const gets = routes.filter(({ method }) => method === 'GET')
    for (const route of gets) {
      const names = [...route.path.matchAll(/:(\w+)/g)].map(([, name]) => name!)
      const params = Object.fromEntries(names.map((name) => [name, ids[name] ?? 'absent']))
      await look(formatPath(route.path, params))
    }
    for (const path of ['/metrics', '/readyz', '/openapi.json', '/odata/v1/$metadata'])
      await look(path)
    assert.deepEqual(found, [])
    assert.ok(answered > gets.length, 'most routes answer somebody')
    const own = await rhea.browser.api.call(showCase, { params: { caseId } })
    assert.equal(own.title, words.title, 'whoever is read in finds it')
  })

  test('R2 attack: an owner, an admin and another responder can do nothing with a case they are not read in to', async () => {
    const params = { caseId }
    for (const { browser, id } of [owner, remy, await comeIn('admin')]) {
      await browser.stepUp()
      const { api } = browser
      const attempts = [
        () => api.call(showCase, { params }),
        () => api.call(listCaseEntries, { params }),
        () => api.call(noteInCase, { params, body: { text: 'x' } }),
        () => api.call(answerCase, { params, body: { text: 'x', isDetailed: true } }),
        () => api.call(moveCaseBy, { params, body: { event: 'validate' } }),
        () => api.call(assignCase, { params, body: {} }),
        () => api.call(readIntoCase, { params: { caseId, personId: id } }),
        () => api.call(readOutOfCase, { params: { caseId, reader: rhea.id } }),
      ]
      for (const attempt of attempts) await assert.rejects(attempt(), refused('case_not_found'))
    }
  })

  test('R2 the audit log names the case alone: neither title nor text nor state', async () => {
    const rows = await db.reader.sql<{ entry: Uint8Array }[]>`select entry from audit_entries`
    const entries = rows
      .map(({ entry }) => utf8Decode(entry))
      .filter((text) => text.includes(caseId) && text.includes('"done"'))
    assert.equal(entries.length, 4)
    for (const text of entries) {
      const { detail } = JSON.parse(text) as { detail: object }
      assert.deepEqual(Object.keys(detail), ['entrySha256'])
    }
    const dump = await db.reader.sql`select * from cases c join case_entries e on e.case_id = c.id`
    const search = searchFor(words)
    assert.deepEqual(search(JSON.stringify(dump)), [])
  })

  test('R2 whoever is read in sees the case, and nothing of it once read out', async () => {
    const { api } = remy.browser
    const params = { caseId, personId: remy.id }
    await rhea.browser.api.call(readIntoCase, { params })
    assert.equal((await api.call(showCase, { params: { caseId } })).title, words.title)
    await assert.rejects(
      api.call(readOutOfCase, { params: { caseId, reader: rhea.id } }),
      refused('case_handler_stays'),
    )
    await rhea.browser.api.call(readOutOfCase, { params: { caseId, reader: remy.id } })
    await assert.rejects(api.call(showCase, { params: { caseId } }), refused('case_not_found'))
    const viewer = await comeIn('viewer')
    await assert.rejects(
      rhea.browser.api.call(readIntoCase, { params: { caseId, personId: viewer.id } }),
      refused('case_reader_unfit'),
    )
  })

  test('R2 a case whose only reader cannot come in any more waits to be taken again', async () => {
    const gone = await comeIn('responder')
    const { id } = await gone.browser.api.call(openCase, { body: words })
    await assert.rejects(
      remy.browser.api.call(assignCase, { params: { caseId: id }, body: {} }),
      refused('case_not_found'),
    )
    await owner.browser.stepUp()
    await owner.browser.api.call(disablePerson, { params: { personId: gone.id } })
    const taken = await remy.browser.api.call(assignCase, { params: { caseId: id }, body: {} })
    assert.equal(taken.title, words.title)
  })

  test('R2 a case whose only reader may read no cases any more waits to be taken again', async () => {
    const demoted = await comeIn('responder')
    const { id } = await demoted.browser.api.call(openCase, { body: words })
    await owner.browser.stepUp()
    await owner.browser.api.call(setPerson, {
      ...{ params: { personId: demoted.id }, body: { role: 'operator' } },
    })
    const taken = await remy.browser.api.call(assignCase, { params: { caseId: id }, body: {} })
    assert.equal(taken.title, words.title)
  })
})

test('R2 attack: a database that moves an entry into another case, or puts it in the mouth of another, is noticed', async () => {
  const { api } = rhea.browser
  const one = await api.call(openCase, { body: { title: 'one', text: 'the first' } })
  const two = await api.call(openCase, { body: { title: 'two', text: 'the second' } })
  const params = { caseId: two.id }
  await db.write(
    ({ sql }) => sql`update case_entries set case_id = ${two.id} where case_id = ${one.id}`,
  )
  await assert.rejects(api.call(listCaseEntries, { params }), refused('case_not_opened'))
  await db.write(
    ({ sql }) => sql`
    update case_entries set by = ${remy.id} where case_id = ${two.id}`,
  )
  await assert.rejects(api.call(listCaseEntries, { params }), refused('case_not_opened'))
  await db.write(
    ({ sql }) => sql`
    update cases set sealed = (select sealed from cases where id = ${one.id}) where id = ${two.id}`,
  )
  await assert.rejects(api.call(showCase, { params }), refused('case_not_opened'))
})

test('R2 A9 attack: a network that sends reports again and again is held up, and the page says for how long', async () => {
  const answers: number[] = []
  for (let i = 0; i < 12; i++) {
    answers.push((await postForm('/report', { title: `spam ${i}`, text: 'x' })).status)
  }
  assert.ok(answers.includes(429), answers.join())
})
