/**
 * Stored credentials as people borrow them: for a reason, with somebody else's yes, once, and for a
 * time. The PostgreSQL for which accounts are made is Debian's.
 */
import assert from 'node:assert/strict'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import {
  approveRequest,
  rejectRequest,
  setApprovalPolicy,
  showApproval,
} from '@seaworthy/api/approvals'
import { endLease, listLeases, openLease, requestLease } from '@seaworthy/api/leases'
import { disablePerson, setPerson } from '@seaworthy/api/people'
import type { ProblemError } from '@seaworthy/api/problems'
import { changeRole, createRole, showRole } from '@seaworthy/api/roles'
import type { BodyInputOf } from '@seaworthy/api/route'
import {
  addStoredCredential,
  listStoredCredentials,
  removeStoredCredential,
  replaceStoredCredential,
} from '@seaworthy/api/stored-credentials'
import { base64Decode, base64Encode, hexEncode, utf8Decode, utf8Encode } from '@seaworthy/std/bytes'
import { systemRandom } from '@seaworthy/std/random'
import { hasCode, waitUntil } from '@seaworthy/std/testing'
import { searchArguments, searchFolder, searchFor } from '@seaworthy/std/testing/leaks'
import { lacks } from '@seaworthy/std/testing/programs'
import type { Db, TestClient, TestServer, Joined } from '../testing/index.ts'
import {
  createTestClient,
  startTestServer,
  confirmed,
  joinAsFirstOwner,
  joinBy,
} from '../testing/index.ts'
import type { TargetPostgres } from '../testing/target-postgres.ts'
import { startTargetPostgres } from '../testing/target-postgres.ts'

let folder: string
let server: TestServer
let client: TestClient
let db: Db
let olive: Joined
let oscar: Joined
let otto: Joined

const start = (dataDir: string, port?: number) =>
  startTestServer({
    ...{ workers: 1, dataDir, ...(port === undefined ? {} : { port }) },
    args: ['--credential-key-file', join(folder, 'credential.key')],
  })

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'seaworthy-leases-'))
  // PostgreSQL has an account of its own, where the tests run as root.
  await chmod(folder, 0o755)
  const key = hexEncode(systemRandom.bytes(32))
  await writeFile(join(folder, 'credential.key'), key, { mode: 0o600 })
  server = await start(join(folder, 'data'))
  client = createTestClient(server)
  db = server.openDatabase()
  olive = await joinAsFirstOwner(server, client)
  oscar = await comeIn('owner')
  otto = await comeIn('operator')
})
after(async () => {
  client.close()
  await db.close()
  await server.stop()
  await rm(folder, { recursive: true, force: true })
})

const comeIn = (role: 'owner' | 'operator' | 'viewer'): Promise<Joined> =>
  joinBy(olive, { role }, { server, client })

const secretOf = () => `secret-${hexEncode(systemRandom.bytes(12))}`
const bodyOf = (name: string, value: string) => ({
  body: { name, kind: 'value', value: base64Encode(utf8Encode(value)) } as const,
})
const ask = async (by: Joined, credential: string, seconds = 600) =>
  by.browser.api.call(requestLease, { body: { credential, reason: 'the till is down', seconds } })
async function open(by: Joined, leaseId: string) {
  return (await confirmed(by)).call(openLease, { params: { leaseId } })
}
const valueOf = async (by: Joined, leaseId: string) =>
  utf8Decode(base64Decode((await open(by, leaseId)).value))

/** The request for approval that opening the lease is answered with. */
async function approvalOf(by: Joined, leaseId: string): Promise<string> {
  const error = await open(by, leaseId).then(
    () => undefined,
    (why: unknown) => why as ProblemError,
  )
  assert.equal(error?.code, 'approval_required', String(error))
  return error.problem.approval!
}
async function approve(by: Joined, approvalId: string): Promise<void> {
  await (await confirmed(by)).call(approveRequest, { params: { approvalId } })
}
async function openApproved(by: Joined, leaseId: string): Promise<string> {
  await approve(oscar, await approvalOf(by, leaseId))
  return valueOf(by, leaseId)
}
const leaseOf = async (id: string) =>
  (await client.api.call(listLeases, { query: { limit: 1000 } })).items.find(
    (lease) => lease.id === id,
  )!

test('A8 attack: nobody has to agree, and somebody who could not put the credential in opens a lease of it', async () => {
  const secret = secretOf()
  const added = await (await confirmed(olive)).call(addStoredCredential, bodyOf('early', secret))
  assert.deepEqual([added.version, added.kind, added.leasesOpen], [1, 'value', 0])
  await assert.rejects(open(otto, (await ask(otto, 'early')).id), hasCode('lease_needs_rule'))
  assert.equal(await valueOf(oscar, (await ask(oscar, 'early')).id), secret)
  const again = async () => (await confirmed(olive)).call(addStoredCredential, bodyOf('early', 'x'))
  await assert.rejects(again(), hasCode('stored_credential_exists'))
})

