/** Statements on vulnerabilities, with real releases, records and devices. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { ProblemError } from '@seaworthy/api/problems'
import { createToken } from '@seaworthy/api/tokens'
import type { AuthoredVexStatement, VexStatementBody } from '@seaworthy/api/vex'
import {
  importVexStatements,
  listReleaseVexStatements,
  listVexStatements,
  setVexStatement,
  showVexStatement,
  withdrawVexStatement,
} from '@seaworthy/api/vex'
import {
  importVulnerabilities,
  listExposures,
  listVulnerabilities,
  showDeviceExposure,
  showReleaseExposure,
  showPatching,
  showVulnerability,
} from '@seaworthy/api/vulnerabilities'
import { waitUntil } from '@seaworthy/std/testing'
import { dayMs, formatInstant, systemClock } from '@seaworthy/std/time'
import type { TestClient, TestDevice, TestServer } from '../../testing/index.ts'
import {
  createTestClient,
  fillFleet,
  report,
  setUpTrust,
  startTestServer,
} from '../../testing/index.ts'
import {
  below,
  countNow,
  pushReleaseOf,
  recordOf,
} from '../vulnerabilities/pushed-sboms.fixture.ts'

let server: TestServer
let client: TestClient
let device: TestDevice

const tide = 'pkg:npm/tide@1.9.0'
const flaw = (modified: string, fixed: string, more: object = {}) =>
  recordOf({ id: 'GHSA-1', name: 'tide', modified, ranges: [below(fixed)], more: named(more) })
const named = (more: object) => ({ aliases: ['CVE-2026-1'], ...more })

before(async () => {
  server = await startTestServer({ workers: 1 })
  client = createTestClient(server)
  await setUpTrust(client)
  ;[device] = (await fillFleet(client, server.url, 1)) as [TestDevice]
  await importAll(flaw('2026-01-01T00:00:00Z', '2.0.0'))
  const sha256 = await push('1.0.0', tide)
  await runs('1.0.0', sha256, 1)
})

after(async () => {
  client.close()
  await server.stop()
})

const importAll = (...records: string[]) =>
  client.api.call(importVulnerabilities, { body: { records } })

/** Pushes a release, and waits until its components are compared. */
async function push(version: string, ...purls: string[]): Promise<string> {
  const sha256 = await pushReleaseOf(client, server.adminToken, { version, purls })
  await waitUntil(`${version} is read and compared`, async () => {
    const { sboms } = await exposureOf(version)
    const { pending } = await client.api.call(listExposures, {})
    return sboms.length > 0 && pending.componentsCount === 0
  })
  return sha256
}

const exposureOf = (version: string) =>
  client.api.call(showReleaseExposure, { params: { product: 'acme', version } })

async function outcomesOf(version: string): Promise<string[]> {
  const { found } = await exposureOf(version)
  return found.map(
    ({ outcome, statement }) => `${outcome} by ${statement?.version ?? 'the record'}`,
  )
}

const runs = (version: string, sha256: string, sequence: number) =>
  report(
    client,
    device,
    { sequence, running: { product: 'acme', version, sha256, counter: sequence } },
    true,
  )

const inDays = (days: number) => formatInstant(new Date(systemClock.now().getTime() + days * dayMs))

const claim = (more: Partial<VexStatementBody> = {}): VexStatementBody => ({
  ...{ vulnerability: 'CVE-2026-1', product: 'acme', version: '1.0.0', purl: tide },
  ...{ status: 'not_affected', justification: 'vulnerable_code_not_in_execute_path' },
  ...{ impact: '', action: '', notes: '', evidence: [], isInherited: false, expiresAt: null },
  ...more,
})
const say = (more?: Partial<VexStatementBody>) =>
  client.api.call(setVexStatement, { body: claim(more) })
const affected = { status: 'affected', justification: null, action: 'update' } as const

