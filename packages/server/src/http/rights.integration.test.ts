/** Rights that have ended: nothing that they left behind opens anything. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { after, before, test } from 'node:test'
import { createFleet } from '@seaworthy/api/fleets'
import { createProvisioningKey } from '@seaworthy/api/provisioning-keys'
import {
  createInvitation,
  listInvitations,
  readInvitation,
  reinvitePerson,
} from '@seaworthy/api/invitations'
import {
  addPasskey,
  askPasskey,
  askRecovery,
  createRecoveryCodes,
  listPasskeys,
  recover,
  removePasskey,
  renamePasskey,
} from '@seaworthy/api/passkeys'
import { disablePerson, listPeople, setPerson, showPerson } from '@seaworthy/api/people'
import type { GrantEntry } from '@seaworthy/api/grants'
import { listGrants } from '@seaworthy/api/grants'
import { askPassword } from '@seaworthy/api/passwords'
import { createAccessReview, showAccessChanges } from '@seaworthy/api/access-reviews'
import { changeRole, createRole, removeRole, showRole } from '@seaworthy/api/roles'
import type { ReplyOf } from '@seaworthy/api/route'
import { heldBuiltIn, permissionsOf } from '@seaworthy/fleet/access'
import type { ProblemError } from '@seaworthy/api/problems'
import {
  createForeignDevice,
  createGatewayToken,
  rotateForeignDevice,
  showForeignDevice,
} from '@seaworthy/api/foreign-devices'
import { createFleetLockKey, revokeFleetLockKey } from '@seaworthy/api/reboot-locks'
import { showSelf } from '@seaworthy/api/server'
import { showSession, signOut } from '@seaworthy/api/sessions'
import { createToken, listTokens, refreshToken, revokeToken } from '@seaworthy/api/tokens'
import { waitUntil } from '@seaworthy/std/testing'
import type { WriteTx } from '../db/connection.ts'
import type { HalfSent, TestBrowser, TestClient, TestServer } from '../testing/index.ts'
import {
  acceptLink,
  addDevice,
  becomeOwner,
  createAuthenticator,
  createTestBrowser,
  createTestClient,
  pushRelease,
  sendHalf,
  setUpTrust,
  startTestServer,
} from '../testing/index.ts'

let server: TestServer
let client: TestClient
let owner: TestBrowser
let db: ReturnType<TestServer['openDatabase']>

const browse = (options?: Parameters<typeof createTestBrowser>[2]) =>
  createTestBrowser(server, client, options)

before(async () => {
  server = await startTestServer({ workers: 1 })
  client = createTestClient(server)
  db = server.openDatabase()
  owner = browse()
  await setUpTrust(client)
  await becomeOwner(server, owner)
})
after(async () => {
  client.close()
  await db.close()
  await server.stop()
})

const refused = (code: string) => (error: unknown) => {
  assert.equal((error as ProblemError).code, code, String(error))
  return true
}

/** A person who has accepted an invitation of the owner, in a browser of their own. */
async function join(role: string, products?: string[], deniedBy: readonly string[] = []) {
  const body = { role, deniedBy, ...(products === undefined ? {} : { products }) }
  const { link } = await owner.api.call(createInvitation, { body })
  const browser = browse()
  const self = await acceptLink(browser, link, `A new ${role}`)
  return { browser, id: self.person.id, session: self.session.id }
}

function makeToken(role: 'admin' | 'builder' | 'monitor' | 'operator' | 'viewer', by = owner.api) {
  const scope = role === 'builder' ? { products: ['acme'] } : {}
  return by.call(createToken, { body: { name: role, role, ...scope, lifetimeSeconds: 86_400 } })
}

/** How many changes of that kind the log has. */
async function countEntries(action: string): Promise<number> {
  const [row] = await db.reader.sql<[{ count: number }]>`
    select count(*)::int as count from audit_entries
    where convert_from(entry, 'UTF8') like ${`%"action":"${action}"%`}`
  return row.count
}

interface Wish {
  readonly method: string
  readonly path: string
  readonly body: object | Uint8Array
  readonly headers?: Record<string, string>
}

function sendWish({ method, path, body, headers }: Wish, credential: Record<string, string>) {
  const bytes = body instanceof Uint8Array ? body : Buffer.from(JSON.stringify(body))
  const all = { 'content-type': 'application/json', ...credential, ...headers }
  return sendHalf(server, { method, path, headers: all, body: bytes })
}

/** Sends a wish by half, and comes back when the server has let its head in. */
async function beginByToken(wish: Wish, token: string, id: string): Promise<HalfSent> {
  await db.write(({ sql }) => sql`update tokens set last_used_at = null where id = ${id}`)
  const half = await sendWish(wish, { authorization: `Bearer ${token}` })
  await waitUntil('the token is used', async () => {
    const [row] = await db.reader.sql<{ at: Date | null }[]>`
      select last_used_at as at from tokens where id = ${id}`
    return row!.at !== null
  })
  return half
}

async function beginBySession(wish: Wish, browser: TestBrowser, id: string): Promise<HalfSent> {
  const old = new Date(Date.now() - 600_000)
  await db.write(({ sql }) => sql`update sessions set last_used_at = ${old} where id = ${id}`)
  const half = await sendWish(wish, {
    origin: browser.origin,
    'sec-fetch-site': 'same-origin',
    cookie: `__Host-seaworthy=${browser.cookies.get('__Host-seaworthy')}`,
  })
  await waitUntil('the session is used', async () => {
    const [row] = await db.reader.sql<{ at: Date }[]>`
      select last_used_at as at from sessions where id = ${id}`
    return row!.at.getTime() > old.getTime()
  })
  return half
}

