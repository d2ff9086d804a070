/** People sign in by an identity provider, and providers and strangers lie: a real provider. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import {
  askIdentity,
  askProviderSignIn,
  askProviderStepUp,
  linkIdentity,
  listIdentities,
  listIdentityProviders,
  listWaysIn,
  removeIdentityProvider,
  setIdentityProvider,
  signInByProvider,
  stepUpByProvider,
  unlinkIdentity,
} from '@seaworthy/api/identity-providers'
import { createRole, removeRole } from '@seaworthy/api/roles'
import { createInvitation, reinvitePerson } from '@seaworthy/api/invitations'
import { askPassword, removePassword } from '@seaworthy/api/passwords'
import { askPasskey, createRecoveryCodes } from '@seaworthy/api/passkeys'
import { setPerson } from '@seaworthy/api/people'
import type { ProblemError } from '@seaworthy/api/problems'
import { askSignIn, showSession } from '@seaworthy/api/sessions'
import type { SelfView } from '@seaworthy/api/sessions'
import type { TestBrowser, TestClient, TestServer } from '../testing/index.ts'
import {
  acceptLink,
  becomeOwner,
  createTestBrowser,
  createTestClient,
  startTestServer,
} from '../testing/index.ts'
import type { ProviderLies, TestIdentityProvider } from '../testing/identity-provider.ts'
import { startIdentityProvider } from '../testing/identity-provider.ts'
import type { GitHubAccount, TestGitHub } from '../testing/github.ts'
import { startGitHub } from '../testing/github.ts'

let server: TestServer
let client: TestClient
let owner: TestBrowser
let harbour: TestIdentityProvider

const params = { provider: 'harbour' }
const browse = () => createTestBrowser(server, client)
const refused =
  (code: string, words = /./) =>
  (error: unknown) => {
    assert.equal((error as ProblemError).code, code, String(error))
    assert.match(String(error), words)
    return true
  }

before(async () => {
  server = await startTestServer({ workers: 2 })
  client = createTestClient(server)
  owner = browse()
  await becomeOwner(server, owner)
  harbour = await startIdentityProvider(`${owner.origin}/sign-in-return/harbour`)
  await set({})
})
after(async () => {
  client?.close()
  await harbour?.stop()
  await server?.stop()
})

type Wanted = Parameters<typeof owner.api.call<typeof setIdentityProvider>>[1]['body']

function set(change: Partial<Wanted>) {
  return owner.api.call(setIdentityProvider, {
    params,
    body: {
      ...{ title: 'Harbour', issuer: harbour.issuer, clientId: harbour.clientId },
      ...{ clientSecret: harbour.clientSecret, caPem: harbour.caPem, groupsClaim: 'groups' },
      grants: [
        { group: 'crew', role: 'operator', fleets: ['shops'] },
        { group: 'guests', role: 'viewer' },
      ],
      ...change,
    },
  })
}

/** What the page of ours finds in its address. */
function readAnswer(address: URL) {
  const { code, state, iss } = Object.fromEntries(address.searchParams)
  return { provider: 'harbour', code: code!, state: state!, ...(iss === undefined ? {} : { iss }) }
}

async function ask(browser: TestBrowser, account: string) {
  const { url } = await browser.api.call(askProviderSignIn, { params })
  return readAnswer(await harbour.visit(url, account))
}

async function enter(browser: TestBrowser, account: string): Promise<SelfView> {
  return browser.api.call(signInByProvider, { body: await ask(browser, account) })
}

/** A person who has linked their account. */
async function join(role: 'viewer' | 'admin', account: string) {
  const { link } = await owner.api.call(createInvitation, { body: { role } })
  const browser = browse()
  const self = await acceptLink(browser, link, `The ${role} ${account}`)
  const { url } = await browser.api.call(askIdentity, { params })
  const view = await browser.api.call(linkIdentity, {
    body: readAnswer(await harbour.visit(url, account)),
  })
  assert.equal(view.account, account)
  return { browser, id: self.person.id }
}

