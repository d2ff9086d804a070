/**
 * People sign in, and attackers try to: a real server, real HTTPS, an authenticator in software.
 */
import assert from 'node:assert/strict'
import { argon2Sync, generateKeyPairSync } from 'node:crypto'
import { after, before, test } from 'node:test'
import {
  addAccountKey,
  confirmAccountKey,
  listAccountKeys,
  listPersonKeys,
  removeAccountKey,
  removePersonKey,
} from '@seaworthy/api/account-keys'
import type { NewPasskey } from '@seaworthy/api/ceremonies'
import {
  acceptInvitation,
  askFirstOwner,
  askInvitation,
  becomeFirstOwner,
  createInvitation,
  listInvitations,
  readInvitation,
  reinvitePerson,
  revokeInvitation,
} from '@seaworthy/api/invitations'
import {
  approvePairing,
  beginPairing,
  fetchPairing,
  readPairing,
  refusePairing,
} from '@seaworthy/api/pairings'
import {
  askPassword,
  removePassword,
  setPassword,
  signInByPassword,
  stepUpByCode,
} from '@seaworthy/api/passwords'
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
import {
  disablePerson,
  enablePerson,
  listPeople,
  setPerson,
  showPerson,
} from '@seaworthy/api/people'
import type { ProblemError } from '@seaworthy/api/problems'
import { showSelf } from '@seaworthy/api/server'
import {
  askSignIn,
  askStepUp,
  listSessions,
  revokeSession,
  showSession,
  signIn,
  signOut,
  stepUp,
} from '@seaworthy/api/sessions'
import { setSignInPolicy, showSignInPolicy } from '@seaworthy/api/sign-in-policy'
import { createToken, listTokens, refreshToken } from '@seaworthy/api/tokens'
import type { BuiltInRole } from '@seaworthy/fleet/access'
import { utf8Decode } from '@seaworthy/std/bytes'
import { waitUntil } from '@seaworthy/std/testing'
import { lockKeys } from '../db/lock-keys.ts'
import { createTotpApp } from '@seaworthy/std/testing/totp'
import type { TotpApp } from '@seaworthy/std/testing/totp'
import { systemClock } from '@seaworthy/std/time'
import type { TestBrowser, TestClient, TestServer } from '../testing/index.ts'
import {
  acceptLink,
  becomeOwner,
  createAuthenticator,
  createTestBrowser,
  createTestClient,
  startTestServer,
  makeSshKey,
} from '../testing/index.ts'

let server: TestServer
let client: TestClient
let owner: TestBrowser
let ownerId: string

const browse = (options?: Parameters<typeof createTestBrowser>[2]) =>
  createTestBrowser(server, client, options)
const refused = (code: string) => (error: unknown) => {
  assert.equal((error as ProblemError).code, code, String(error))
  return true
}
const cookieName = '__Host-seaworthy'

before(async () => {
  server = await startTestServer({ workers: 2 })
  client = createTestClient(server)
  owner = browse()
})
after(async () => {
  client.close()
  await server.stop()
})

const codeOf = (link: string) => new URL(link).hash.slice(1)

/** A person who has accepted an invitation of the owner, in a browser of their own. */
async function join(role: 'owner' | 'admin' | 'operator' | 'viewer', products?: string[]) {
  const body = { role, ...(products === undefined ? {} : { products }) }
  const { link } = await owner.api.call(createInvitation, { body })
  const browser = browse()
  const self = await acceptLink(browser, link, `A new ${role}`)
  return { browser, id: self.person.id }
}

async function auditEntries(): Promise<Record<string, unknown>[]> {
  const db = server.openDatabase()
  try {
    const rows = await db.reader.sql<{ entry: Uint8Array }[]>`
      select entry from audit_entries order by id`
    return rows.map(({ entry }) => JSON.parse(utf8Decode(entry)) as Record<string, unknown>)
  } finally {
    await db.close()
  }
}

/** Changes the database as time would. */
async function age(
  statement: 'invitation' | 'pairing' | 'step-up' | 'idle' | 'a month',
  id: string,
): Promise<void> {
  const db = server.openDatabase()
  try {
    await db.write(async ({ sql }) => {
      if (statement === 'invitation') {
        await sql`update invitations set expires_at = now() - interval '1 s' where id = ${id}`
      } else if (statement === 'pairing') {
        await sql`update pairings set expires_at = now() - interval '1 s' where id = ${id}`
      } else if (statement === 'step-up') {
        await sql`update sessions set stepped_up_at = now() - interval '301 s' where id = ${id}`
      } else if (statement === 'a month') {
        await sql`
          update sessions set created_at = created_at - interval '30 days',
            expires_at = expires_at - interval '30 days' where id = ${id}`
      } else {
        await sql`update sessions set last_used_at = now() - interval '12 h' where id = ${id}`
      }
    })
  } finally {
    await db.close()
  }
}