/** The server waits 20 s for a body: on a machine that needs longer the attack begins again. */
async function lastByteOf(attack: () => Promise<HalfSent>) {
  for (;;) {
    const answer = await (await attack()).finish()
    if (answer.status === 408) continue
    return { status: answer.status, code: (answer.json() as { code?: string }).code }
  }
}

const later = { name: 'later', role: 'admin', lifetimeSeconds: 86_400 }
const makesToken: Wish = { method: 'POST', path: '/v1/tokens', body: later }
const invites: Wish = { method: 'POST', path: '/v1/invitations', body: { role: 'admin' } }
const ended = { status: 401, code: 'credential_ended' }

test('A4 attack: a half-sent request of a person outlives their right: disabled, demoted, signed out, no longer confirmed', async () => {
  for (const wish of [makesToken, invites]) {
    const answer = await lastByteOf(async () => {
      const admin = await join('admin')
      const half = await beginBySession(wish, admin.browser, admin.session)
      await owner.api.call(disablePerson, { params: { personId: admin.id } })
      return half
    })
    assert.deepEqual(answer, ended)
  }
  const second = await join('owner')
  const demoted = await lastByteOf(async () => {
    const params = { personId: second.id }
    await owner.api.call(setPerson, { params, body: { role: 'owner' } })
    const raise = { method: 'PATCH', path: `/v1/people/${second.id}`, body: { role: 'owner' } }
    const half = await beginBySession(raise, second.browser, second.session)
    await owner.api.call(setPerson, { params, body: { role: 'viewer' } })
    return half
  })
  assert.deepEqual(demoted, { status: 409, code: 'rights_changed' })
  const params = { personId: second.id }
  assert.equal((await owner.api.call(showPerson, { params })).role, 'viewer')
  const signedOut = await lastByteOf(async () => {
    const admin = await join('admin')
    const half = await beginBySession(makesToken, admin.browser, admin.session)
    await admin.browser.api.call(signOut, {})
    return half
  })
  assert.deepEqual(signedOut, ended)
  const admin = await join('admin')
  const unconfirmed = await lastByteOf(async () => {
    await db.write(
      ({ sql }) => sql`update sessions set stepped_up_at = now() where id = ${admin.session}`,
    )
    const half = await beginBySession(makesToken, admin.browser, admin.session)
    await db.write(
      ({ sql }) => sql`
        update sessions set stepped_up_at = now() - interval '301 s' where id = ${admin.session}`,
    )
    return half
  })
  assert.deepEqual(unconfirmed, { status: 403, code: 'step_up_required' })
  const { items } = await owner.api.call(listTokens, {})
  assert.ok(items.every(({ name }) => name !== 'later'))
  assert.equal((await owner.api.call(listInvitations, {})).items.length, 0)
})

test('A3 attack: a half-sent request of a token, or of a FleetLock key, does what was asked after it was revoked', async () => {
  const answer = await lastByteOf(async () => {
    const { token, view } = await makeToken('admin')
    const half = await beginByToken(makesToken, token, view.id)
    await owner.api.call(revokeToken, { params: { tokenId: view.id } })
    await assert.rejects(client.as(token).call(listPeople, {}))
    return half
  })
  assert.deepEqual(answer, ended)
  const { items } = await owner.api.call(listTokens, {})
  assert.ok(items.every(({ name }) => name !== 'later'))

  const fleetlock = await lastByteOf(async () => {
    const made = await owner.api.call(createFleetLockKey, { params: { fleet: 'shops' } })
    const asks = {
      method: 'POST',
      path: '/fleetlock/v1/pre-reboot',
      body: { client_params: { id: 'a', group: 'shops' } },
      headers: { 'fleet-lock-protocol': 'true' },
    }
    const half = await sendWish(asks, { authorization: `Bearer ${made.key}` })
    const params = { fleetLockKeyId: made.view.id }
    await owner.api.call(revokeFleetLockKey, { params })
    return half
  })
  assert.equal(fleetlock.status, 401)
})

test('A3 attack: a half-sent manifest, or blob, of a revoked token is not stored, and its tag not set', async () => {
  const { index } = await pushRelease(client, (await makeToken('builder')).token, '1.0.0')
  const tagged: Wish = {
    method: 'PUT',
    path: '/v2/acme/manifests/later',
    headers: { 'content-type': 'application/vnd.oci.image.index.v1+json' },
    body: index,
  }
  const content = Buffer.from('a layer that nobody may push')
  const digest = `sha256:${createHash('sha256').update(content).digest('hex')}`
  const blob: Wish = {
    method: 'POST',
    path: `/v2/acme/blobs/uploads/?digest=${digest}`,
    headers: { 'content-type': 'application/octet-stream' },
    body: content,
  }
  for (const wish of [tagged, blob]) {
    const { token, view } = await makeToken('builder')
    const half = await beginByToken(wish, token, view.id)
    await owner.api.call(revokeToken, { params: { tokenId: view.id } })
    assert.equal((await half.finish()).status, 401)
  }
  const { token } = await makeToken('builder')
  for (const path of ['/v2/acme/manifests/later', `/v2/acme/blobs/${digest}`]) {
    assert.equal((await client.send('GET', path, { token })).status, 404)
  }
})

test('A4 attack: an admin of one product keeps an old second invitation of a viewer, who becomes owner', async () => {
  const mallory = await join('admin', ['acme'])
  const victim = await join('viewer', ['acme'])
  const params = { personId: victim.id }
  const { link } = await mallory.browser.api.call(reinvitePerson, { params })
  const everything = { products: null, fleets: null }
  await owner.api.call(setPerson, { params, body: { role: 'owner', ...everything } })
  await assert.rejects(acceptLink(browse(), link, 'x'), refused('invitation_void'))
  // The same without the end at the promotion: acceptance judges the maker by itself.
  await db.write(({ sql }) => sql`update invitations set revoked_at = null where used_at is null`)
  await assert.rejects(acceptLink(browse(), link, 'x'), refused('invitation_void'))
  await db.write(({ sql }) => sql`update invitations set revoked_at = now() where used_at is null`)
  assert.equal((await owner.api.call(showPerson, { params })).role, 'owner')
})