const refuses =
  (code: string, message = /./) =>
  (error: unknown) => {
    assert.ok(error instanceof ProblemError)
    assert.equal(error.problem.code, code)
    assert.match(error.problem.detail ?? '', message)
    return true
  }

const forever = { isInherited: true, expiresAt: inDays(90) }

test('R13 what somebody states is not affected counts apart from what is exposed, with who said so', async () => {
  const counted = async () => {
    const params = { vulnerability: 'CVE-2026-1' }
    const { devices } = await client.api.call(showVulnerability, { params, query: {} })
    const { everCount } = await client.api.call(showPatching, { params })
    return { total: devices.total, everCount }
  }
  const none = { confirmedCount: 0, lastKnownCount: 0, unknownCount: 0, clearedCount: 0 }
  assert.deepEqual(await counted(), { total: { ...none, confirmedCount: 1 }, everCount: 1 })
  const before = formatInstant(systemClock.now())
  const made = await say({ evidence: ['https://example.org/review/7'] })
  assert.deepEqual([made.state, made.author], ['in_force', null])
  assert.deepEqual(await counted(), { total: { ...none, clearedCount: 1 }, everCount: 0 })
  const { found } = await client.api.call(showDeviceExposure, { params: { deviceId: device.id } })
  assert.deepEqual(
    found.map(({ verdict, outcome, statement }) => [verdict, outcome, statement?.id]),
    [['affected', 'cleared', made.id]],
  )
  assert.equal(found[0]!.statement!.reviewer, made.reviewer)
  const { items } = await client.api.call(listVulnerabilities, { query: {} })
  const { affectedReleasesCount, clearedReleasesCount } = items[0]!
  assert.deepEqual([affectedReleasesCount, clearedReleasesCount], [0, 1])
  await countNow(server.dataDir)
  const open = (await client.api.call(listExposures, {})).items
  assert.partialDeepStrictEqual(open[0], { clearedCount: 1, confirmedCount: 0 })
  // Then it had not been said yet.
  const { devices } = await client.api.call(showVulnerability, {
    params: { vulnerability: 'GHSA-1' },
    query: { at: before },
  })
  assert.equal(devices.total.clearedCount, 0)
})

test('R13 later releases inherit a statement with the very same component, until one of them has its own', async () => {
  await say(forever)
  await push('1.1.0', tide)
  await push('1.2.0', 'pkg:npm/tide@1.9.1')
  assert.deepEqual(await outcomesOf('1.1.0'), ['cleared by 1.0.0'])
  assert.deepEqual(await outcomesOf('1.2.0'), ['affected by the record'])
  await say({ ...affected, version: '1.1.0' })
  await push('1.3.0', tide)
  assert.deepEqual(await outcomesOf('1.0.0'), ['cleared by 1.0.0'])
  assert.deepEqual(await outcomesOf('1.1.0'), ['affected by 1.1.0'])
  assert.deepEqual(await outcomesOf('1.3.0'), ['affected by the record'])
  // What is said of a later release says nothing of one before it.
  await say({ ...forever, version: '1.3.0' })
  assert.deepEqual(await outcomesOf('1.1.0'), ['affected by 1.1.0'])
})

test('R13 under two names of one flaw the worse statement counts, and what is investigated stays as it was', async () => {
  await say()
  const other = await say({ ...affected, vulnerability: 'GHSA-1' })
  assert.deepEqual(await outcomesOf('1.0.0'), ['affected by 1.0.0'])
  const gone = await client.api.call(withdrawVexStatement, { params: { statementId: other.id } })
  assert.equal(gone.state, 'withdrawn')
  assert.deepEqual(await outcomesOf('1.0.0'), ['cleared by 1.0.0'])
  await say({ status: 'under_investigation', justification: null })
  assert.deepEqual(await outcomesOf('1.0.0'), ['affected by 1.0.0'])
  await assert.rejects(
    client.api.call(withdrawVexStatement, { params: { statementId: other.id } }),
    refuses('vex_statement_ended'),
  )
})