test('A1 a person whose group gives a role comes in by the provider, with that role and no more', async () => {
  harbour.accounts.set('ann', ['crew', 'guests'])
  const browser = browse()
  assert.deepEqual(await browser.api.call(listWaysIn, {}), {
    providers: [{ name: 'harbour', title: 'Harbour' }],
  })
  const self = await enter(browser, 'ann')
  const { role, fleets, name, passkeysCount } = self.person
  assert.deepEqual(
    { role, fleets, name, passkeysCount },
    {
      ...{ role: 'operator', fleets: ['shops'], name: 'ann', passkeysCount: 0 },
    },
  )
  assert.equal(self.steppedUpUntil, null, 'nobody says that ann was asked just now')
  const hours = Date.parse(self.session.expiresAt) - Date.parse(self.session.createdAt)
  assert.equal(hours, 12 * 3_600_000)
  // The same person again, from another browser.
  assert.equal((await enter(browse(), 'ann')).person.id, self.person.id)
})

test('A1 an account without link and without group is nobody here, whatever its name or address says', async () => {
  harbour.accounts.set('stranger', ['others'])
  harbour.lies = { claims: { email: 'olive@example.org', email_verified: true } }
  await assert.rejects(enter(browse(), 'stranger'), refused('identity_unknown'))
  harbour.lies = {}
})

test('A1 an answer is taken once, from the browser that asked, for what it asked', async () => {
  harbour.accounts.set('ben', ['guests'])
  const browser = browse()
  const body = await ask(browser, 'ben')
  // Another browser, which asked as well: the attacker gives the person an answer of their own.
  const other = browse()
  await other.api.call(askProviderSignIn, { params })
  await assert.rejects(other.api.call(signInByProvider, { body }), refused('challenge_wrong'))
  await assert.rejects(browse().api.call(signInByProvider, { body }), refused('challenge_missing'))
  const elsewhere = { ...body, state: body.state.replace('sign-in', 'link') }
  await assert.rejects(
    browser.api.call(signInByProvider, { body: elsewhere }),
    refused('challenge_wrong'),
  )
  // A challenge of a passkey is none of a provider.
  const mixed = browse()
  await mixed.api.call(askSignIn, {})
  await assert.rejects(mixed.api.call(signInByProvider, { body }), refused('challenge_wrong'))
  const kept = new Map(browser.cookies)
  await browser.api.call(signInByProvider, { body })
  for (const [name, value] of kept) browser.cookies.set(name, value)
  await assert.rejects(browser.api.call(signInByProvider, { body }), refused('provider_refused'))
  // The provider names another issuer in its answer (mix-up, RFC 9207).
  const mixedUp = await ask(browser, 'ben')
  await assert.rejects(
    browser.api.call(signInByProvider, { body: { ...mixedUp, iss: 'https://other.example' } }),
    refused('provider_answer_wrong', /another issuer/),
  )
})

const hour = 3600
const nowSeconds = () => Math.floor(Date.now() / 1000)
const lies: readonly (readonly [string, () => ProviderLies, RegExp])[] = [
  ['another issuer', () => ({ claims: { iss: 'https://other.example' } }), /another issuer/],
  ['another audience', () => ({ claims: { aud: 'somebody-else' } }), /another audience/],
  ['another nonce', () => ({ claims: { nonce: 'x' } }), /another question \(nonce\)/],
  ['no nonce', () => ({ claims: { nonce: undefined } }), /nonce/],
  ['the algorithm none', () => ({ header: { alg: 'none' } }), /algorithm/],
  ['a key of its own', () => ({ isForged: true }), /signature/],
  ['an old token', () => ({ claims: { exp: nowSeconds() - hour } }), /expired/],
  ['a subject that is a number', () => ({ claims: { sub: 7 } }), /account|form/],
]
test('A1 attack: an ID token of another issuer, audience or question, without a signature or with another key, is refused by name', async () => {
  harbour.accounts.set('cid', ['guests'])
  for (const [what, lie, words] of lies) {
    harbour.lies = lie()
    await assert.rejects(enter(browse(), 'cid'), refused('provider_answer_wrong', words), what)
  }
  harbour.lies = {}
  await enter(browse(), 'cid')
})