test('A4 attack: whoever invited a person left a passkey, a recovery code or a session of their own on what becomes an owner’s account', async () => {
  const mallory = await join('admin', ['acme'])
  const { link: first } = await mallory.browser.api.call(createInvitation, {
    body: { role: 'viewer', products: ['acme'] },
  })
  const planted = browse()
  const { person } = await acceptLink(planted, first, 'Ann')
  const { codes } = await planted.api.call(createRecoveryCodes, {})
  const params = { personId: person.id }
  // What the maker of the invitation could give as well changes nothing.
  const operator = await owner.api.call(setPerson, { params, body: { role: 'operator' } })
  assert.equal(operator.passkeysCount, 1)
  await planted.api.call(showSession, {})
  const everything = { products: null, fleets: null }
  const raised = await owner.api.call(setPerson, { params, body: { role: 'owner', ...everything } })
  assert.equal(raised.passkeysCount, 0)
  await assert.rejects(planted.api.call(showSession, {}), refused('unauthenticated'))
  await assert.rejects(planted.signIn(), refused('passkey_refused'))
  await assert.rejects(
    browse().api.call(askRecovery, { body: { code: codes[0]! } }),
    refused('recovery_code_wrong'),
  )
  const { link } = await owner.api.call(reinvitePerson, { params })
  const ann = browse()
  assert.equal((await acceptLink(ann, link, 'x')).person.role, 'owner')
  // Somebody who came in by an owner's invitation stays in.
  await owner.api.call(setPerson, { params, body: { role: 'admin' } })
  await owner.api.call(setPerson, { params, body: { role: 'owner' } })
  await ann.api.call(showSession, {})
})

test('A3 A4 attack: what a token has handed out outlives it: tokens, invitations, keys of devices, also over a refresh', async () => {
  for (const isRefreshed of [false, true]) {
    const { token, view } = await makeToken('admin')
    const thief = client.as(token)
    const child = await makeToken('admin', thief)
    const { link } = await client
      .as(child.token)
      .call(createInvitation, { body: { role: 'admin' } })
    const { key } = await thief.call(createProvisioningKey, {
      params: { fleet: 'shops' },
      body: { uses: 5, lifetimeSeconds: 3600 },
    })
    const newest = isRefreshed ? (await thief.call(refreshToken, {})).view.id : view.id
    if (isRefreshed) {
      await client.as(child.token).call(listPeople, {})
      await browse().api.call(readInvitation, { body: { code: new URL(link).hash.slice(1) } })
    }
    await owner.api.call(revokeToken, { params: { tokenId: newest } })
    await assert.rejects(client.as(child.token).call(listPeople, {}), refused('unauthenticated'))
    await assert.rejects(acceptLink(browse(), link, 'Thief'), refused('invitation_void'))
    await assert.rejects(addDevice(client, server.url, key))
  }
})

test('A4 attack: a disabled person goes on by what their tokens and keys have handed out', async () => {
  const mallory = await join('admin')
  const { token, view } = await makeToken('admin', mallory.browser.api)
  const { link } = await client.as(token).call(createInvitation, { body: { role: 'admin' } })
  const makesKey = (api: TestBrowser['api']) =>
    api.call(createProvisioningKey, {
      params: { fleet: 'shops' },
      body: { uses: 5, lifetimeSeconds: 3600 },
    })
  const keys = [await makesKey(mallory.browser.api), await makesKey(client.as(token))]
  const good = await makesKey(owner.api)
  const inFleet = { params: { fleet: 'shops' } }
  await owner.api.call(createFleetLockKey, inFleet)
  const lock = await client.as(token).call(createFleetLockKey, inFleet)
  const gateway = await mallory.browser.api.call(createGatewayToken, {
    ...inFleet,
    body: { uses: 5, platform: 'linux/amd64' },
  })
  const addPump = (api: TestBrowser['api'], externalId: string) => {
    const body = { protocol: 'ddi', externalId, platform: 'linux/amd64' } as const
    return api.call(createForeignDevice, { ...inFleet, body })
  }
  const replace = (api: TestBrowser['api'], deviceId: string) =>
    api.call(rotateForeignDevice, { params: { deviceId }, body: {} })
  const made = (await addPump(client.as(token), 'pump-1')).device.id
  const taken = (await addPump(owner.api, 'pump-2')).device.id
  await replace(mallory.browser.api, taken)
  const given = (await addPump(mallory.browser.api, 'pump-3')).device.id
  await replace(owner.api, given)
  const shown = await owner.api.call(showForeignDevice, { params: { deviceId: taken } })
  assert.equal(shown.tokenMadeBy, mallory.id)
  const params = { personId: mallory.id }
  const expected = {
    ...{ tokens: [], invitations: [], provisioningKeys: [], sessionsCount: 0, approvals: [] },
    fleetLockKeys: [{ id: lock.view.id, fleet: 'shops' }],
    gatewayTokens: [{ id: gateway.view.id, fleet: 'shops' }],
    foreignDevices: [made, taken].map((id) => ({ id, fleet: 'shops' })),
  }
  // A trial says the same, and leaves everything and the log as they were.
  const before = await countEntries('person.disable')
  const tried = await owner.api.call(disablePerson, { params, query: { dryRun: 'yes' } })
  assert.equal(await countEntries('person.disable'), before)
  await client.as(token).call(listPeople, {})
  const done = await owner.api.call(disablePerson, { params })
  assert.deepEqual([tried.isDryRun, done.isDryRun], [true, false])
  for (const { ends, stays } of [tried, done]) {
    assert.deepEqual(stays, expected)
    assert.deepEqual(ends.tokens, [view.id])
    assert.deepEqual([ends.invitations.length, ends.provisioningKeys.length], [1, 2])
    assert.equal(ends.sessionsCount, 1)
  }
  await assert.rejects(acceptLink(browse(), link, 'Mallory'), refused('invitation_void'))
  for (const { key } of keys) await assert.rejects(addDevice(client, server.url, key))
  await addDevice(client, server.url, good.key)
})