test('A8 A2 a credential is lent once another person has approved it, is handed out once, and is all in the log but for its value', async () => {
  const rules: BodyInputOf<typeof setApprovalPolicy> = {
    ...{ releaseDevicesAbove: null, deviceRemoval: false, credentialLease: true },
  }
  await (await confirmed(olive)).call(setApprovalPolicy, { body: rules })
  const secret = secretOf()
  await (await confirmed(olive)).call(addStoredCredential, bodyOf('vault', secret))
  const { id } = await ask(otto, 'vault')
  const approvalId = await approvalOf(otto, id)
  const asked = await oscar.browser.api.call(showApproval, { params: { approvalId } })
  assert.deepEqual(asked.effect, [
    'Would hand out the credential vault, for 10 minutes; whoever has seen it knows it until it is replaced.',
    'The reason given: "the till is down"',
  ])
  await assert.rejects(approve(otto, approvalId), hasCode('approval_own'))
  await assert.rejects(approve(await comeIn('viewer'), approvalId), hasCode('permission_denied'))
  await approve(oscar, approvalId)
  const opened = await open(otto, id)
  assert.equal(utf8Decode(base64Decode(opened.value)), secret)
  assert.deepEqual([opened.lease.state, opened.lease.version], ['open', 1])
  await assert.rejects(open(otto, id), hasCode('lease_closed'))

  const ended = await otto.browser.api.call(endLease, { params: { leaseId: id } })
  assert.deepEqual([ended.state, ended.endReason], ['ended', 'returned'])
  await assert.rejects(
    otto.browser.api.call(endLease, { params: { leaseId: id } }),
    hasCode('lease_closed'),
  )
  const entries = await db.reader.sql<{ entry: Uint8Array }[]>`select entry from audit_entries`
  const texts = entries.map((one) => utf8Decode(one.entry))
  const said = texts.filter((text) => text.includes(id)).map((text) => JSON.parse(text))
  const done = said.filter(({ outcome }) => outcome === 'done').map(({ action }) => action)
  assert.deepEqual(
    new Set(done),
    new Set([
      ...['approval.approve', 'approval.request', 'lease.end', 'lease.open', 'lease.request'],
    ]),
  )
  assert.equal(done.length, 5)
  const entry = said.find(({ action, outcome }) => action === 'lease.open' && outcome === 'done')
  assert.equal(entry.detail.approvedBy, oscar.id)
  assert.equal(entry.detail.reason, 'the till is down')
  for (const form of [secret, base64Encode(utf8Encode(secret))]) {
    assert.ok(!texts.some((text) => text.includes(form)) && !server.log().includes(form))
  }
  const [row] = await db.reader.sql<{ all: string }[]>`
    select string_agg(encode(wrapped || sealed, 'hex'), '') as all from stored_credentials`
  assert.ok(!row!.all.includes(hexEncode(utf8Encode(secret))))
})

test('A8 attack: a lease is opened by another person, after it was rejected or ended, after the value was replaced, or for somebody who was sent away', async () => {
  await (await confirmed(olive)).call(addStoredCredential, bodyOf('safe', secretOf()))
  const { id } = await ask(otto, 'safe')
  await assert.rejects(open(oscar, id), hasCode('lease_not_own'))
  const other = await comeIn('operator')
  const end = (by: Joined) => by.browser.api.call(endLease, { params: { leaseId: id } })
  await assert.rejects(end(other), hasCode('lease_not_own'))
  const approvalId = await approvalOf(otto, id)
  await oscar.browser.api.call(rejectRequest, { params: { approvalId }, body: { reason: 'no' } })
  const second = await approvalOf(otto, id)
  await approve(oscar, second)
  const body = { value: base64Encode(utf8Encode(secretOf())) }
  const params = { credential: 'safe' }
  await (await confirmed(oscar)).call(replaceStoredCredential, { params, body })
  await assert.rejects(open(otto, id), hasCode('approval_void'))
  assert.equal((await end(otto)).endReason, 'withdrawn')
  await assert.rejects(open(otto, id), hasCode('lease_closed'))

  const last = await ask(other, 'safe')
  await openApproved(other, last.id)
  await (await confirmed(olive)).call(disablePerson, { params: { personId: other.id } })
  await waitUntil(
    'the lease of somebody who was sent away ends',
    async () => (await leaseOf(last.id)).endReason === 'revoked',
  )
  const gone = await ask(oscar, 'safe')
  await (await confirmed(olive)).call(removeStoredCredential, { params })
  await assert.rejects(open(oscar, gone.id), hasCode('stored_credential_not_found'))
})