test('A1 the link that `up` prints makes the first owner, once, and a wrong one makes nobody', async () => {
  assert.match(server.ownerLink, /^https:\/\/localhost:\d+\/first-owner#[0-9a-f]{64}$/)
  assert.ok(!server.log().includes(codeOf(server.ownerLink)))
  const wrong = { code: '0'.repeat(64), name: 'Mallory' }
  await assert.rejects(
    browse().api.call(askFirstOwner, { body: wrong }),
    refused('first_owner_code_wrong'),
  )
  const self = await becomeOwner(server, owner)
  ownerId = self.person.id
  assert.equal(self.person.role, 'owner')
  assert.equal(self.person.passkeysCount, 1)
  assert.notEqual(self.steppedUpUntil, null)
  assert.equal((await owner.api.call(showSession, {})).person.id, ownerId)
  assert.equal((await owner.api.call(showSelf, {})).role, 'owner')
  await assert.rejects(becomeOwner(server, browse(), 'Mallory'), refused('owner_exists'))
  const entry = (await auditEntries()).find(({ action }) => action === 'first-owner.create')
  assert.deepEqual([entry?.['actor'], entry?.['outcome']], [ownerId, 'done'])
})

test('A1 an owner signs out and in again with a passkey, and the actor of the log is the person', async () => {
  const before = owner.cookies.get(cookieName)
  await owner.api.call(signOut, {})
  assert.equal(owner.cookies.get(cookieName), undefined)
  await assert.rejects(owner.api.call(showSession, {}), refused('unauthenticated'))
  const self = await owner.signIn()
  assert.equal(self.person.id, ownerId)
  assert.notEqual(owner.cookies.get(cookieName), before)
  const entries = await auditEntries()
  const entry = entries.findLast(({ action }) => action === 'session.create')
  assert.deepEqual([entry?.['actor'], entry?.['subject']], [ownerId, self.session.id])
})

test('A1 a passkey of either algorithm, added and named by its person, opens the account', async () => {
  const { browser } = await join('viewer')
  const other = createAuthenticator(browser.origin, 'es256')
  const asked = await browser.api.call(askPasskey, {})
  assert.equal(asked.excludeCredentials.length, 1)
  const passkey = other.create(asked)
  const added = await browser.api.call(addPasskey, { body: { name: 'Key in the drawer', passkey } })
  const elsewhere = browse({ authenticator: other })
  await elsewhere.signIn()
  const params = { passkeyId: added.id }
  await elsewhere.api.call(renamePasskey, { params, body: { name: 'Key on the ring' } })
  const { items } = await elsewhere.api.call(listPasskeys, {})
  assert.equal(items.find(({ id }) => id === added.id)?.name, 'Key on the ring')
  assert.notEqual(items.find(({ id }) => id === added.id)?.lastUsedAt, null)
  await elsewhere.api.call(removePasskey, { params })
  const [last] = (await elsewhere.api.call(listPasskeys, {})).items
  await assert.rejects(
    elsewhere.api.call(removePasskey, { params: { passkeyId: last!.id } }),
    refused('passkey_last'),
  )
})

test('A1 A9 attack: somebody fills a person’s account with passkeys and sessions: there are only so many', async () => {
  const { browser, id } = await join('viewer')
  const other = browse({ authenticator: browser.authenticator })
  await other.signIn()
  const create = (options: Parameters<typeof browser.authenticator.create>[0]) =>
    createAuthenticator(browser.origin, 'es256').create(options)
  const add = async (name: string) => {
    const passkey = create(await browser.api.call(askPasskey, {}))
    return browser.api.call(addPasskey, { body: { name, passkey } })
  }
  for (let count = 1; count < 19; count += 1) await add(`Key ${count}`)
  const passkey = create(await other.api.call(askPasskey, {}))
  const last = await add('The last one')
  await assert.rejects(add('One more'), refused('passkeys_too_many'))
  const body = { name: 'One more', passkey }
  await assert.rejects(other.api.call(addPasskey, { body }), refused('passkeys_too_many'))
  await browser.api.call(removePasskey, { params: { passkeyId: last.id } })
  await add('Instead')

  const sessionOf = (n: number) => `session_${String(n).padStart(26, '0')}`
  const db = server.openDatabase()
  await db.write(
    ({ sql }) => sql`
      insert into sessions (id, person_id, secret_sha256, created_at, last_used_at, expires_at,
        factor, address, user_agent)
      select 'session_' || lpad(n::text, 26, '0'), ${id}, '', now(),
        now() - interval '1 h' - n * interval '1 s', now() + interval '1 day', 'passkey', '', ''
      from generate_series(1, 70) n`,
  )
  await db.close()
  await browse({ authenticator: browser.authenticator }).signIn()
  const { items } = await browser.api.call(listSessions, { query: { limit: 1000 } })
  const own = items.filter(({ personId }) => personId === id)
  assert.equal(own.length, 50)
  assert.ok(own.some((one) => one.id === sessionOf(1)))
  assert.ok(!own.some((one) => one.id === sessionOf(70)), 'the ones unused for longest have ended')
})

test('A1 attack: an answer to a challenge is used a second time', async () => {
  const browser = browse({ authenticator: owner.authenticator })
  const asked = await browser.api.call(askSignIn, {})
  const body = browser.authenticator.get(asked)
  await browser.api.call(signIn, { body })
  browser.cookies.delete(cookieName)
  await assert.rejects(browser.api.call(signIn, { body }), refused('challenge_used'))
  await assert.rejects(browser.api.call(showSession, {}), refused('unauthenticated'))
})

test('A1 attack: an answer is given to the challenge of another browser, or to none, or for another purpose', async () => {
  const victim = browse({ authenticator: owner.authenticator })
  const attacker = browse()
  const body = victim.authenticator.get(await victim.api.call(askSignIn, {}))
  await assert.rejects(attacker.api.call(signIn, { body }), refused('challenge_missing'))
  await attacker.api.call(askSignIn, {})
  await assert.rejects(attacker.api.call(signIn, { body }), refused('challenge_wrong'))
  // The owner's own confirmation, which the attacker got hold of, does not sign in.
  const confirmation = owner.authenticator.get(await owner.api.call(askStepUp, {}))
  for (const [name, value] of owner.cookies) {
    if (name !== cookieName) attacker.cookies.set(name, value)
  }
  await assert.rejects(
    attacker.api.call(signIn, { body: confirmation }),
    refused('challenge_wrong'),
  )
})

test('A1 attack: the challenge of a confirmation is of another session', async () => {
  const other = browse({ authenticator: owner.authenticator })
  await other.signIn()
  const asked = await other.api.call(askStepUp, {})
  const body = other.authenticator.get(asked)
  const kept = other.cookies.get('__Host-seaworthy-ceremony')!
  owner.cookies.set('__Host-seaworthy-ceremony', kept)
  await assert.rejects(owner.api.call(stepUp, { body }), refused('challenge_wrong'))
})

test('A1 attack: a false site passes on what the passkey said to it: another origin, another host, no verification of the user', async () => {
  const browser = browse({ authenticator: owner.authenticator })
  const lies = [
    [{ origin: 'https://localhost.example' }, 'origin_wrong'],
    [{ origin: browser.origin.replace(/:\d+$/, ':1') }, 'origin_wrong'],
    [{ rpId: 'example.org' }, 'passkey_refused'],
    [{ isUserVerified: false }, 'passkey_refused'],
    [{ type: 'webauthn.create' }, 'passkey_refused'],
    [{ challenge: 'AAAA' }, 'challenge_wrong'],
  ] as const
  for (const [lie, code] of lies) {
    const asked = await browser.api.call(askSignIn, {})
    const body = browser.authenticator.get(asked, lie)
    await assert.rejects(browser.api.call(signIn, { body }), refused(code), JSON.stringify(lie))
  }
  await browser.signIn()
})

test('A1 attack: a copy of a passkey counts behind, and that is on record', async () => {
  const { browser, id } = await join('viewer')
  await browser.signIn()
  await browser.signIn()
  const asked = await browser.api.call(askSignIn, {})
  const body = browser.authenticator.get(asked, { count: 2 })
  await assert.rejects(browser.api.call(signIn, { body }), refused('passkey_copied'))
  const entry = (await auditEntries()).findLast(({ actor }) => actor === id)
  assert.deepEqual(entry?.['detail'], { code: 'passkey_copied' })
})

test('A1 attack: a stranger cannot tell an unknown passkey from a known one that did not sign', async () => {
  const stranger = createAuthenticator(owner.origin)
  const browser = browse({ authenticator: stranger })
  const { code } = await registerNowhere(stranger)
  const answers = []
  const known = (await owner.api.call(askStepUp, {})).allowCredentials[0]!.id
  for (const id of [code, known]) {
    const asked = await browser.api.call(askSignIn, {})
    assert.deepEqual(asked.allowCredentials, [])
    const body = stranger.get(asked, { id })
    answers.push(
      await browser.api.call(signIn, { body }).catch((error: ProblemError) => error.problem),
    )
  }
  assert.deepEqual(answers[0], answers[1])
  assert.equal((answers[0] as { code: string }).code, 'passkey_refused')
})

/** Gives the authenticator a passkey for this site that the server never sees. */
async function registerNowhere(authenticator: ReturnType<typeof createAuthenticator>) {
  const asked = await owner.api.call(askPasskey, {})
  return { code: authenticator.create(asked).id }
}

test('A1 attack: another site has a signed-in browser change something, or signs it in as somebody else', async () => {
  const foreign = [
    { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' },
    { origin: owner.origin.replace(/:\d+$/, ':1'), 'sec-fetch-site': 'same-site' },
    { origin: 'null', 'sec-fetch-site': 'cross-site' },
    { origin: null, 'sec-fetch-site': null },
    { origin: owner.origin, 'sec-fetch-site': null },
  ]
  const browser = browse({ authenticator: owner.authenticator })
  await browser.signIn()
  const asked = await browser.api.call(askSignIn, {})
  for (const headers of foreign) {
    Object.assign(browser.headers, headers)
    const body = { role: 'admin' } as const
    await assert.rejects(
      browser.api.call(createInvitation, { body }),
      refused('request_cross_site'),
      JSON.stringify(headers),
    )
    await assert.rejects(browser.api.call(signOut, {}), refused('request_cross_site'))
    await assert.rejects(
      browser.api.call(signIn, { body: owner.authenticator.get(asked) }),
      refused('request_cross_site'),
    )
  }
  Object.assign(browser.headers, { origin: null, 'sec-fetch-site': 'cross-site' })
  await assert.rejects(browser.api.call(showSession, {}), refused('request_cross_site'))
  // A person who types the address comes from nowhere.
  Object.assign(browser.headers, { 'sec-fetch-site': 'none' })
  assert.equal((await browser.api.call(showSession, {})).person.id, ownerId)
})

test('A1 attack: a session is fixed by somebody else: sign-in and confirmation give a secret that nobody knew', async () => {
  const browser = browse({ authenticator: owner.authenticator })
  const planted = `sws_${'0'.repeat(26)}_${'0'.repeat(64)}`
  browser.cookies.set(cookieName, planted)
  await browser.signIn()
  const first = browser.cookies.get(cookieName)!
  assert.notEqual(first, planted)
  await browser.stepUp()
  assert.notEqual(browser.cookies.get(cookieName), first)
  // Whoever had the secret from before the confirmation has nothing.
  const thief = browse()
  thief.cookies.set(cookieName, first)
  await assert.rejects(thief.api.call(showSession, {}), refused('unauthenticated'))
  await browser.api.call(showSession, {})
})

test('A1 attack: a stolen cookie is used after its person signed out, and that is on record', async () => {
  const { browser, id } = await join('admin')
  const thief = browse()
  thief.cookies.set(cookieName, browser.cookies.get(cookieName)!)
  await thief.api.call(showSession, {})
  await browser.api.call(signOut, {})
  await assert.rejects(thief.api.call(showSession, {}), refused('unauthenticated'))
  await assert.rejects(thief.api.call(listPeople, {}), refused('unauthenticated'))
  const entry = (await auditEntries()).findLast(({ actor }) => actor === id)
  assert.deepEqual(entry?.['detail'], { code: 'credential_ended' })
})

test('A1 attack: the secret of a session is no token, and a request has one credential', async () => {
  const secret = owner.cookies.get(cookieName)!
  await assert.rejects(client.as(secret).call(showSelf, {}), refused('unauthenticated'))
  const both = browse()
  both.cookies.set(cookieName, secret)
  both.headers['authorization'] = `Bearer ${server.adminToken}`
  await assert.rejects(both.api.call(showSelf, {}), refused('two_credentials'))
  const twice = browse()
  twice.headers['cookie'] = `${cookieName}=${secret}; ${cookieName}=${secret}`
  await assert.rejects(twice.api.call(showSelf, {}), refused('two_credentials'))
})

test('A1 a session ends when it is not used for twelve hours', async () => {
  const { browser } = await join('viewer')
  const { session } = await browser.api.call(showSession, {})
  await age('idle', session.id)
  await assert.rejects(browser.api.call(showSession, {}), refused('unauthenticated'))
})

test('A1 a session ends thirty days after the sign-in, however much it is used and confirmed', async () => {
  const { browser } = await join('viewer')
  const { session } = await browser.api.call(showSession, {})
  const days = Date.parse(session.expiresAt) - Date.parse(session.createdAt)
  assert.equal(days, 30 * 86_400_000)
  // A confirmation gives the session another secret, and no more time.
  const confirmed = await browser.stepUp()
  assert.equal(confirmed.session.expiresAt, session.expiresAt)
  assert.equal((await browser.api.call(showSession, {})).session.expiresAt, session.expiresAt)
  await age('a month', session.id)
  await assert.rejects(browser.api.call(showSession, {}), refused('unauthenticated'))
  await assert.rejects(browser.stepUp(), refused('unauthenticated'))
  await browser.signIn()
  assert.equal((await browser.api.call(showSession, {})).person.role, 'viewer')
})

test('A1 a person lists and ends their own sessions, an owner everybody’s, a viewer no one else’s', async () => {
  const { browser: viewer, id } = await join('viewer')
  const second = browse({ authenticator: viewer.authenticator })
  const { session } = await second.signIn()
  const { items } = await viewer.api.call(listSessions, {})
  assert.deepEqual([...new Set(items.map(({ personId }) => personId))], [id])
  assert.equal(items.filter(({ isCurrent }) => isCurrent).length, 1)
  assert.equal(items.length, 2)
  await viewer.api.call(revokeSession, { params: { sessionId: session.id } })
  await assert.rejects(second.api.call(showSession, {}), refused('unauthenticated'))
  const own = (await owner.api.call(showSession, {})).session.id
  const params = { sessionId: own }
  await assert.rejects(viewer.api.call(revokeSession, { params }), refused('session_not_found'))
  const { items: all } = await owner.api.call(listSessions, { query: { person: id } })
  assert.equal(all.length, 1)
  await owner.api.call(revokeSession, { params: { sessionId: all[0]!.id } })
  await assert.rejects(viewer.api.call(showSession, {}), refused('unauthenticated'))
})

test('A2 dangerous routes want a confirmation of the last five minutes', async () => {
  const { browser } = await join('admin')
  const { session } = await browser.api.call(showSession, {})
  const body = { role: 'viewer' } as const
  await browser.api.call(createInvitation, { body })
  await age('step-up', session.id)
  assert.equal((await browser.api.call(showSession, {})).steppedUpUntil, null)
  await assert.rejects(browser.api.call(createInvitation, { body }), refused('step_up_required'))
  await assert.rejects(browser.api.call(askPasskey, {}), refused('step_up_required'))
  const token = { name: 'mine', role: 'viewer', lifetimeSeconds: 60 } as const
  await assert.rejects(browser.api.call(createToken, { body: token }), refused('step_up_required'))
  await browser.api.call(listPeople, {})
  await browser.stepUp()
  await browser.api.call(createInvitation, { body })
})

test('A2 attack: somebody confirms with the passkey of another person', async () => {
  const { browser } = await join('admin')
  const asked = await browser.api.call(askStepUp, {})
  const body = owner.authenticator.get({ ...asked, allowCredentials: [] })
  await assert.rejects(browser.api.call(stepUp, { body }), refused('passkey_refused'))
})

test('A4 attack: an invitation is used twice, after its end, after it was taken back, by a made-up link', async () => {
  const invite = () => owner.api.call(createInvitation, { body: { role: 'operator' } })
  const used = await invite()
  assert.match(used.link, /^https:\/\/localhost:\d+\/invitation#[0-9a-f]{64}$/)
  const shown = await browse().api.call(readInvitation, { body: { code: codeOf(used.link) } })
  assert.equal(shown.role, 'operator')
  const self = await acceptLink(browse(), used.link, 'Oscar Operator')
  assert.equal(self.person.role, 'operator')
  await assert.rejects(acceptLink(browse(), used.link, 'Mallory'), refused('invitation_used'))
  const late = await invite()
  await age('invitation', late.view.id)
  await assert.rejects(acceptLink(browse(), late.link, 'Mallory'), refused('invitation_expired'))
  const revoked = await invite()
  const params = { invitationId: revoked.view.id }
  await owner.api.call(revokeInvitation, { params })
  await assert.rejects(acceptLink(browse(), revoked.link, 'Mallory'), refused('invitation_void'))
  const madeUp = `${owner.origin}/invitation#${'0'.repeat(64)}`
  await assert.rejects(acceptLink(browse(), madeUp, 'Mallory'), refused('invitation_not_found'))
  const { items } = await owner.api.call(listInvitations, {})
  const ids = items.map(({ id }) => id)
  for (const { view } of [used, late, revoked]) assert.ok(!ids.includes(view.id))
})

test('A4 attack: two people accept one invitation at once, and one of them comes in', async () => {
  const { link } = await owner.api.call(createInvitation, { body: { role: 'viewer' } })
  const both = await Promise.allSettled([
    acceptLink(browse(), link, 'One'),
    acceptLink(browse(), link, 'Two'),
  ])
  const lost = both.filter((one) => one.status === 'rejected')
  assert.equal(lost.length, 1)
  assert.equal((lost[0]!.reason as ProblemError).code, 'invitation_used')
})

test('A4 attack: an admin with a scope invites an owner, an admin without one, or into another product', async () => {
  const { browser } = await join('admin', ['acme'])
  const beyond = [
    { role: 'owner' },
    { role: 'admin' },
    { role: 'viewer', products: ['other'] },
    { role: 'viewer', products: ['acme', 'other'] },
  ] as const
  for (const body of beyond) {
    await assert.rejects(
      browser.api.call(createInvitation, { body: structuredClone(body) }),
      refused('grant_exceeds_own'),
    )
  }
  await browser.api.call(createInvitation, { body: { role: 'viewer', products: ['acme'] } })
  // No token makes an owner, not even the first one.
  const body = { role: 'owner' } as const
  await assert.rejects(client.api.call(createInvitation, { body }), refused('grant_exceeds_own'))
  const scoped = { role: 'owner', products: ['acme'] } as const
  await assert.rejects(
    owner.api.call(createInvitation, { body: structuredClone(scoped) }),
    refused('owner_scoped'),
  )
})

test('A4 attack: an admin demotes, disables or re-invites an owner to take their place', async () => {
  const { browser } = await join('admin')
  const params = { personId: ownerId }
  await assert.rejects(
    browser.api.call(setPerson, { params, body: { role: 'viewer' } }),
    refused('out_of_scope'),
  )
  await assert.rejects(browser.api.call(disablePerson, { params }), refused('out_of_scope'))
  await assert.rejects(browser.api.call(reinvitePerson, { params }), refused('out_of_scope'))
  const { id } = await join('viewer')
  await assert.rejects(
    browser.api.call(setPerson, { params: { personId: id }, body: { role: 'owner' } }),
    refused('grant_exceeds_own'),
  )
})

test('A4 the last owner is neither demoted nor disabled, also when two owners do it to each other at once', async () => {
  const params = { personId: ownerId }
  await assert.rejects(
    owner.api.call(setPerson, { params, body: { role: 'admin' } }),
    refused('owner_last'),
  )
  await assert.rejects(owner.api.call(disablePerson, { params }), refused('owner_last'))
  const { browser: second, id } = await join('owner')
  const results = await Promise.allSettled([
    owner.api.call(setPerson, { params: { personId: id }, body: { role: 'admin' } }),
    second.api.call(setPerson, { params, body: { role: 'admin' } }),
  ])
  assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 1)
  const { items } = await client.api.call(listPeople, {})
  assert.equal(items.filter(({ role }) => role === 'owner').length, 1)
  // Whoever is left gives the role back, so that the other tests have their owner.
  if (results[1].status === 'fulfilled') {
    await second.api.call(setPerson, { params, body: { role: 'owner' } })
    await owner.api.call(setPerson, { params: { personId: id }, body: { role: 'admin' } })
  }
})

test('A4 attack: a disabled person goes on with a session, a token, a token made by that token, a passkey or an invitation', async () => {
  const { browser, id } = await join('admin')
  const body = { name: 'mine', role: 'admin', lifetimeSeconds: 3600 } as const
  const { token } = await browser.api.call(createToken, { body })
  const second = await client.as(token).call(createToken, { body })
  const third = await client.as(second.token).call(refreshToken, {})
  const { link } = await browser.api.call(createInvitation, { body: { role: 'admin' } })
  const view = await owner.api.call(disablePerson, { params: { personId: id } })
  assert.notEqual(view.disabledAt, null)
  await assert.rejects(browser.api.call(listPeople, {}), refused('unauthenticated'))
  for (const one of [token, third.token]) {
    await assert.rejects(client.as(one).call(listTokens, {}), refused('unauthenticated'))
  }
  await assert.rejects(browser.signIn(), refused('person_disabled'))
  await assert.rejects(acceptLink(browse(), link, 'Mallory'), refused('invitation_void'))
  await owner.api.call(enablePerson, { params: { personId: id } })
  await browser.signIn()
  await assert.rejects(client.as(token).call(listTokens, {}), refused('unauthenticated'))
})

test('A4 attack: a person who may do less now keeps what they had handed out: tokens and invitations', async () => {
  const { browser, id } = await join('admin')
  const token = async (role: 'admin' | 'viewer') => {
    const body = { name: 'mine', role, lifetimeSeconds: 3600 }
    return (await browser.api.call(createToken, { body })).token
  }
  const [strong, weak] = [await token('admin'), await token('viewer')]
  const { link } = await browser.api.call(createInvitation, { body: { role: 'admin' } })
  await owner.api.call(setPerson, { params: { personId: id }, body: { role: 'viewer' } })
  await assert.rejects(client.as(strong).call(showSelf, {}), refused('unauthenticated'))
  await client.as(weak).call(showSelf, {})
  await assert.rejects(acceptLink(browse(), link, 'Mallory'), refused('invitation_void'))
  await assert.rejects(browser.api.call(listPeople, {}), refused('permission_denied'))
})

test('A1 a person without a passkey comes in by a recovery code, once, and all other sessions end', async () => {
  const { browser, id } = await join('operator')
  const { codes } = await browser.api.call(createRecoveryCodes, {})
  assert.equal(new Set(codes).size, 10)
  assert.equal((await browser.api.call(showSession, {})).recoveryCodesLeft, 10)
  const elsewhere = browse()
  const code = codes[3]!
  const asked = await elsewhere.api.call(askRecovery, { body: { code } })
  const passkey = elsewhere.authenticator.create(asked)
  const self = await elsewhere.api.call(recover, { body: { code, passkey } })
  assert.equal(self.person.id, id)
  assert.equal(self.recoveryCodesLeft, 9)
  await assert.rejects(browser.api.call(showSession, {}), refused('unauthenticated'))
  await elsewhere.signIn()
  await assert.rejects(
    browse().api.call(askRecovery, { body: { code } }),
    refused('recovery_code_wrong'),
  )
  const wrong = `${codes[4]!.slice(0, -1)}${codes[4]!.endsWith('0') ? '1' : '0'}`
  for (const one of [wrong, '0000-0000-0000-0000-0000-0000-0000']) {
    await assert.rejects(
      browse().api.call(askRecovery, { body: { code: one } }),
      refused('recovery_code_wrong'),
    )
  }
  await elsewhere.api.call(createRecoveryCodes, {})
  await assert.rejects(
    browse().api.call(askRecovery, { body: { code: codes[5]! } }),
    refused('recovery_code_wrong'),
  )
})

test('A1 a recovery code that was printed before codes had 140 bits is good still, once', async () => {
  const { browser, id } = await join('operator')
  const salt = Buffer.alloc(16, 7)
  const parameters = { parallelism: 1, tagLength: 32, memory: 8192, passes: 2 }
  const hash = argon2Sync('argon2id', { ...parameters, message: 'c'.repeat(16), nonce: salt })
  const db = server.openDatabase()
  try {
    await db.write(async ({ sql }) => {
      await sql`
        insert into recovery_codes (selector, person_id, salt, hash)
        values ('aaaabbbb', ${id}, ${salt}, ${hash})`
    })
  } finally {
    await db.close()
  }
  const code = 'aaaa-bbbb-cccc-cccc-cccc-cccc'
  for (const one of [code.replace(/c$/, 'd'), code.replace(/^a/, 'b')]) {
    await assert.rejects(
      browse().api.call(askRecovery, { body: { code: one } }),
      refused('recovery_code_wrong'),
    )
  }
  const passkey = browser.authenticator.create(
    await browser.api.call(askRecovery, { body: { code } }),
  )
  assert.equal((await browser.api.call(recover, { body: { code, passkey } })).person.id, id)
  await assert.rejects(
    browse().api.call(askRecovery, { body: { code } }),
    refused('recovery_code_wrong'),
  )
})

test('A1 a person who lost everything comes back by an owner’s second invitation, with the role that they had', async () => {
  const { id } = await join('operator')
  const { link, view } = await owner.api.call(reinvitePerson, { params: { personId: id } })
  assert.equal(view.personId, id)
  const self = await acceptLink(browse(), link, 'Another name')
  assert.equal(self.person.id, id)
  assert.equal(self.person.role, 'operator')
  assert.equal(self.person.name, 'A new operator')
  assert.equal((await owner.api.call(showPerson, { params: { personId: id } })).passkeysCount, 1)
})

test('A1 a server that is opened by an address or a strange name says what name passkeys need', async () => {
  const { port } = new URL(server.url)
  for (const host of [`127.0.0.1:${port}`, `[::1]:${port}`, `ships.example:${port}`]) {
    await assert.rejects(browse({ host }).api.call(askSignIn, {}), (error: ProblemError) => {
      assert.equal(error.code, 'host_unnamed')
      assert.match(error.message, /open it as localhost/)
      return true
    })
  }
})

test('A1 attack: a registration is answered with what another purpose, page or passkey gave', async () => {
  const { browser } = await join('viewer')
  const make = async (lies: Parameters<typeof browser.authenticator.create>[1]) =>
    browser.authenticator.create(await browser.api.call(askPasskey, {}), lies)
  const add = (passkey: NewPasskey) =>
    browser.api.call(addPasskey, { body: { name: 'Another', passkey } })
  const evil = await make({ origin: 'https://evil.example' })
  await assert.rejects(add(evil), refused('origin_wrong'))
  await assert.rejects(add(await make({ rpId: 'evil.example' })), refused('passkey_refused'))
  await assert.rejects(add(await make({ isUserVerified: false })), refused('passkey_refused'))
  const right = await make({})
  await assert.rejects(
    add({ ...right, id: `${right.id.slice(0, -2)}AA` }),
    refused('passkey_refused'),
  )
  await add(right)
  await assert.rejects(add(right), refused('challenge_used'))
  await assert.rejects(
    browse().api.call(becomeFirstOwner, {
      body: { code: '0'.repeat(64), name: 'Mallory', passkey: right },
    }),
    refused('challenge_missing'),
  )
})

test('A1 a registration that was begun and never ended makes nobody, and the same link is good for the second try, once', async () => {
  const { link, view } = await owner.api.call(createInvitation, { body: { role: 'viewer' } })
  const code = codeOf(link)
  const everybody = async () =>
    (await owner.api.call(listPeople, { query: { limit: 1000 } })).items.map(({ id }) => id)
  const before = await everybody()
  // The passkey was made, and the page closed before it was sent.
  const first = browse()
  const asked = await first.api.call(askInvitation, { body: { code, name: 'Iris' } })
  const unsent = first.authenticator.create(asked)
  assert.deepEqual(await everybody(), before)
  const { items } = await owner.api.call(listInvitations, { query: {} })
  assert.ok(items.some(({ id }) => id === view.id))
  // The same browser again: only the answer to the newer challenge counts.
  const again = await first.api.call(askInvitation, { body: { code, name: 'Iris' } })
  const late = { code, name: 'Iris', passkey: unsent }
  await assert.rejects(first.api.call(acceptInvitation, { body: late }), refused('challenge_wrong'))
  assert.deepEqual(await everybody(), before)
  // Another browser comes to the end, and what the first one holds is worth nothing then.
  const second = browse()
  const { person } = await acceptLink(second, link, 'Iris')
  const held = { code, name: 'Iris', passkey: first.authenticator.create(again) }
  await assert.rejects(first.api.call(acceptInvitation, { body: held }), refused('invitation_used'))
  assert.deepEqual((await everybody()).toSorted(), [...before, person.id].toSorted())
  // The same for a passkey of somebody who is signed in: nothing is kept of the first try.
  await second.api.call(askPasskey, {})
  const passkey = second.authenticator.create(await second.api.call(askPasskey, {}))
  await second.api.call(addPasskey, { body: { name: 'Another', passkey } })
  assert.equal((await second.api.call(listPasskeys, {})).items.length, 2)
})

const machine = 'laptop-of-ann'
const lifetimeSeconds = 3600

/** A command line that asks for a token, as a stranger. */
async function ask(wanted: { role?: 'admin' | 'operator' | 'viewer'; products?: string[] } = {}) {
  return client.api.call(beginPairing, { body: { machine, lifetimeSeconds, ...wanted } })
}

/** What the person does in the page: types the code, looks, and lets it have the token. */
async function approve(browser: TestBrowser, userCode: string, role: 'admin' | 'viewer') {
  const { id } = await browser.api.call(readPairing, { body: { userCode } })
  return browser.api.call(approvePairing, { body: { pairingId: id, userCode, role } })
}

const fetchToken = (deviceCode: string) => client.api.call(fetchPairing, { body: { deviceCode } })

test('A3 a person types the code of a command line, sees who asks, and lets it have a token, once', async () => {
  const { browser, id } = await join('operator', ['acme'])
  const begun = await ask({ role: 'viewer' })
  assert.equal(begun.page, `${owner.origin}/pair`)
  assert.deepEqual((await fetchToken(begun.deviceCode)).state, 'waiting')
  const { userCode } = begun
  const seen = await browser.api.call(readPairing, { body: { userCode } })
  assert.deepEqual(
    [seen.machine, seen.address, seen.role, seen.products, seen.lifetimeSeconds],
    [machine, '127.0.0.1', 'viewer', ['acme'], lifetimeSeconds],
  )
  assert.ok(seen.roles.includes('operator') && !seen.roles.includes('admin'))
  await approve(browser, userCode, 'viewer')
  const paired = await fetchToken(begun.deviceCode)
  assert.ok(paired.state === 'paired')
  assert.deepEqual(
    [paired.view.name, paired.view.role, paired.view.products, paired.view.createdBy],
    [`cli-${machine}`, 'viewer', ['acme'], id],
  )
  assert.equal((await client.as(paired.token).call(showSelf, {})).role, 'viewer')
  await assert.rejects(fetchToken(begun.deviceCode), refused('pairing_decided'))
  const entries = await auditEntries()
  const done = entries.filter(({ actor, outcome }) => actor === id && outcome === 'done')
  assert.deepEqual(
    done.map(({ action }) => action).filter((action) => String(action).startsWith('pairing.')),
    ['pairing.approve', 'pairing.fetch'],
  )
  assert.ok(!JSON.stringify(entries).includes(begun.deviceCode))
})

test('A3 A4 attack: a person is made to give a command line more than they have', async () => {
  const { browser } = await join('operator', ['acme'])
  const strong = await ask({ role: 'admin' })
  await assert.rejects(approve(browser, strong.userCode, 'admin'), refused('grant_exceeds_own'))
  // The person may still give less.
  await approve(browser, strong.userCode, 'viewer')
  const wide = await ask({ products: ['acme', 'other'] })
  await assert.rejects(approve(browser, wide.userCode, 'viewer'), refused('grant_exceeds_own'))
  const { id } = await browser.api.call(readPairing, { body: { userCode: wide.userCode } })
  const body = { pairingId: id, userCode: wide.userCode }
  await browser.api.call(refusePairing, { body })
  await assert.rejects(fetchToken(wide.deviceCode), refused('pairing_refused'))
})

test('A2 A3 attack: a stolen session lets a command line have a token: it must confirm first', async () => {
  const { browser } = await join('admin')
  const { session } = await browser.api.call(showSession, {})
  const { userCode } = await ask()
  await age('step-up', session.id)
  await assert.rejects(approve(browser, userCode, 'viewer'), refused('step_up_required'))
  await browser.stepUp()
  await approve(browser, userCode, 'viewer')
})

test('A3 A4 attack: a command line fetches its token after the person may do less, or keeps it then', async () => {
  const { browser, id } = await join('admin')
  const [fetched, late, disabled] = [await ask(), await ask(), await ask()]
  for (const { userCode } of [fetched, late]) await approve(browser, userCode, 'admin')
  await approve(browser, disabled.userCode, 'viewer')
  const paired = await fetchToken(fetched.deviceCode)
  assert.ok(paired.state === 'paired')
  await owner.api.call(setPerson, { params: { personId: id }, body: { role: 'viewer' } })
  await assert.rejects(client.as(paired.token).call(showSelf, {}), refused('unauthenticated'))
  await assert.rejects(fetchToken(late.deviceCode), refused('pairing_void'))
  await owner.api.call(disablePerson, { params: { personId: id } })
  await assert.rejects(fetchToken(disabled.deviceCode), refused('pairing_void'))
  const entry = (await auditEntries()).findLast(({ action }) => action === 'pairing.fetch')
  assert.deepEqual([entry?.['actor'], entry?.['detail']], [id, { code: 'pairing_void' }])
})

test('A3 attack: a code is guessed, comes late, is decided twice, or the short one is used for the long one', async () => {
  const { browser } = await join('admin')
  const wrong = { userCode: 'BBBB-BBBB' }
  await assert.rejects(browser.api.call(readPairing, { body: wrong }), refused('pairing_not_found'))
  const begun = await ask()
  const { userCode } = begun
  for (const deviceCode of [
    userCode,
    `${begun.deviceCode.slice(0, -1)}${begun.deviceCode.endsWith('0') ? '1' : '0'}`,
    server.adminToken,
  ]) {
    await assert.rejects(fetchToken(deviceCode), refused('pairing_not_found'))
  }
  await assert.rejects(client.as(begun.deviceCode).call(showSelf, {}), refused('unauthenticated'))
  const { id } = await browser.api.call(readPairing, { body: { userCode } })
  const other = await ask()
  await assert.rejects(
    browser.api.call(approvePairing, {
      body: { pairingId: id, userCode: other.userCode, role: 'admin' },
    }),
    refused('pairing_not_found'),
  )
  await approve(browser, userCode, 'viewer')
  await assert.rejects(approve(owner, userCode, 'admin'), refused('pairing_decided'))
  const seen = await browser.api.call(readPairing, { body: { userCode: other.userCode } })
  await age('pairing', seen.id)
  await assert.rejects(approve(browser, other.userCode, 'viewer'), refused('pairing_expired'))
  await assert.rejects(fetchToken(other.deviceCode), refused('pairing_expired'))
})

test('A3 two questions for one token at once get it once', async () => {
  const { userCode, deviceCode } = await ask()
  await approve(owner, userCode, 'viewer')
  const both = await Promise.allSettled([fetchToken(deviceCode), fetchToken(deviceCode)])
  const got = both.filter((one) => one.status === 'fulfilled' && one.value.state === 'paired')
  assert.equal(got.length, 1)
})

test('A3 A9 attack: strangers who ask for the token of a pairing without end take no writer, and wait for nobody who has it', async () => {
  const { deviceCode } = await ask()
  // Without its checksum, which is optional, and with another secret.
  const cut = deviceCode.slice(0, -8)
  const unknown = `${cut.slice(0, -1)}${cut.endsWith('0') ? '1' : '0'}`
  const db = server.openDatabase()
  try {
    const answers = await db.write(async ({ sql }) => {
      // Whatever changes something waits for the lock of rights.
      await sql`select pg_advisory_xact_lock(${lockKeys.people}::int)`
      await sql`select pg_advisory_xact_lock(${lockKeys.pairings}::int)`
      const asked = []
      for (let i = 0; i < 5; i++) asked.push(await fetchToken(deviceCode))
      await assert.rejects(fetchToken(unknown), refused('pairing_not_found'))
      return asked
    })
    const paces = answers.map((one) => one.state === 'waiting' && one.intervalSeconds)
    // Whoever asks too early waits longer, as before.
    assert.ok(Number(paces.at(-1)) > Number(paces[0]) || paces.at(-1) === 60, paces.join())
  } finally {
    await db.close()
  }
})

test('A3 A9 attack: strangers begin pairings without end, or have a page begin one', async () => {
  const foreign = browse()
  Object.assign(foreign.headers, { 'sec-fetch-site': 'cross-site' })
  await assert.rejects(
    foreign.api.call(beginPairing, { body: { machine, lifetimeSeconds } }),
    refused('request_cross_site'),
  )
  const entries = (await auditEntries()).length
  const all = await Promise.allSettled(Array.from({ length: 20 }, () => ask()))
  const codes = all.map((one) =>
    one.status === 'fulfilled' ? 'begun' : (one.reason as ProblemError).code,
  )
  assert.ok(codes.filter((code) => code === 'begun').length <= 10)
  assert.ok(codes.includes('pairings_too_many'))
  assert.deepEqual([...new Set(codes)].toSorted(), ['begun', 'pairings_too_many'])
  assert.equal((await auditEntries()).length, entries, 'strangers fill no log')
  const db = server.openDatabase()
  try {
    // Nor do they wait in a line of writers.
    await db.write(async ({ sql }) => {
      await sql`select pg_advisory_xact_lock(${lockKeys.pairings}::int)`
      await assert.rejects(ask(), refused('pairings_too_many'))
    })
  } finally {
    await db.close()
  }
})

const password = 'gravel otter seventeen lamps'

/** A code that is taken for half a minute and more, or one of a clock that is off. */
function totpOf(app: TotpApp, offSeconds = 29): string {
  return app.codeAt(new Date(systemClock.now().getTime() + offSeconds * 1000))
}

/** A person of a role that needs no passkey, with a password and an authenticator. */
async function joinWithPassword(name: string, role: 'operator' | 'viewer' = 'viewer') {
  const { browser, id } = await join(role)
  const { secret, uri } = await browser.api.call(askPassword, {})
  assert.ok(uri.startsWith('otpauth://totp/Seaworthy%3A') && uri.includes(secret))
  const app = createTotpApp(secret)
  const body = { name, password, code: totpOf(app) }
  const self = await browser.api.call(setPassword, { body })
  assert.deepEqual([self.password?.name, self.mayUsePassword], [name.toLowerCase(), true])
  await forgetCodes(id)
  return { browser, id, app }
}

/** Lets the codes that were used count again, as the next half minute would bring new ones. */
async function forgetCodes(personId: string): Promise<void> {
  const db = server.openDatabase()
  try {
    await db.write(
      ({ sql }) => sql`update passwords set totp_step = 0 where person_id = ${personId}`,
    )
  } finally {
    await db.close()
  }
}

test('A1 A2 a person signs in and confirms with password and authenticator, or a recovery code, and a code counts once', async () => {
  const { browser, id, app } = await joinWithPassword('Vera.Viewer')
  const { codes } = await browser.api.call(createRecoveryCodes, {})
  const elsewhere = browse()
  const code = totpOf(app)
  const body = { name: 'vera.viewer', password, code }
  const self = await elsewhere.api.call(signInByPassword, { body })
  assert.equal(self.person.id, id)
  // Whoever looked over the shoulder has nothing.
  await assert.rejects(browse().api.call(signInByPassword, { body }), refused('code_used'))
  const refusal = (await auditEntries()).findLast(({ action }) => action === 'password.sign-in')
  assert.deepEqual([refusal?.['actor'], refusal?.['detail']], [id, { code: 'code_used' }])
  await age('step-up', self.session.id)
  await assert.rejects(elsewhere.api.call(askPasskey, {}), refused('step_up_required'))
  await assert.rejects(elsewhere.api.call(stepUpByCode, { body: { code } }), refused('code_used'))
  await forgetCodes(id)
  await elsewhere.api.call(stepUpByCode, { body: { code: totpOf(app) } })
  await elsewhere.api.call(askPasskey, {})
  const withoutPhone = browse()
  const recovery = { name: 'vera.viewer', password, code: codes[2]! }
  await withoutPhone.api.call(signInByPassword, { body: recovery })
  await assert.rejects(
    browse().api.call(signInByPassword, { body: recovery }),
    refused('password_wrong'),
  )
  await browser.api.call(removePassword, {})
  await assert.rejects(withoutPhone.api.call(showSession, {}), refused('unauthenticated'))
  await forgetCodes(id)
  await assert.rejects(
    browse().api.call(signInByPassword, { body: { ...body, code: totpOf(app) } }),
    refused('password_wrong'),
  )
})

test('A1 A2 attack: a password that is replaced while it is being judged opens nothing, by either code', async () => {
  const { browser, id, app } = await joinWithPassword('Petra.Replaced')
  const { codes } = await browser.api.call(createRecoveryCodes, {})
  const db = server.openDatabase()
  const right = await db.reader.sql<{ hash: Uint8Array }[]>`
    select hash from passwords where person_id = ${id}`
  try {
    for (const code of [codes[3]!, totpOf(app)]) {
      await db.write(
        ({ sql }) =>
          sql`update passwords set hash = ${Buffer.from(right[0]!.hash)} where person_id = ${id}`,
      )
      const body = { name: 'petra.replaced', password, code }
      const elsewhere = browse()
      // Judged with the old hash, it waits for the lock under which the new one is stored.
      const { promise: late, isRefused } = await db.write(async ({ sql }) => {
        await sql`select pg_advisory_xact_lock(${lockKeys.people}::int)`
        const promise = elsewhere.api.call(signInByPassword, { body })
        // It may be refused before anybody waits for it, which Node would take for a fault.
        promise.catch(() => undefined)
        await waitUntil('the sign-in waits for the lock', async () => {
          const [row] = await db.reader.sql<{ count: number }[]>`
            select count(*)::int as count from pg_locks
            where locktype = 'advisory' and objid = ${lockKeys.people}::oid and not granted`
          await sql`select 1`
          return row!.count > 0
        })
        await sql`update passwords set hash = sha256(hash) where person_id = ${id}`
        return { promise, isRefused: refused('password_wrong') }
      })
      await assert.rejects(late, isRefused)
      await assert.rejects(elsewhere.api.call(showSession, {}), refused('unauthenticated'))
    }
  } finally {
    await db.close()
  }
})

test('A1 attack: a stranger tells no unknown name from a wrong password or a wrong code, and a password alone is nothing', async () => {
  const { browser, app } = await joinWithPassword('quiet')
  const { browser: other } = await join('viewer')
  const { codes } = await other.api.call(createRecoveryCodes, {})
  const late = totpOf(app, -300)
  const tries = [
    { name: 'nobody-of-that-name', password, code: totpOf(app) },
    { name: 'quiet', password: `${password}!`, code: totpOf(app) },
    { name: 'quiet', password: `${password}!`, code: late },
    // A code of the future that was guessed: whoever is told so only has to wait.
    { name: 'quiet', password, code: totpOf(app, 300) },
    { name: 'quiet', password, code: '0000-0000-0000-0000-0000-0000' },
    // The code of somebody else.
    { name: 'quiet', password, code: codes[0]! },
  ]
  const answers = []
  for (const body of tries) {
    const thrown = await browse()
      .api.call(signInByPassword, { body })
      .catch((error: ProblemError) => error.problem)
    answers.push(thrown)
  }
  for (const answer of answers) assert.deepEqual(answer, answers[0])
  assert.equal((answers[0] as { code: string }).code, 'password_wrong')
  await assert.rejects(
    browse().api.call(signInByPassword, { body: { name: 'quiet', password, code: '' } }),
    refused('invalid_request'),
  )
  // Whoever has all of it and a wrong clock is told about the clock.
  await assert.rejects(
    browse().api.call(signInByPassword, { body: { name: 'quiet', password, code: late } }),
    (error: ProblemError) => {
      assert.equal(error.code, 'totp_clock_off')
      assert.match(error.message, /about [56] minutes behind/)
      return true
    },
  )
  const taken = await other.api.call(askPassword, {})
  const body = { name: 'QUIET', password, code: totpOf(createTotpApp(taken.secret)) }
  await assert.rejects(other.api.call(setPassword, { body }), refused('sign_in_name_taken'))
  await browser.api.call(showSession, {})
})

test('A1 T9 attack: whoever reads or changes the database finds no password or authenticator, and swaps none', async () => {
  const [ann, ben] = [await joinWithPassword('swapped-ann'), await joinWithPassword('swapped-ben')]
  const { secret } = await ann.browser.api.call(askPassword, {})
  const body = { name: 'swapped-ann', password, code: totpOf(createTotpApp(secret)) }
  await ann.browser.api.call(setPassword, { body })
  const db = server.openDatabase()
  try {
    const rows = await db.reader.sql`select p::text as row from passwords p`
    const text = JSON.stringify(rows)
    assert.ok(!text.includes(secret) && !text.includes(password))
    await db.write(
      ({ sql }) => sql`
        update passwords set totp_step = 0, totp_sealed =
          (select totp_sealed from passwords where person_id = ${ben.id})
        where person_id = ${ann.id}`,
    )
  } finally {
    await db.close()
  }
  const stolen = { name: 'swapped-ann', password, code: totpOf(ben.app) }
  await assert.rejects(browse().api.call(signInByPassword, { body: stolen }), refused('internal'))
})

test('A2 roles that publish or grant need a passkey: whoever has less is told what to register, and an owner decides', async () => {
  await assert.rejects(owner.api.call(askPassword, {}), (error: ProblemError) => {
    assert.equal(error.code, 'passkey_needed')
    assert.match(error.message, /the role owner needs a passkey or security key/)
    return true
  })
  assert.equal((await owner.api.call(showSession, {})).mayUsePassword, false)
  const { id, app } = await joinWithPassword('riser')
  const signInHere = async () => {
    await forgetCodes(id)
    const browser = browse()
    const body = { name: 'riser', password, code: totpOf(app) }
    await browser.api.call(signInByPassword, { body })
    return browser
  }
  const before = await signInHere()
  await owner.api.call(setPerson, { params: { personId: id }, body: { role: 'releaser' } })
  // The session was opened with less than the new role needs.
  await assert.rejects(before.api.call(showSession, {}), refused('unauthenticated'))
  await assert.rejects(signInHere(), refused('passkey_needed'))
  await owner.api.call(setPerson, { params: { personId: id }, body: { role: 'viewer' } })
  const again = await signInHere()
  await assert.rejects(again.api.call(showSignInPolicy, {}), refused('permission_denied'))
  const { passkeyRoles } = await owner.api.call(showSignInPolicy, {})
  assert.deepEqual(passkeyRoles, ['owner', 'admin', 'releaser'])
  const stricter = { passkeyRoles: [...passkeyRoles, 'viewer' as const] }
  await assert.rejects(
    again.api.call(setSignInPolicy, { body: { passkeyRoles: [] } }),
    refused('permission_denied'),
  )
  const { browser: admin } = await join('admin')
  await assert.rejects(
    admin.api.call(setSignInPolicy, { body: { passkeyRoles: [] } }),
    refused('policy_loosened'),
  )
  await owner.api.call(setSignInPolicy, { body: stricter })
  await assert.rejects(again.api.call(showSession, {}), refused('unauthenticated'))
  await assert.rejects(signInHere(), refused('passkey_needed'))
  const entry = (await auditEntries()).findLast(({ action }) => action === 'sign-in-policy.set')
  assert.deepEqual([entry?.['actor'], entry?.['outcome']], [ownerId, 'done'])
  await owner.api.call(setSignInPolicy, { body: { passkeyRoles } })
  await signInHere()
})

test('A2 attack: a stolen token lets roles do without a passkey, or shuts out those who may do more than it', async () => {
  const { passkeyRoles } = await owner.api.call(showSignInPolicy, {})
  const set = (roles: readonly BuiltInRole[], query: { dryRun?: 'yes' } = {}) =>
    client.api.call(setSignInPolicy, { query, body: { passkeyRoles: [...roles] } })
  for (const dropped of passkeyRoles) {
    await assert.rejects(
      set([...passkeyRoles.filter((role) => role !== dropped), 'viewer']),
      (error: ProblemError) => {
        assert.equal(error.code, 'policy_loosened')
        assert.ok(
          error.message.includes(dropped) && error.message.includes('/people'),
          error.message,
        )
        return true
      },
    )
  }
  // An owner has let owners do without: one of them came in by a password and has no passkey.
  await owner.api.call(setSignInPolicy, {
    body: { passkeyRoles: passkeyRoles.filter((role) => role !== 'owner') },
  })
  const { browser, id } = await join('viewer')
  await owner.api.call(setPerson, { params: { personId: id }, body: { role: 'owner' } })
  const db = server.openDatabase()
  try {
    await db.write(({ sql }) => sql`delete from passkeys where person_id = ${id}`)
  } finally {
    await db.close()
  }
  await assert.rejects(set(passkeyRoles), (error: ProblemError) => {
    assert.equal(error.code, 'out_of_scope')
    assert.match(error.message, /has no passkey: this would shut them out/)
    return true
  })
  await browser.api.call(showSession, {})
  const asked = await owner.api.call(setSignInPolicy, {
    query: { dryRun: 'yes' },
    body: { passkeyRoles },
  })
  assert.deepEqual(
    [asked.tightened, asked.loosened, asked.shutOut.map((one) => one.id)],
    [['owner'], [], [id]],
  )
  await owner.api.call(setPerson, { params: { personId: id }, body: { role: 'viewer' } })
  assert.deepEqual((await set(passkeyRoles)).passkeyRoles, passkeyRoles)
})

test('A2 a token of an admin asks for more passkeys, and hears beforehand whom that shuts out', async () => {
  const { passkeyRoles } = await client.api.call(showSignInPolicy, {})
  const { browser, id } = await joinWithPassword('shut-out')
  const db = server.openDatabase()
  try {
    await db.write(({ sql }) => sql`delete from passkeys where person_id = ${id}`)
    await db.write(
      ({ sql }) => sql`update sessions set factor = 'password' where person_id = ${id}`,
    )
  } finally {
    await db.close()
  }
  const body = { passkeyRoles: [...passkeyRoles, 'viewer' as const] }
  const trial = await client.api.call(setSignInPolicy, { query: { dryRun: 'yes' }, body })
  assert.ok(trial.isDryRun && trial.endedSessionsCount > 0)
  assert.ok(trial.shutOut.some((one) => one.id === id && one.name === 'A new viewer'))
  await browser.api.call(showSession, {})
  const done = await client.api.call(setSignInPolicy, { body })
  assert.deepEqual(done, { ...trial, isDryRun: false })
  await assert.rejects(browser.api.call(showSession, {}), refused('unauthenticated'))
  const entry = (await auditEntries()).findLast(({ action }) => action === 'sign-in-policy.set')
  assert.equal(entry?.['outcome'], 'done')
  assert.ok(String(entry['actor']).startsWith('token_'))
  await owner.api.call(setSignInPolicy, { body: { passkeyRoles } })
})

const keysOf = async (api: TestBrowser['api']) => (await api.call(listAccountKeys, {})).items

test('A1 a person adds public keys in the browser, sees fingerprints, and no private key is taken', async () => {
  const { browser, id } = await join('viewer')
  const publicKey = makeSshKey()
  const body = { name: 'work laptop', publicKey: `${publicKey} ann@laptop` }
  const view = await browser.api.call(addAccountKey, { body })
  assert.deepEqual([view.publicKey, view.kind, view.createdBy], [publicKey, 'ssh', id])
  assert.match(view.fingerprint, /^SHA256:[A-Za-z0-9+/]{43}$/)
  assert.notEqual(view.confirmedAt, null)
  assert.deepEqual(await keysOf(browser.api), [view])
  await assert.rejects(browser.api.call(addAccountKey, { body }), refused('account_key_taken'))
  const { browser: other } = await join('viewer')
  await assert.rejects(other.api.call(addAccountKey, { body }), refused('account_key_taken'))
  const accountKeyId = view.id
  await assert.rejects(
    other.api.call(removeAccountKey, { params: { accountKeyId } }),
    refused('account_key_not_found'),
  )
  const pem = generateKeyPairSync('ed25519').privateKey.export({ format: 'pem', type: 'pkcs8' })
  const secret = pem.toString()
  await assert.rejects(
    browser.api.call(addAccountKey, { body: { name: 'x', publicKey: secret } }),
    (error: ProblemError) => {
      assert.match(error.message, /PRIVATE key: it is not kept/)
      return refused('public_key_private')(error)
    },
  )
  const inner = secret.split('\n')[1]!
  assert.ok(!server.log().includes(inner))
  const entries = JSON.stringify(await auditEntries())
  assert.ok(!entries.includes(inner) && entries.includes(view.fingerprint))
  const stale = (await browser.api.call(showSession, {})).session.id
  await age('step-up', stale)
  await assert.rejects(
    browser.api.call(addAccountKey, { body: { name: 'x', publicKey: makeSshKey() } }),
    refused('step_up_required'),
  )
  await browser.stepUp()
  await browser.api.call(removeAccountKey, { params: { accountKeyId } })
  assert.deepEqual(await keysOf(browser.api), [])
})

test('A1 attack: a stolen token adds a key to the account of its person: it counts for nothing until they confirm it', async () => {
  const { browser, id } = await join('admin')
  const { token } = await browser.api.call(createToken, {
    body: { name: 'ci', role: 'viewer', lifetimeSeconds: 3600 },
  })
  const thief = client.as(token)
  const body = { name: 'build', publicKey: makeSshKey() }
  const added = await thief.call(addAccountKey, { body })
  assert.equal(added.confirmedAt, null)
  const params = { accountKeyId: added.id }
  await assert.rejects(thief.call(confirmAccountKey, { params }), refused('permission_denied'))
  assert.deepEqual(await keysOf(browser.api), [added])
  const confirmed = await browser.api.call(confirmAccountKey, { params })
  assert.deepEqual(confirmed, { ...added, confirmedAt: confirmed.confirmedAt })
  assert.ok(confirmed.confirmedAt !== null && confirmed.createdBy.startsWith('token_'))
  // A token that no person has made has no account.
  await assert.rejects(client.api.call(addAccountKey, { body }), refused('permission_denied'))
  // A new link to the person ends what somebody may have left behind in the account.
  const { link } = await owner.api.call(reinvitePerson, { params: { personId: id } })
  const again = browse()
  await acceptLink(again, link, 'The admin again')
  assert.deepEqual(await keysOf(again.api), [])
})

test('A1 A4 fault: owners neither see nor remove the keys of somebody else’s account, and who may do less than that person does neither', async () => {
  const { browser, id: personId } = await join('admin')
  const key = await browser.api.call(addAccountKey, {
    body: { name: 'laptop', publicKey: makeSshKey() },
  })
  const { browser: viewer, id: viewerId } = await join('viewer')
  const params = { personId, accountKeyId: key.id }
  const shown = async () => (await owner.api.call(listPersonKeys, { params: { personId } })).items
  assert.deepEqual(await shown(), [key])
  const { browser: operator } = await join('operator')
  for (const { api } of [viewer, operator]) {
    await assert.rejects(api.call(removePersonKey, { params }), refused('permission_denied'))
  }
  // An admin could not give an owner's rights, and takes nothing from one.
  const { browser: second, id: secondId } = await join('owner')
  const own = await second.api.call(addAccountKey, {
    body: { name: 'safe', publicKey: makeSshKey() },
  })
  const ofOwner = { personId: secondId, accountKeyId: own.id }
  await assert.rejects(
    browser.api.call(removePersonKey, { params: ofOwner }),
    refused('out_of_scope'),
  )
  // The key is removed from the account that is named, and from no other.
  const elsewhere = { params: { ...params, personId: viewerId } }
  await assert.rejects(owner.api.call(removePersonKey, elsewhere), refused('account_key_not_found'))
  assert.deepEqual(await shown(), [key])
  await owner.api.call(removePersonKey, { params })
  assert.deepEqual(await shown(), [])
  const entry = (await auditEntries()).findLast(({ action }) => action === 'person.remove-key')
  assert.deepEqual([entry?.['outcome'], entry?.['subject']], ['done', personId])
  assert.deepEqual(entry?.['detail'], { fingerprint: key.fingerprint, key: key.id, name: 'laptop' })
})

/** Tries until the brake holds: each worker counts for itself. */
async function untilBraked(attempt: () => Promise<unknown>): Promise<void> {
  for (let n = 0; n < 100; n++) {
    const code = await attempt().then(
      () => 'done',
      (error: ProblemError) => error.code,
    )
    assert.notEqual(code, 'done')
    if (code === 'tries_too_many') return
  }
  assert.fail('no brake')
}

test('A1 A9 attack: strangers guess a password until the brake, and its person still comes in', async () => {
  const { id, app } = await joinWithPassword('guessed')
  const known = browse()
  const right = () => ({ name: 'guessed', password, code: totpOf(app) })
  await known.api.call(signInByPassword, { body: right() })
  assert.ok(known.cookies.has('__Host-seaworthy-known'))
  await known.api.call(signOut, {})
  await untilBraked(() =>
    browse().api.call(signInByPassword, { body: { ...right(), password: 'wrong' } }),
  )
  await forgetCodes(id)
  await known.api.call(signInByPassword, { body: right() })
})