test('A4 attack: nobody is told what stays when somebody may do less, or a token ends: tokens, sessions, keys', async () => {
  const moriarty = await join('admin')
  const { api } = moriarty.browser
  const strong = await makeToken('admin', api)
  const weak = await makeToken('viewer', api)
  const inFleet = { params: { fleet: 'shops' } }
  const lock = await client.as(strong.token).call(createFleetLockKey, inFleet)
  const change = { params: { personId: moriarty.id }, body: { role: 'viewer' } } as const
  const before = await countEntries('person.set')
  const tried = await owner.api.call(setPerson, { ...change, query: { dryRun: 'yes' } })
  assert.equal(await countEntries('person.set'), before)
  await client.as(strong.token).call(listPeople, {})
  const done = await owner.api.call(setPerson, change)
  for (const { role, ends, stays } of [tried, done]) {
    assert.equal(role, 'viewer')
    assert.deepEqual([ends.tokens, stays.tokens], [[strong.view.id], [weak.view.id]])
    assert.deepEqual(stays.fleetLockKeys, [{ id: lock.view.id, fleet: 'shops' }])
    assert.equal(stays.sessionsCount, 1)
  }

  const { token, view } = await makeToken('admin')
  const child = await makeToken('viewer', client.as(token))
  const own = await client.as(token).call(createFleetLockKey, inFleet)
  const tokenId = view.id
  const asked = await owner.api.call(revokeToken, {
    params: { tokenId },
    query: { dryRun: 'yes' },
  })
  await client.as(child.token).call(showSelf, {})
  const ended = await owner.api.call(revokeToken, { params: { tokenId } })
  for (const { ends, stays } of [asked, ended]) {
    assert.deepEqual([ends.tokens, stays.tokens], [[child.view.id], []])
    assert.deepEqual(stays.fleetLockKeys, [{ id: own.view.id, fleet: 'shops' }])
  }
})

test('A1 attack: a stolen passkey is used after a second invitation, a recovery or its removal, or a session that it opened', async () => {
  const victim = await join('operator')
  const steal = async (browser: TestBrowser) => {
    const thief = browse({ authenticator: browser.authenticator })
    await thief.signIn()
    return thief
  }
  const isShutOut = async (thief: TestBrowser) => {
    await assert.rejects(thief.api.call(showSession, {}), refused('unauthenticated'))
    await assert.rejects(thief.signIn(), refused('passkey_refused'))
  }
  const thief = await steal(victim.browser)
  const { codes: stolen } = await thief.api.call(createRecoveryCodes, {})
  const { link } = await owner.api.call(reinvitePerson, { params: { personId: victim.id } })
  const second = browse()
  await acceptLink(second, link, 'x')
  await isShutOut(thief)
  await assert.rejects(
    browse().api.call(askRecovery, { body: { code: stolen[0]! } }),
    refused('recovery_code_wrong'),
  )

  const { codes } = await second.api.call(createRecoveryCodes, {})
  const again = await steal(second)
  const third = browse()
  const code = codes[0]!
  const asked = await third.api.call(askRecovery, { body: { code } })
  await third.api.call(recover, { body: { code, passkey: third.authenticator.create(asked) } })
  await isShutOut(again)

  const last = await steal(third)
  const spare = createAuthenticator(third.origin)
  const passkey = spare.create(await third.api.call(askPasskey, {}))
  await third.api.call(addPasskey, { body: { name: 'spare', passkey } })
  const { items } = await third.api.call(listPasskeys, {})
  const lost = items.find(({ name }) => name !== 'spare')!
  await third.api.call(removePasskey, { params: { passkeyId: lost.id } })
  await isShutOut(last)
  await third.api.call(showSession, {})
})

test('A3 T9 attack: a monitor’s token that is traded again and again makes a bounded number of tokens and entries', async () => {
  const { token, view } = await makeToken('monitor')
  const tokens = [view.id]
  let newest = token
  const trade = async () => {
    const traded = await client.as(newest).call(refreshToken, {})
    newest = traded.token
    tokens.push(traded.view.id)
  }
  const tradeOn = async () => {
    while (tokens.length < 50) await trade()
  }
  await assert.rejects(tradeOn(), (error: ProblemError) => {
    assert.equal(error.code, 'refreshes_too_often')
    assert.match(error.message, /can be refreshed again from \d{4}-.*until then it works as it is/)
    assert.ok(error.retryAfterSeconds! > 3500 && error.retryAfterSeconds! <= 3600)
    return true
  })
  assert.equal(tokens.length, 5)
  // An hour later one more is allowed, and no more than one.
  await db.write(
    ({ sql }) => sql`update tokens set trades_used_until = trades_used_until - interval '1 hour'
      where line = ${view.id}`,
  )
  await trade()
  await assert.rejects(trade(), refused('refreshes_too_often'))
  const rows = await db.reader.sql<{ id: string; holder: string }[]>`
    select id, holder from tokens where line = ${view.id} order by id`
  assert.deepEqual(
    rows.map(({ id }) => id),
    tokens.toSorted(),
  )
  assert.equal(new Set(rows.map(({ holder }) => holder)).size, 1)
  await owner.api.call(revokeToken, { params: { tokenId: tokens.at(-1)! } })
  await assert.rejects(client.as(newest).call(refreshToken, {}), refused('unauthenticated'))
})