test('A1 a role that needs a passkey is not opened by a provider, by link or by group', async () => {
  const heavy = [{ group: 'crew', role: 'admin' as const }]
  await owner.stepUp()
  await assert.rejects(set({ grants: heavy }), refused('provider_scope_wrong', /passkey/))
  const invited = await owner.api.call(createInvitation, { body: { role: 'admin' } })
  const admin = browse()
  await acceptLink(admin, invited.link, 'An admin')
  await assert.rejects(admin.api.call(askIdentity, { params }), refused('passkey_needed'))
  // Made admin after the account was linked: the provider opens nothing any more.
  harbour.accounts.set('dee', [])
  const { browser, id } = await join('viewer', 'dee')
  const byProvider = browse()
  await enter(byProvider, 'dee')
  await owner.api.call(setPerson, { params: { personId: id }, body: { role: 'admin' } })
  await assert.rejects(byProvider.api.call(showSession, {}), refused('unauthenticated'))
  await assert.rejects(enter(browse(), 'dee'), refused('passkey_needed'))
  await browser.signIn()
})

test('A4 what groups give follows the groups, ends what exceeds it, and yields to people here', async () => {
  harbour.accounts.set('eve', ['crew'])
  const browser = browse()
  const { person } = await enter(browser, 'eve')
  const of = { params: { personId: person.id } }
  harbour.accounts.set('eve', ['guests'])
  const later = await enter(browse(), 'eve')
  assert.equal(later.person.role, 'viewer')
  assert.equal(later.person.fleets, null)
  harbour.accounts.set('eve', [])
  await assert.rejects(enter(browse(), 'eve'), refused('group_missing'))
  // An owner decides by hand, and the groups decide no more.
  await owner.api.call(setPerson, { ...of, body: { fleets: ['vans'] } })
  harbour.accounts.set('eve', ['crew'])
  const { role, fleets } = (await enter(browse(), 'eve')).person
  assert.deepEqual({ role, fleets }, { role: 'viewer', fleets: ['vans'] })
})

test('A1 A4 a group that no longer exists at the provider lets nobody in, says whom to ask, and an owner names the new one', async () => {
  harbour.accounts.set('gus', ['crew'])
  const { person } = await enter(browse(), 'gus')
  // The provider calls the group otherwise now.
  harbour.accounts.set('gus', ['sailors'])
  await assert.rejects(enter(browse(), 'gus'), refused('group_missing', /ask an owner/))
  harbour.accounts.set('hal', ['sailors'])
  await assert.rejects(enter(browse(), 'hal'), refused('identity_unknown'))
  await owner.stepUp()
  await set({ grants: [{ group: 'sailors', role: 'viewer' }] })
  const back = await enter(browse(), 'gus')
  assert.deepEqual([back.person.id, back.person.role], [person.id, 'viewer'])
  await set({})
})

test('A4 attack: a second group at the provider adds rights, or one that denies is passed over', async () => {
  const rules = { purpose: 'a test', allows: ['device:write'], denies: ['rollout:read'] }
  await owner.stepUp()
  await owner.api.call(createRole, { body: { name: 'interns', ...rules } })
  const grants = [
    { group: 'guests', role: 'viewer' },
    { group: 'interns', role: 'interns' },
  ]
  await set({ grants })
  harbour.accounts.set('ida', ['interns', 'guests'])
  const ida = await enter(browse(), 'ida')
  assert.deepEqual([ida.person.role, ida.person.deniedBy], ['viewer', ['interns']])
  assert.ok(!ida.permissions.includes('device:write') && !ida.permissions.includes('rollout:read'))
  assert.ok(ida.permissions.includes('device:read'))
  harbour.accounts.set('ida', ['guests'])
  const later = await enter(browse(), 'ida')
  assert.deepEqual(later.person.deniedBy, [])
  assert.ok(later.permissions.includes('rollout:read'))
  const remove = { params: { role: 'interns' } }
  await assert.rejects(owner.api.call(removeRole, remove), refused('role_in_use', /harbour/))
  await set({})
  await owner.api.call(removeRole, remove)
})