test('R13 a statement is reopened when the ranges of a record change, and not when other words do', async () => {
  const made = await say(forever)
  const state = async () =>
    (await client.api.call(showVexStatement, { params: { statementId: made.id } })).state
  const worded = await importAll(
    flaw('2026-02-01T00:00:00Z', '2.0.0', { summary: 'in other words' }),
  )
  assert.deepEqual([worded.changed, worded.statementsReopened], [1, 0])
  assert.equal(await state(), 'in_force')
  const another = recordOf({ id: 'GHSA-9', name: 'tide', ranges: [below('1.0.0')] })
  assert.equal((await importAll(another)).statementsReopened, 0)
  const wider = await importAll(flaw('2026-03-01T00:00:00Z', '3.0.0'))
  assert.ok(wider.statementsReopened >= 1)
  assert.equal(await state(), 'reopened')
  assert.deepEqual(await outcomesOf('1.0.0'), ['affected by the record'])
  const open = () =>
    client.api.call(listVexStatements, { query: { state: 'reopened', version: '1.0.0' } })
  assert.deepEqual(
    (await open()).items.map(({ id }) => id),
    [made.id],
  )
  await say()
  assert.deepEqual((await open()).items, [])
})

test('R13 a record that comes to have the name of a flaw reopens what was stated of it', async () => {
  const made = await say()
  const added = await importAll(
    recordOf({ id: 'OSV-77', name: 'tide', ranges: [below('9.0.0')], more: named({}) }),
  )
  assert.ok(added.statementsReopened >= 1)
  const params = { statementId: made.id }
  assert.equal((await client.api.call(showVexStatement, { params })).state, 'reopened')
})

test('R13 a statement that has expired counts no more', async () => {
  const expiresAt = formatInstant(new Date(systemClock.now().getTime() + 3000))
  const made = await say({ expiresAt })
  assert.ok((await outcomesOf('1.0.0')).every((one) => one === 'cleared by 1.0.0'))
  await waitUntil('it has expired', async () =>
    (await outcomesOf('1.0.0')).every((one) => one === 'affected by the record'),
  )
  const { items } = await client.api.call(listVexStatements, {
    query: { state: 'reopened', version: '1.0.0' },
  })
  assert.deepEqual(
    items.map(({ id, state }) => [id, state]),
    [[made.id, 'expired']],
  )
})

test('R13 statements of a document are taken once, and what holds for a release is listed with what it inherits', async () => {
  const purl = 'pkg:npm/tide@1.5.0'
  await push('2.0.0', purl)
  const authored = { author: 'The makers', authoredAt: '2026-01-01T00:00:00Z' }
  const body = {
    statements: [{ ...claim({ ...forever, version: '2.0.0', purl }), ...authored }],
    replaces: false,
  }
  const bring = async () => {
    const { taken, unchanged } = await client.api.call(importVexStatements, { body })
    return [taken, unchanged]
  }
  assert.deepEqual(await bring(), [1, 0])
  assert.deepEqual(await bring(), [0, 1])
  // Whoever guesses what is stated of a product out of their reach is told the same as for a miss.
  const scope = { products: ['other'] }
  const { token } = await client.api.call(createToken, {
    body: { name: 'stranger', role: 'responder', lifetimeSeconds: 3600, ...scope },
  })
  const guessed = await client.as(token).call(importVexStatements, { body })
  assert.deepEqual([guessed.taken, guessed.unchanged, guessed.setAside.length], [0, 0, 1])
  assert.match(guessed.setAside[0]!.why, /does not reach acme/)
  await push('2.1.0', purl)
  const { items } = await client.api.call(listReleaseVexStatements, {
    params: { product: 'acme', version: '2.1.0' },
  })
  assert.deepEqual(
    items.map((one) => [one.version, one.author, one.authoredAt]),
    [['2.0.0', authored.author, authored.authoredAt]],
  )
})