test('A1 T9 attack: a viewer who changes their own account again and again makes a bounded number of entries, and is kept from nothing else', async () => {
  const { browser } = await join('viewer')
  const [passkey] = (await browser.api.call(listPasskeys, {})).items
  const params = { passkeyId: passkey!.id }
  let count = 0
  const changeOn = async () => {
    for (; count < 150; count++) {
      await browser.api.call(renamePasskey, { params, body: { name: `Name ${count}` } })
    }
  }
  await assert.rejects(changeOn(), refused('account_changes_too_often'))
  assert.ok(count >= 100 && count < 110, `${count} changes`)
  const [kept] = (await browser.api.call(listPasskeys, {})).items
  assert.equal(kept!.name, `Name ${count - 1}`)
  await browser.api.call(signOut, {})
  await browser.signIn()
})

test('A9 attack: an admin hands out without end: tokens, links, keys for devices and keys for restarts that work at once are bounded, and those that are revoked make room', async () => {
  const mallory = await join('admin')
  const { token, view } = await makeToken('admin', mallory.browser.api)
  const { api } = mallory.browser
  const byToken = client.as(token)
  await client.api.call(createFleet, {
    body: { name: 'many', product: 'acme', channel: 'stable' },
  })
  const params = { fleet: 'many' }
  const keyBody = { uses: 5, lifetimeSeconds: 3600 }
  // All others are copies of one that was made as people make it.
  const copyId = (kind: string) => `${kind}_copy`
  const kinds: [string, () => Promise<unknown>, (tx: WriteTx) => Promise<unknown>][] = [
    [
      'tokens',
      () => makeToken('viewer', byToken),
      ({ sql }) => sql`
        insert into tokens select c.* from tokens t, generate_series(1, 1000) n,
          jsonb_populate_record(t, jsonb_build_object('id', ${copyId('token')} || n, 'line', ${copyId('token')} || n)) c
        where t.id = ${view.id}`,
    ],
    [
      'invitations',
      () => byToken.call(createInvitation, { body: { role: 'viewer' } }),
      ({ sql }) => sql`
        insert into invitations select c.* from invitations i, generate_series(1, 200) n,
          jsonb_populate_record(i, jsonb_build_object('id', ${copyId('invitation')} || n,
            'code_sha256', '\\x' || encode(sha256(n::text::bytea), 'hex'))) c
        where i.created_by = ${view.id}`,
    ],
    [
      'provisioning_keys',
      () => api.call(createProvisioningKey, { params, body: keyBody }),
      ({ sql }) => sql`
        insert into provisioning_keys select c.* from provisioning_keys k, generate_series(1, 1000) n,
          jsonb_populate_record(k, jsonb_build_object('id', ${copyId('provisioning')} || n)) c
        where k.fleet = 'many'`,
    ],
    [
      'fleetlock_keys',
      () => api.call(createFleetLockKey, { params }),
      ({ sql }) => sql`
        insert into fleetlock_keys select c.* from fleetlock_keys k, generate_series(1, 100) n,
          jsonb_populate_record(k, jsonb_build_object('id', ${copyId('fleetlock')} || n)) c
        where k.fleet = 'many'`,
    ],
  ]
  const confirmed = async (make: () => Promise<unknown>) => {
    await mallory.browser.stepUp()
    return make()
  }
  for (const [table, make, fill] of kinds) {
    await confirmed(make)
    await db.write(async (tx) => void (await fill(tx)))
    await assert.rejects(confirmed(make), refused('handed_out_too_many'), table)
    await db.write(async ({ sql }) => {
      await sql`update ${sql(table)} set revoked_at = now() where id like '%_copy%'`
    })
    await confirmed(make)
  }
  // What somebody else hands out is not in the way.
  await makeToken('viewer')
})

test('A9 attack: somebody makes fleets without end, which every worker holds in memory', async () => {
  const { token } = await makeToken('operator')
  const make = (name: string) =>
    client.as(token).call(createFleet, { body: { name, product: 'acme', channel: 'stable' } })
  await make('one-of-many')
  await db.write(async ({ sql }) => {
    await sql`
      insert into fleets select c.* from fleets f, generate_series(1, 5000) n,
        jsonb_populate_record(f, jsonb_build_object('name', 'copy-' || n)) c
      where f.name = 'one-of-many'`
  })
  await assert.rejects(make('one-too-many'), refused('fleets_too_many'))
  await db.write(async ({ sql }) => {
    await sql`delete from fleets where name like 'copy-%'`
  })
  await make('one-too-many')
})

test('A3 attack: a stolen token is used from elsewhere than its networks, by every door', async () => {
  const make = (networks: string[], by = client.api) =>
    by.call(createToken, {
      body: { name: 'builds', role: 'admin', lifetimeSeconds: 86_400, networks },
    })
  const elsewhere = await make(['192.0.2.0/24', '2001:db8::/32'])
  assert.deepEqual(elsewhere.view.networks, ['192.0.2.0/24', '2001:db8::/32'])
  await assert.rejects(
    client.as(elsewhere.token).call(listTokens, { query: {} }),
    refused('network_not_allowed'),
  )
  const basic = Buffer.from(`token:${elsewhere.token}`).toString('base64')
  for (const [path, authorization, status] of [
    ['/metrics', `Bearer ${elsewhere.token}`, 403],
    ['/v2/', `Bearer ${elsewhere.token}`, 401],
    ['/v2/token?service=seaworthy&scope=repository:acme:pull', `Basic ${basic}`, 401],
  ] as const) {
    const answer = await client.send('GET', path, { headers: { authorization } })
    assert.equal(answer.status, status, path)
  }
  const [refusal] = await db.reader.sql<{ entry: Uint8Array }[]>`
    select entry from audit_entries where convert_from(entry, 'UTF8') like ${`%${elsewhere.view.id}%network_not_allowed%`} limit 1`
  assert.ok(refusal !== undefined, 'the use is on record')

  // A traded token of the registry is as good as the token that it was traded for, and no better.
  const here = await make(['127.0.0.0/8'])
  const trade = await client.send('GET', '/v2/token?service=seaworthy&scope=repository:acme:pull', {
    headers: { authorization: `Basic ${Buffer.from(`t:${here.token}`).toString('base64')}` },
  })
  const { token: traded } = trade.json() as { token: string }
  const pull = () => client.send('GET', '/v2/acme/tags/list', { token: traded })
  assert.notEqual((await pull()).status, 401)
  await db.write(
    ({ sql }) => sql`update tokens set networks = ${['192.0.2.0/24']} where id = ${here.view.id}`,
  )
  assert.equal((await pull()).status, 401)
})