test('A2 a person confirms by the provider, who must have asked them anew', async () => {
  harbour.accounts.set('fay', [])
  await join('viewer', 'fay')
  harbour.accounts.set('gil', [])
  await join('viewer', 'gil')
  const browser = browse()
  await enter(browser, 'fay')
  await assert.rejects(browser.api.call(unlinkIdentity, { params }), refused('step_up_required'))
  const confirm = async (account: string) => {
    const { url } = await browser.api.call(askProviderStepUp, { params })
    const body = readAnswer(await harbour.visit(url, account))
    return browser.api.call(stepUpByProvider, { body })
  }
  await assert.rejects(confirm('gil'), refused('identity_missing'))
  harbour.lies = { claims: { auth_time: nowSeconds() - hour } }
  await assert.rejects(confirm('fay'), refused('confirmation_stale'))
  harbour.lies = {}
  assert.notEqual((await confirm('fay')).steppedUpUntil, null)
  assert.equal((await browser.api.call(listIdentities, {})).items.length, 1)
  await browser.api.call(unlinkIdentity, { params })
  await assert.rejects(enter(browse(), 'fay'), refused('identity_unknown'))
})

test('A2 attack: whoever runs a provider leaves a way in of another kind behind, or confirms for a person', async () => {
  harbour.accounts.set('jon', [])
  const { browser: own } = await join('viewer', 'jon')
  const byProvider = browse()
  await enter(byProvider, 'jon')
  const confirm = async (browser: TestBrowser) => {
    const { url } = await browser.api.call(askProviderStepUp, { params })
    const body = readAnswer(await harbour.visit(url, 'jon'))
    return browser.api.call(stepUpByProvider, { body })
  }
  assert.equal((await confirm(byProvider)).session.factor, 'provider')
  for (const attempt of [
    () => byProvider.api.call(askPasskey, {}),
    () => byProvider.api.call(askPassword, {}),
    () => byProvider.api.call(createRecoveryCodes, {}),
    () => byProvider.api.call(removePassword, {}),
  ]) {
    await assert.rejects(attempt(), refused('passkey_needed', /identity provider opened/))
  }
  // The cookie of a session of the person was stolen: the provider does not confirm in it.
  await assert.rejects(confirm(own), refused('passkey_needed', /by no provider/))
})

test('A1 an account is linked with one person, and a new link to a person ends it', async () => {
  harbour.accounts.set('hal', [])
  const { id } = await join('viewer', 'hal')
  await assert.rejects(join('viewer', 'hal'), refused('identity_taken', /another person/))
  await owner.stepUp()
  const { link } = await owner.api.call(reinvitePerson, { params: { personId: id } })
  await acceptLink(browse(), link, 'Hal again')
  await assert.rejects(enter(browse(), 'hal'), refused('identity_unknown'))
})

test('A1 a provider that is down, lies about itself or changes its issuer is refused with the way out', async () => {
  await owner.stepUp()
  await assert.rejects(set({ issuer: 'https://localhost:1' }), refused('provider_issuer_fixed'))
  const other = (change: Partial<Wanted>) =>
    owner.api.call(setIdentityProvider, {
      params: { provider: 'other' },
      body: {
        ...{ title: 'Other', issuer: harbour.issuer, clientId: harbour.clientId },
        ...{ caPem: harbour.caPem, ...change },
      },
    })
  await assert.rejects(
    other({ issuer: 'https://localhost:1' }),
    refused('provider_unreachable', /nothing listens there/),
  )
  await assert.rejects(other({ caPem: null }), refused('provider_unreachable', /prove who it is/))
  await assert.rejects(other({ caPem: 'nonsense' }), refused('provider_unusable', /PEM/))
  harbour.lies = { published: { issuer: 'https://other.example' } }
  await assert.rejects(other({}), refused('provider_answer_wrong', /publishes another issuer/))
  harbour.lies = { published: { token_endpoint: 'http://localhost:1/token' } }
  await assert.rejects(other({}), refused('provider_unusable', /not https/))
  harbour.lies = {}
  const { items } = await owner.api.call(listIdentityProviders, {})
  assert.deepEqual(
    items.map(({ name, redirectUri, hasClientSecret }) => ({ name, redirectUri, hasClientSecret })),
    [
      {
        name: 'harbour',
        redirectUri: `${owner.origin}/sign-in-return/harbour`,
        hasClientSecret: true,
      },
    ],
  )
})