test('R13 attack: statements of a hostile document are set aside by name, and what is in force stays', async () => {
  const held = await say(affected)
  const authored = { author: 'Them', authoredAt: formatInstant(systemClock.now()) }
  const cases: [Partial<AuthoredVexStatement>, RegExp][] = [
    [{}, /another statement is in force/],
    [{ product: 'theirs' }, /no release/],
    [{ purl: 'pkg:npm/sand@1.0.0' }, /lists this component/],
    [{ impact: '\u001b[2J' }, /control characters/],
    [{ expiresAt: inDays(-1) }, /expired/],
    [{ authoredAt: inDays(1) }, /in the future/],
    [{ justification: null }, /needs a justification/],
  ]
  const statements = cases.map(([more]) => ({ ...claim(), ...authored, ...more }))
  const bring = (body: { statements: AuthoredVexStatement[]; replaces: boolean }) =>
    client.api.call(importVexStatements, { body })
  const { taken, setAside } = await bring({ statements, replaces: false })
  assert.equal(taken, 0)
  assert.equal(setAside.length, cases.length)
  for (const [i, [, why]] of cases.entries()) assert.match(setAside[i]!.why, why)
  const older = { ...claim(), ...authored, authoredAt: '2026-01-01T00:00:00Z' }
  const refused = await bring({ statements: [older], replaces: true })
  assert.match(refused.setAside[0]!.why, /older than/)
  const params = { statementId: held.id }
  assert.equal((await client.api.call(showVexStatement, { params })).state, 'in_force')
  const operator = await client.api.call(createToken, {
    body: { name: 'clerk', role: 'operator', lifetimeSeconds: 3600 },
  })
  await assert.rejects(
    client.as(operator.token).call(importVexStatements, { body: { statements, replaces: true } }),
    refuses('permission_denied'),
  )
})

test('R13 attack: nobody without the permission states that something does not matter', async () => {
  await say(affected)
  const tokenFor = async (role: 'operator' | 'releaser' | 'responder', products?: string[]) => {
    const body = { name: 'clerk', role, lifetimeSeconds: 3600, ...(products && { products }) }
    return (await client.api.call(createToken, { body })).token
  }
  const sayAs = async (token: string) => client.as(token).call(setVexStatement, { body: claim() })
  for (const role of ['operator', 'releaser'] as const) {
    await assert.rejects(sayAs(await tokenFor(role)), refuses('permission_denied'), role)
  }
  await assert.rejects(sayAs(await tokenFor('responder', ['other'])), refuses('out_of_scope'))
  assert.ok((await outcomesOf('1.0.0')).every((one) => one === 'affected by 1.0.0'))
  assert.equal((await sayAs(await tokenFor('responder', ['acme']))).state, 'in_force')
})

test('R13 attack: a statement without a reason, with an end that is over, or with terminal escapes is refused', async () => {
  const refused: [Partial<VexStatementBody>, string, RegExp][] = [
    [{ justification: null }, 'vex_statement_malformed', /justification/],
    [{ ...affected, action: '' }, 'vex_statement_malformed', /action/],
    [{ impact: '\u001b[2Jall is well' }, 'vex_statement_malformed', /control/],
    [{ evidence: ['\u202egro.elpmaxe'] }, 'vex_statement_malformed', /control/],
    [{ isInherited: true }, 'vex_statement_malformed', /expiry/],
    [{ isInherited: true, expiresAt: inDays(400) }, 'vex_statement_malformed', /a year/],
    [{ expiresAt: inDays(-1) }, 'vex_statement_expired', /expired/],
    [{ purl: 'pkg:npm/sand@1.0.0' }, 'vex_component_not_found', /lists this component/],
    [{ version: '7.0.0' }, 'release_not_found', /7\.0\.0/],
  ]
  for (const [more, code, message] of refused) {
    await assert.rejects(say(more), refuses(code, message), code)
  }
})