test('A3 attack: a token of some networks makes, or becomes, one for others', async () => {
  const make = (networks: string[] | undefined, by = client.api) =>
    by.call(createToken, {
      body: {
        ...{ name: 'builds', role: 'admin', lifetimeSeconds: 86_400 },
        ...(networks === undefined ? {} : { networks }),
      },
    })
  const own = client.as((await make(['127.0.0.0/16'])).token)
  await assert.rejects(make(undefined, own), refused('grant_exceeds_own'))
  await assert.rejects(make(['127.0.0.0/8'], own), refused('grant_exceeds_own'))
  await assert.rejects(make(['127.0.0.1/8'], own), refused('network_malformed'))
  assert.deepEqual((await make(['127.0.0.1'], own)).view.networks, ['127.0.0.1'])
  const refreshed = await own.call(refreshToken, {})
  assert.deepEqual(refreshed.view.networks, ['127.0.0.0/16'])
})

test('A4 T9 the report of access has whatever opens something: who may do what, since when, by whom, and when they last did', async () => {
  const report = async () => {
    const items: GrantEntry[] = []
    for (let after: string | null = ''; after !== null;) {
      const query = { limit: 7, ...(after === '' ? {} : { after }) }
      const page: ReplyOf<typeof listGrants> = await owner.api.call(listGrants, { query })
      items.push(...page.items)
      after = page.next
    }
    return new Map(items.map((entry) => [entry.id, entry]))
  }
  const ownerId = (await owner.api.call(showSession, {})).person.id
  const otto = await join('operator')
  const made = await makeToken('admin')
  const scoped = await makeToken('builder', client.as(made.token))
  const invited = await owner.api.call(createInvitation, { body: { role: 'viewer', name: 'Vera' } })
  const params = { fleet: 'shops' }
  const key = await owner.api.call(createFleetLockKey, { params })
  const body = { uses: 1, lifetimeSeconds: 3600 }
  const provisioning = await client.as(made.token).call(createProvisioningKey, { params, body })
  const before = await report()
  const of = (id: string) => before.get(id)!
  assert.deepEqual(
    [of(otto.id).kind, of(otto.id).role, of(otto.id).grantedBy.id, of(otto.id).isEnabled],
    ['person', 'operator', ownerId, true],
  )
  assert.deepEqual(of(otto.id).permissions, permissionsOf(heldBuiltIn('operator')))
  assert.notEqual(of(otto.id).lastUsedAt, null)
  assert.deepEqual(of(scoped.view.id).grantedBy, { id: made.view.id, name: 'admin' })
  assert.deepEqual(of(scoped.view.id).holder, { id: ownerId, name: of(ownerId).name })
  assert.deepEqual([of(scoped.view.id).products, of(scoped.view.id).fleets], [['acme'], null])
  assert.equal(of(scoped.view.id).lastUsedAt, null, 'never used')
  assert.notEqual(of(made.view.id).lastUsedAt, null)
  assert.deepEqual([of(invited.view.id).name, of(invited.view.id).role], ['Vera', 'viewer'])
  assert.deepEqual([of(key.view.id).kind, of(key.view.id).fleets], ['fleetlock-key', ['shops']])
  assert.deepEqual(of(provisioning.view.id).permissions, ['device-self:register'])
  assert.equal(of(provisioning.view.id).holder.id, ownerId, 'at however many removes')
  const limit = { query: { limit: 1000 } }
  const known = [
    ...(await owner.api.call(listPeople, limit)).items,
    ...(await owner.api.call(listTokens, limit)).items,
    ...(await owner.api.call(listInvitations, limit)).items,
  ]
  for (const { id } of known) assert.ok(before.has(id), id)

  const person = { params: { personId: otto.id } }
  const second = await join('admin')
  await second.browser.api.call(setPerson, { ...person, body: { name: 'Otto' } })
  assert.equal((await report()).get(otto.id)!.grantedBy.id, ownerId, 'a name is no right')
  await second.browser.api.call(setPerson, { ...person, body: { role: 'viewer' } })
  assert.deepEqual((await report()).get(otto.id)!.grantedBy, {
    id: second.id,
    name: 'A new admin',
  })
  await owner.api.call(disablePerson, person)
  await owner.api.call(revokeToken, { params: { tokenId: made.view.id } })
  const after = await report()
  assert.equal(after.get(otto.id)!.isEnabled, false)
  for (const { view } of [made, scoped, provisioning]) assert.ok(!after.has(view.id))

  const branch = await owner.api.call(createToken, {
    body: { name: 'branch', role: 'auditor', products: ['acme'], lifetimeSeconds: 3600 },
  })
  await assert.rejects(client.as(branch.token).call(listGrants, {}), refused('out_of_scope'))
  await assert.rejects(second.browser.api.call(listGrants, { query: { limit: 0 } }))
})