test('A8 attack: somebody keeps an open lease though they may not borrow any more: by another role, by a scope, or because a role that they have was changed', async () => {
  await (await confirmed(olive)).call(addStoredCredential, bodyOf('till', secretOf()))
  const rules = { purpose: 'the night', allows: [], denies: ['device:write'] }
  await (await confirmed(olive)).call(createRole, { body: { name: 'night', ...rules } })
  const { version } = await olive.browser.api.call(showRole, { params: { role: 'night' } })
  const lent = async () => {
    const by = await comeIn('operator')
    const { id } = await ask(by, 'till', 86_400)
    await openApproved(by, id)
    return { id, personId: by.id }
  }
  const [other, scoped, denied, stays] = [await lent(), await lent(), await lent(), await lent()]
  const set = async (personId: string, body: BodyInputOf<typeof setPerson>) =>
    (await confirmed(olive)).call(setPerson, { params: { personId }, query: {}, body })
  await set(denied.personId, { deniedBy: ['night'] })
  await set(stays.personId, { role: 'releaser' })
  await set(other.personId, { role: 'viewer' })
  await set(scoped.personId, { products: ['till'] })
  await (
    await confirmed(olive)
  ).call(changeRole, {
    params: { role: 'night' },
    body: { ...rules, version, denies: ['credential:lease'] },
  })
  for (const { id } of [other, scoped, denied]) {
    await waitUntil(
      'the lease of somebody who may not borrow any more ends',
      async () => (await leaseOf(id)).endReason === 'revoked',
    )
  }
  assert.equal((await leaseOf(stays.id)).state, 'open')
})

test('A8 attack: a credential is put in by which the server opens its own database, sends its own password, or reads its own files', async () => {
  const add = async (url: string, memberOf?: string) =>
    (await confirmed(olive)).call(addStoredCredential, {
      body: {
        ...({ name: 'own', kind: 'postgresql', value: base64Encode(utf8Encode(url)) } as const),
        ...(memberOf === undefined ? {} : { memberOf }),
      },
    })
  for (const url of [
    'postgres://sea@db.example/sea',
    `postgres://sea:x@/seaworthy?host=${folder}`,
    'postgres://sea:x@db.example/sea?sslrootcert=/etc/passwd',
    'postgres://sea:x@db.example/sea?sslcert=/a&sslkey=/b',
    'https://sea:x@db.example/',
  ]) {
    await assert.rejects(add(url, 'readers'), hasCode('stored_credential_malformed'))
  }
  const right = 'postgres://sea:x@db.example/sea'
  await assert.rejects(add(right), hasCode('stored_credential_malformed'))
  await assert.rejects(add(right, 'readers; drop'), hasCode('invalid_request'))
})

test('A8 attack: whoever has the database swaps two credentials, or puts an earlier version back', async () => {
  const api = await confirmed(olive)
  for (const name of ['left', 'right'])
    await api.call(addStoredCredential, bodyOf(name, secretOf()))
  const swap = () =>
    db.write(
      ({ sql }) => sql`
        update stored_credentials a set sealed = b.sealed, wrapped = b.wrapped
        from stored_credentials b where (a.name, b.name) in (('left', 'right'), ('right', 'left'))`,
    )
  await swap()
  const { id } = await ask(otto, 'left')
  await assert.rejects(openApproved(otto, id), hasCode('credential_key_wrong'))
  assert.equal((await leaseOf(id)).endReason, 'failed')
  await swap()
  await openApproved(otto, (await ask(otto, 'left')).id)

  const [old] = await db.reader.sql<{ sealed: Uint8Array; wrapped: Uint8Array }[]>`
    select sealed, wrapped from stored_credentials where name = 'right'`
  const body = { value: base64Encode(utf8Encode('new')) }
  const params = { credential: 'right' }
  await (await confirmed(olive)).call(replaceStoredCredential, { params, body })
  await db.write(
    ({ sql }) => sql`
      update stored_credentials set sealed = ${Buffer.from(old!.sealed)},
        wrapped = ${Buffer.from(old!.wrapped)} where name = 'right'`,
  )
  const back = await ask(otto, 'right')
  await assert.rejects(openApproved(otto, back.id), hasCode('credential_key_wrong'))
})