test('A1 attack: a provider that was taken over sends the browser to another one (mix-up)', async () => {
  await owner.stepUp()
  const { redirectUri } = await owner.api.call(setIdentityProvider, {
    params: { provider: 'quay' },
    body: {
      ...{ title: 'Quay', issuer: harbour.issuer, clientId: harbour.clientId },
      ...{ clientSecret: harbour.clientSecret, caPem: harbour.caPem },
    },
  })
  assert.equal(redirectUri, `${owner.origin}/sign-in-return/quay`)
  // The victim asked for quay; the answer comes to the address of harbour, whose page says so.
  harbour.accounts.set('kim', ['guests'])
  const victim = browse()
  const asked = await victim.api.call(askProviderSignIn, { params: { provider: 'quay' } })
  const state = new URL(asked.url).searchParams.get('state')!
  const thief = browse()
  const { url } = await thief.api.call(askProviderSignIn, { params })
  const { code } = readAnswer(await harbour.visit(url, 'kim'))
  await assert.rejects(
    victim.api.call(signInByProvider, { body: { provider: 'harbour', code, state } }),
    refused('challenge_wrong'),
  )
  await owner.api.call(removeIdentityProvider, { params: { provider: 'quay' } })
})

test('A9 the client secret of a provider is in no reply, log or table in clear', async () => {
  const { items } = await owner.api.call(listIdentityProviders, {})
  assert.ok(!JSON.stringify(items).includes(harbour.clientSecret))
  const db = server.openDatabase()
  try {
    const rows = await db.reader.sql<{ all: string }[]>`
      select row_to_json(p)::text as all from identity_providers p`
    assert.equal(rows.length, 1)
    assert.ok(!rows[0]!.all.includes(harbour.clientSecret))
    assert.ok(!rows[0]!.all.includes(Buffer.from(harbour.clientSecret).toString('hex')))
  } finally {
    await db.close()
  }
})

/** GitHub, with what it is to give. */
async function withGitHub(
  work: (gitHub: TestGitHub, set: (change: Partial<Wanted>) => Promise<unknown>) => Promise<void>,
): Promise<void> {
  await owner.stepUp()
  const gitHub = await startGitHub(`${owner.origin}/sign-in-return/hub`)
  const { issuer, clientId, clientSecret, caPem } = gitHub
  const grants = [{ group: 'org:4001', role: 'operator' }]
  const body = { kind: 'github', title: 'GitHub', issuer, clientId, clientSecret, caPem } as const
  try {
    await work(gitHub, async (change) =>
      owner.api.call(setIdentityProvider, { params: hub, body: { ...body, grants, ...change } }),
    )
  } finally {
    await owner.api.call(removeIdentityProvider, { params: hub }).catch(() => undefined)
    await gitHub.stop()
  }
}
const hub = { provider: 'hub' }

async function askHub(gitHub: TestGitHub, browser: TestBrowser, account: string) {
  const { url } = await browser.api.call(askProviderSignIn, { params: hub })
  const { code, state } = Object.fromEntries(gitHub.visit(url, account).searchParams)
  return { provider: 'hub', code: code!, state: state! }
}

async function enterByHub(gitHub: TestGitHub, account: string): Promise<SelfView> {
  const browser = browse()
  const body = await askHub(gitHub, browser, account)
  return browser.api.call(signInByProvider, { body })
}