test('A4 T9 a review is marked by a person, of what they saw, and later reports say what is different since', async () => {
  const changes = () => owner.api.call(showAccessChanges, {})
  const mark = (by: TestBrowser['api'], grantsSha256: string) =>
    by.call(createAccessReview, { body: { grantsSha256 } })
  const first = await changes()
  assert.equal(first.review, null)
  assert.equal(first.changesCount, first.grantsCount)
  const role = await makeRole('reviewed', { allows: ['device:read'] })
  const person = await join('reviewed')
  const gone = await makeToken('monitor')
  const kept = await makeToken('builder')
  await assert.rejects(mark(owner.api, first.grantsSha256), refused('review_stale'))
  const seen = await changes()
  await assert.rejects(mark(client.api, seen.grantsSha256), refused('review_needs_person'))
  const auditor = await join('auditor')
  const shown = await auditor.browser.api.call(showAccessChanges, {})
  const review = await mark(auditor.browser.api, shown.grantsSha256)
  assert.deepEqual(review.reviewer, { id: auditor.id, name: 'A new auditor' })
  assert.deepEqual((await changes()).changes, [])

  // A token that is refreshed is the same, and a name is no right.
  await client.as(kept.token).call(refreshToken, {})
  const params = { personId: person.id }
  await owner.api.call(setPerson, { params, body: { name: 'Another Name' } })
  assert.deepEqual((await changes()).changes, [])
  await role.change({ allows: ['device:read', 'device:write'] })
  await owner.api.call(revokeToken, { params: { tokenId: gone.view.id } })
  const added = await join('viewer')
  const since = await changes()
  assert.equal(since.review?.id, review.id)
  const told = since.changes.map(({ kind, before, now }) => [kind, (now ?? before)!.id])
  assert.deepEqual(
    new Set(told.map(String)),
    new Set([`added,${added.id}`, `changed,${person.id}`, `ended,${gone.view.id}`]),
  )
  const changed = since.changes.find(({ kind }) => kind === 'changed')!
  assert.ok(!changed.before!.permissions.includes('device:write'))
  assert.ok(changed.now!.permissions.includes('device:write'))
})

interface Rules {
  readonly allows?: readonly string[]
  readonly denies?: readonly string[]
}

/** A custom role, and how it is changed. */
async function makeRole(name: string, { allows = [], denies = [] }: Rules, by = owner.api) {
  const purpose = 'a test'
  await by.call(createRole, { body: { name, purpose, allows, denies } })
  return {
    async change(rules: Rules, changer = owner.api) {
      const { version } = await owner.api.call(showRole, { params: { role: name } })
      const body = { purpose, allows: [], denies: [], ...rules, version }
      return changer.call(changeRole, { params: { role: name }, body })
    },
    remove: (remover = owner.api) => remover.call(removeRole, { params: { role: name } }),
  }
}

const issue = (by: TestBrowser['api'], grant: { role: string; deniedBy?: readonly string[] }) =>
  by.call(createToken, { body: { name: 'held', ...grant, lifetimeSeconds: 86_400 } })

test('A4 attack: a role that denies is taken away, changed or removed by somebody whom it denies something', async () => {
  const limit = await makeRole('no-secrets', { denies: ['secret:write'] })
  const admin = await join('admin', undefined, ['no-secrets'])
  const { person, permissions } = await admin.browser.api.call(showSession, {})
  assert.deepEqual([person.role, person.deniedBy], ['admin', ['no-secrets']])
  assert.ok(!permissions.includes('secret:write') && permissions.includes('secret:read'))
  const own = { params: { personId: admin.id } }
  const { api } = admin.browser
  await assert.rejects(
    api.call(setPerson, { ...own, body: { deniedBy: [] } }),
    refused('grant_exceeds_own'),
  )
  await assert.rejects(limit.change({}, api), refused('grant_exceeds_own'))
  await assert.rejects(limit.remove(api), refused('grant_exceeds_own'))
  await assert.rejects(
    api.call(createInvitation, { body: { role: 'admin' } }),
    refused('grant_exceeds_own'),
  )
  await assert.rejects(
    makeRole('mine', { allows: ['secret:write'] }, api),
    refused('grant_exceeds_own'),
  )
  const free = await join('admin')
  await assert.rejects(
    api.call(disablePerson, { params: { personId: free.id } }),
    refused('out_of_scope'),
  )
  // What denies its maker something denies it to each token, however often it is passed on.
  const { token, view } = await issue(api, { role: 'admin' })
  assert.deepEqual(view.deniedBy, ['no-secrets'])
  const passedOn = await issue(client.as(token), { role: 'operator', deniedBy: [] })
  assert.deepEqual(passedOn.view.deniedBy, ['no-secrets'])
  const path = '/v1/fleets/absent/secrets/TOKEN'
  const answer = await client.send('PUT', path, { token: passedOn.token, body: '{}' })
  assert.equal(answer.status, 403)
  assert.match((answer.json() as { detail: string }).detail, /which the role no-secrets denies/)

  // Whoever may do it frees the person, and all of them with the role.
  await limit.change({ denies: ['log:read'] }, free.browser.api)
  assert.ok((await api.call(showSession, {})).permissions.includes('secret:write'))
  await owner.api.call(setPerson, { ...own, body: { deniedBy: [] } })
  await assert.rejects(limit.remove(), refused('role_in_use'))
  await owner.api.call(revokeToken, { params: { tokenId: view.id } })
  await limit.remove()
  await assert.rejects(
    owner.api.call(setPerson, { ...own, body: { deniedBy: ['no-secrets'] } }),
    refused('role_unknown'),
  )
})