describe('a PostgreSQL', { skip: lacks('postgres 15') }, () => {
  let target: TargetPostgres
  before(async () => {
    target = await startTargetPostgres()
    target.ask('create role readers')
    target.ask("create table stock as select 'rope' as what; grant select on stock to readers")
    const { items } = await client.api.call(listStoredCredentials, {})
    assert.ok(!items.some(({ name }) => name === 'stock'))
    const value = base64Encode(utf8Encode(target.url))
    const added = await (
      await confirmed(olive)
    ).call(addStoredCredential, {
      body: { name: 'stock', kind: 'postgresql', value, memberOf: 'readers' },
    })
    assert.match(added.target ?? '', /^127\.0\.0\.1:\d+\/postgres$/)
  })
  after(() => target.stop())

  const isThere = (account: string) =>
    target.ask(`select count(*) from pg_roles where rolname = '${account}'`) === '1'
  const isGone = async (id: string) => (await leaseOf(id)).accountGoneAt !== null

  test('A8 a lease of a PostgreSQL is an account of its own, which is dropped with its sessions when the lease is given back', async () => {
    const { id } = await ask(otto, 'stock')
    const url = await openApproved(otto, id)
    assert.ok(!url.includes(new URL(target.url).password))
    assert.equal(target.ask('select what from stock', url), 'rope')
    assert.throws(() => target.ask('create role mine', url), /permission denied/)
    const { account } = await leaseOf(id)
    const until = target.ask(`select rolvaliduntil from pg_roles where rolname = '${account}'`)
    assert.notEqual(until, '', 'it ends by itself, whatever becomes of this server')
    const { password } = new URL(url)
    const search = searchFor({ 'password of the lease': password, account: account! })
    const [rows] = await db.reader.sql<{ all: string }[]>`
      select string_agg(l::text, '') as all from leases l`
    const found = [
      ...search(rows!.all),
      ...(await searchFolder(search, server.dataDir)),
      ...search(server.log()),
      ...(await searchArguments(search)),
    ]
    // The search finds what stands there: the name of the account.
    assert.ok(found.includes('account'))
    assert.deepEqual(
      found.filter((one) => one.includes('password')),
      [],
    )
    const params = { credential: 'stock' }
    await assert.rejects(
      (await confirmed(olive)).call(removeStoredCredential, { params }),
      hasCode('stored_credential_held'),
    )
    const left = target.stay(url)
    await waitUntil(
      'a session is there',
      () =>
        target.ask(`select count(*) from pg_stat_activity where usename = '${account}'`) === '1',
    )
    await otto.browser.api.call(endLease, { params: { leaseId: id } })
    await waitUntil('the account is gone', () => isGone(id))
    assert.ok(!isThere(account!))
    await left
    assert.throws(() => target.ask('select 1', url), /authentication failed/)
  })

  test('A8 attack: an account outlives its lease: expired, or cut off by kill -9 before it was on record that it was made', async () => {
    const [short, cut] = [await ask(otto, 'stock'), await ask(otto, 'stock')]
    const urls = [await openApproved(otto, short.id), await openApproved(otto, cut.id)]
    for (const url of urls) assert.equal(target.ask('select what from stock', url), 'rope')
    await db.write(async ({ sql }) => {
      await sql`update leases set expires_at = now() where id = ${short.id}`
      await sql`
        update leases set account_made_at = null, opened_at = opened_at - interval '1 hour'
        where id = ${cut.id}`
    })
    await db.close()
    await server.kill()
    server = await start(server.dataDir, Number(new URL(server.url).port))
    db = server.openDatabase()
    for (const { id } of [short, cut]) await waitUntil('the account is gone', () => isGone(id))
    assert.equal((await leaseOf(short.id)).endReason, 'expired')
    assert.equal((await leaseOf(cut.id)).endReason, 'failed')
    for (const url of urls)
      assert.throws(() => target.ask('select 1', url), /authentication failed/)
  })

  test('A8 an account that cannot be dropped is an alarm, and is dropped once it can be', async () => {
    const { id } = await ask(otto, 'stock')
    await openApproved(otto, id)
    const { account } = await leaseOf(id)
    const keeper = new URL(target.url)
    keeper.username = 'keeper'
    target.ask(`create role keeper superuser login password '${keeper.password}'`)
    target.ask('alter role sea nologin', keeper.href)
    await otto.browser.api.call(endLease, { params: { leaseId: id } })
    const alarms = () => db.reader.sql`
      select 1 from audit_entries
      where convert_from(entry, 'UTF8') like ${`%"lease.account-stays"%"${id}"%`}`
    await waitUntil('there is an alarm', async () => (await alarms()).length === 1)
    assert.ok(!(await isGone(id)))
    const next = await ask(otto, 'stock')
    await assert.rejects(openApproved(otto, next.id), hasCode('lease_target_failed'))
    assert.equal((await leaseOf(next.id)).endReason, 'failed')
    target.ask('alter role sea login', keeper.href)
    // Nobody makes that account any more.
    await db.write(
      ({ sql }) =>
        sql`update leases set opened_at = opened_at - interval '1 hour' where id = ${next.id}`,
    )
    for (const one of [id, next.id]) await waitUntil('the account is gone', () => isGone(one))
    assert.ok(!isThere(account!))
    assert.equal((await alarms()).length, 1, 'it is said once')
  })
})