test('A1 people sign in with GitHub, by the number of their account, and organisations and teams give roles', async () => {
  await withGitHub(async (gitHub, setHub) => {
    const grants = [
      { group: 'team:77', role: 'operator', fleets: ['shops'] },
      { group: 'org:4001', role: 'viewer' },
    ]
    await setHub({ grants })
    await assert.rejects(setHub({ kind: 'oidc' }), refused('provider_issuer_fixed'))
    // The team is on the second page of them.
    const teams = [...Array.from({ length: 130 }, (_, i) => 1000 + i), 77]
    gitHub.accounts.set('pia', { id: 90_001, orgs: [4001, 4002], teams })
    gitHub.accounts.set('quin', { id: 90_002, orgs: [4001] })
    const pia = await enterByHub(gitHub, 'pia')
    assert.deepEqual([pia.person.name, pia.person.role], ['pia', 'operator'])
    assert.equal(pia.steppedUpUntil, null)
    const quin = await enterByHub(gitHub, 'quin')
    assert.deepEqual([quin.person.role, quin.person.fleets], ['viewer', null])
    // Renamed there, she is the same person here.
    gitHub.accounts.set('pia-renamed', gitHub.accounts.get('pia')!)
    assert.equal((await enterByHub(gitHub, 'pia-renamed')).person.id, pia.person.id)
    gitHub.accounts.set('rex', { id: 90_003, orgs: [4002] })
    await assert.rejects(enterByHub(gitHub, 'rex'), refused('identity_unknown'))
    // GitHub asks nobody anew: it confirms nothing.
    const browser = browse()
    await browser.api.call(signInByProvider, { body: await askHub(gitHub, browser, 'quin') })
    await assert.rejects(
      browser.api.call(askProviderStepUp, { params: hub }),
      refused('confirmation_stale'),
    )
  })
})

test('A1 attack: somebody takes the name that an account, an organisation or a team at GitHub has given up', async () => {
  await withGitHub(async (gitHub, setHub) => {
    for (const group of ['acme', 'org:acme', 'acme/deployers', 'team:0', 'org:4001x']) {
      await assert.rejects(
        setHub({ grants: [{ group, role: 'viewer' }] }),
        refused('provider_unusable', /names can pass to others/),
        group,
      )
    }
    await setHub({})
    gitHub.accounts.set('sol', { id: 90_010, orgs: [4001] })
    const sol = await enterByHub(gitHub, 'sol')
    const taken: GitHubAccount = { id: 90_011, orgs: [4001] }
    gitHub.accounts.set('sol', taken)
    assert.notEqual((await enterByHub(gitHub, 'sol')).person.id, sol.person.id)
    // The organisation has the old one's name and another number.
    gitHub.accounts.set('tom', { id: 90_012, orgs: [5001] })
    await assert.rejects(enterByHub(gitHub, 'tom'), refused('identity_unknown'))
  })
})

test('A1 attack: a code of GitHub is taken twice, by another browser, without its verifier, or for another provider', async () => {
  await withGitHub(async (gitHub, setHub) => {
    await setHub({})
    gitHub.accounts.set('uma', { id: 90_020, orgs: [4001] })
    const browser = browse()
    const body = await askHub(gitHub, browser, 'uma')
    const thief = browse()
    const own = await askHub(gitHub, thief, 'uma')
    await assert.rejects(thief.api.call(signInByProvider, { body }), refused('challenge_wrong'))
    // The thief's own question with the code of the victim: its verifier is another one.
    const mixed = { ...own, code: body.code }
    await assert.rejects(
      thief.api.call(signInByProvider, { body: mixed }),
      refused('provider_refused'),
    )
    const asked = await askHub(gitHub, browser, 'uma')
    await assert.rejects(
      browser.api.call(signInByProvider, { body: { ...asked, provider: 'harbour' } }),
      refused('challenge_wrong'),
    )
    await assert.rejects(
      browser.api.call(signInByProvider, { body: { ...asked, iss: 'https://other.example' } }),
      refused('provider_answer_wrong', /another issuer/),
    )
    const kept = new Map(browser.cookies)
    await browser.api.call(signInByProvider, { body: asked })
    for (const [name, value] of kept) browser.cookies.set(name, value)
    await assert.rejects(
      browser.api.call(signInByProvider, { body: asked }),
      refused('provider_refused'),
    )
  })
})

test('A1 removing a provider ends the sessions that began there and all links to it', async () => {
  harbour.accounts.set('ida', ['guests'])
  const browser = browse()
  await enter(browser, 'ida')
  await owner.stepUp()
  await owner.api.call(removeIdentityProvider, { params })
  await assert.rejects(browser.api.call(showSession, {}), refused('unauthenticated'))
  await assert.rejects(
    browse().api.call(askProviderSignIn, { params }),
    refused('provider_not_found'),
  )
})