test('A3 attack: a role is widened, and whoever made a token or link for it kept a copy: they get nothing that they could not give', async () => {
  const clerk = await makeRole('clerk', { allows: ['device:read'] })
  await makeRole('hirer', {
    allows: ['device:read', 'person:read', 'person:write', 'token:read', 'token:write'],
  })
  const hirer = await join('hirer')
  const kept = await issue(hirer.browser.api, { role: 'clerk' })
  const given = await issue(owner.api, { role: 'clerk' })
  const { link } = await hirer.browser.api.call(createInvitation, { body: { role: 'clerk' } })
  const letIn = browse()
  const { person } = await acceptLink(letIn, link, 'Let in by the hirer')
  const open = await hirer.browser.api.call(createInvitation, { body: { role: 'clerk' } })
  const mine = await join('clerk')

  const changed = await clerk.change({ allows: ['device:read', 'rollout:write'] })
  assert.equal(changed.holdersCount, 5)
  const works = async (token: string) => {
    try {
      await client.as(token).call(showSelf, {})
      return true
    } catch (error) {
      return !refused('unauthenticated')(error)
    }
  }
  assert.deepEqual([await works(kept.token), await works(given.token)], [false, true])
  await assert.rejects(letIn.api.call(showSession, {}), refused('unauthenticated'))
  const shown = await owner.api.call(showPerson, { params: { personId: person.id } })
  assert.equal(shown.passkeysCount, 0, 'they come in anew, by a link of somebody who could give it')
  const code = open.link.split('#')[1]!
  await assert.rejects(
    owner.api.call(readInvitation, { body: { code } }),
    refused('invitation_void'),
  )
  assert.ok((await mine.browser.api.call(showSession, {})).permissions.includes('rollout:write'))
})

test('A4 attack: what holders of a role have handed out outlives the change that takes the right from them', async () => {
  const granter = await makeRole('granter', {
    allows: ['token:read', 'token:write', 'device:read', 'device:write'],
  })
  await makeRole('worker', { allows: ['device:read', 'device:write'] })
  const person = await join('granter')
  const token = await issue(owner.api, { role: 'granter' })
  const ofPerson = await issue(person.browser.api, { role: 'worker' })
  const ofToken = await issue(client.as(token.token), { role: 'worker' })
  const stays = await issue(person.browser.api, { role: 'monitor' }).catch(() => undefined)
  assert.equal(stays, undefined, 'metrics are more than a granter has')
  const half = await lastByteOf(async () => {
    const { session } = await person.browser.api.call(showSession, {})
    await granter.change({ allows: ['token:read', 'token:write', 'device:read', 'device:write'] })
    const wish = { ...makesToken, body: { ...later, role: 'worker' } }
    const sent = await beginBySession(wish, person.browser, session.id)
    await granter.change({ allows: ['token:read', 'token:write', 'device:read'] })
    return sent
  })
  assert.deepEqual(half, { status: 409, code: 'rights_changed' })
  const { items } = await owner.api.call(listTokens, { query: { limit: 1000 } })
  const ids = items.map(({ id }) => id)
  assert.ok(ids.includes(token.view.id))
  assert.ok(![ofPerson, ofToken].some(({ view }) => ids.includes(view.id)))
})

test('A2 attack: a custom role that may publish is used with a password', async () => {
  const shipper = await makeRole('shipper', { allows: ['proposal:read'] })
  const person = await join('shipper')
  await person.browser.api.call(askPassword, {})
  await db.write(
    ({ sql }) => sql`update sessions set factor = 'password' where id = ${person.session}`,
  )
  await person.browser.api.call(showSession, {})
  await shipper.change({ allows: ['proposal:read', 'proposal:apply'] })
  await assert.rejects(person.browser.api.call(showSession, {}), refused('unauthenticated'))
  const again = await join('shipper')
  await assert.rejects(again.browser.api.call(askPassword, {}), refused('passkey_needed'))
})

test('A4 roles that people make have names of their own, what there is to allow, and one change at a time', async () => {
  await assert.rejects(makeRole('admin', {}), refused('role_name_taken'))
  await assert.rejects(makeRole('odd', { allows: ['owner:write'] }), refused('permission_unknown'))
  await assert.rejects(makeRole('odd', { denies: ['account:self'] }), refused('permission_unknown'))
  const both = ['device:read']
  await assert.rejects(makeRole('odd', { allows: both, denies: both }), refused('role_contradicts'))
  const odd = await makeRole('odd', { allows: both })
  await odd.change({ denies: both })
  const stale = { purpose: 'a test', allows: [], denies: [], version: 1 }
  await assert.rejects(
    owner.api.call(changeRole, { params: { role: 'odd' }, body: stale }),
    refused('role_changed'),
  )
  await assert.rejects(
    owner.api.call(changeRole, { params: { role: 'viewer' }, body: stale }),
    refused('role_built_in'),
  )
  const given = { role: 'owner', deniedBy: ['odd'] }
  await assert.rejects(owner.api.call(createInvitation, { body: given }), refused('owner_scoped'))
  await assert.rejects(issue(owner.api, { role: 'owner' }), refused('role_not_for_tokens'))
  await assert.rejects(issue(owner.api, { role: 'absent' }), refused('role_unknown'))
  const builtIn = { role: 'viewer', deniedBy: ['monitor'] }
  await assert.rejects(issue(owner.api, builtIn), refused('role_unknown'))
  const branch = await owner.api.call(createToken, {
    body: { name: 'branch', role: 'admin', products: ['acme'], lifetimeSeconds: 3600 },
  })
  await assert.rejects(makeRole('branch', {}, client.as(branch.token)), refused('out_of_scope'))
  const held = await issue(owner.api, { role: 'viewer', deniedBy: ['odd'] })
  const entries = (await owner.api.call(listGrants, { query: { limit: 1000 } })).items
  const entry = entries.find(({ id }) => id === held.view.id)!
  assert.deepEqual(entry.denied, [{ permission: 'device:read', by: ['odd'] }])
  assert.ok(!entry.permissions.includes('device:read'))
})
