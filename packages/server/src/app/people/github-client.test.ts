import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { systemClock, systemSleep } from '@seaworthy/std/time'
import type { IdentityProviderRow } from '../../db/identity-providers.ts'
import type { TestGitHub } from '../../testing/github.ts'
import { startGitHub } from '../../testing/github.ts'
import { createIdentityProviders } from './provider-client.ts'

const redirectUri = 'https://fleet.example/sign-in-return/hub'
const question = { challenge: 'a challenge', state: 'a state', redirectUri }
const providers = createIdentityProviders({ clock: systemClock, sleep: systemSleep })
let gitHub: TestGitHub

before(async () => {
  gitHub = await startGitHub(redirectUri)
})
after(() => gitHub.stop())

function row(change: Partial<IdentityProviderRow> = {}): IdentityProviderRow {
  const now = new Date(0)
  return {
    ...{ name: 'hub', kind: 'github', title: 'GitHub', issuer: gitHub.issuer },
    ...{ clientId: gitHub.clientId, clientSecretSealed: null, caPem: gitHub.caPem },
    ...{ groupsClaim: null, createdAt: now, changedAt: now, changedBy: 'a test' },
    grants: [{ group: 'org:4001', role: 'viewer', products: null, fleets: null }],
    ...change,
  }
}

async function enter(account: string, provider = row()) {
  const url = await providers.addressFor(provider, gitHub.clientSecret, {
    ...question,
    isFresh: false,
  })
  const { searchParams } = gitHub.visit(url, account)
  assert.equal(searchParams.get('state'), 'a state')
  return providers.redeem(provider, gitHub.clientSecret, {
    ...question,
    ...{ code: searchParams.get('code')!, iss: undefined },
  })
}

const refused = (code: string, words: RegExp) => (error: unknown) => {
  assert.equal((error as { code: string }).code, code, String(error))
  assert.match(String(error), words)
  return true
}

test('A1 GitHub is asked for no more than what is used, wherever its kind listens', async () => {
  const address = async (change: Partial<IdentityProviderRow>) =>
    new URL(await providers.addressFor(row(change), 'secret', { ...question, isFresh: false }))
  const cloud = await address({ issuer: 'https://github.com', grants: [] })
  assert.equal(cloud.origin + cloud.pathname, 'https://github.com/login/oauth/authorize')
  assert.equal(cloud.searchParams.get('scope'), '')
  assert.equal((await address({})).searchParams.get('scope'), 'read:org')
  assert.ok(!cloud.href.includes('secret'))
  gitHub.accounts.set('pia', { id: 90_001, orgs: [4001], teams: [77] })
  assert.deepEqual(await enter('pia', row({ grants: [] })), {
    ...{ subject: '90001', account: 'pia', groups: [], authenticatedAt: undefined },
  })
  assert.deepEqual((await enter('pia')).groups, ['org:4001'])
})

test('A1 a GitHub that cannot be used is refused when it is set up, with the reason', async () => {
  const check = async (change: Partial<IdentityProviderRow>, secret: string | null) =>
    providers.check(row(change), secret)
  await check({}, gitHub.clientSecret)
  const wrong: readonly (readonly [Partial<IdentityProviderRow>, string | null, RegExp])[] = [
    [{}, null, /client secret/],
    [{}, 'another', /does not know this client/],
    [{ clientId: 'another' }, gitHub.clientSecret, /does not know this client|answers 401/],
    [{ groupsClaim: 'groups' }, gitHub.clientSecret, /has no claims/],
    [{ issuer: `${gitHub.issuer}/acme` }, gitHub.clientSecret, /by its host alone/],
  ]
  for (const [change, secret, words] of wrong) {
    await assert.rejects(check(change, secret), refused('provider_unusable', words))
  }
  await assert.rejects(
    check({ caPem: null }, gitHub.clientSecret),
    refused('provider_unreachable', /prove who it is/),
  )
})

const user = 'GET /api/v3/user'
const token = 'POST /login/oauth/access_token'
const orgs = 'GET /api/v3/user/orgs'
const many = JSON.stringify(Array.from({ length: 100 }, (_, i) => ({ id: i + 1 })))
const lies: readonly (readonly [string, number, string, RegExp])[] = [
  [token, 200, '{"error":"bad_verification_code"}', /refused/],
  [token, 200, '{"error":{"access_token":"x"}}', /refused/],
  [token, 200, 'access_token=gho_x&token_type=bearer', /no JSON/],
  [token, 200, '{"access_token":"a b","token_type":"bearer"}', /no token/],
  [token, 200, '{"access_token":"gho_x","token_type":"mac"}', /no token/],
  [token, 302, '{}', /no token/],
  [user, 200, '{"login":"viv","id":"90030"}', /number of the account/],
  [user, 200, '{"login":"viv"}', /number of the account/],
  [user, 200, '{"login":"viv","id":1.5}', /number of the account/],
  [user, 200, '{"login":"viv","id":90030,"type":"Organization"}', /no person/],
  [user, 401, '{"message":"Bad credentials"}', /answers 401/],
  [user, 200, '[]', /agreed form/],
  [orgs, 200, '{"id":4001}', /no list of orgs/],
  [orgs, 200, '[{"id":"4001"}]', /without their numbers/],
  [orgs, 200, many, /more than 1000 orgs/],
  [orgs, 403, '{}', /answers 403/],
]

test('A1 attack: who stands in the place of GitHub answers with errors, other forms or accounts of no person, or people agree to less', async () => {
  gitHub.accounts.set('viv', { id: 90_030, orgs: [4001] })
  for (const [what, status, body, words] of lies) {
    gitHub.lies.set(what, { status, body })
    const code = body.includes('"error"') ? 'provider_refused' : 'provider_answer_wrong'
    await assert.rejects(enter('viv'), refused(code, words), `${what} ${body}`)
    gitHub.lies.clear()
  }
  gitHub.agreed = ''
  await assert.rejects(enter('viv'), refused('provider_answer_wrong', /read organisations/))
  gitHub.agreed = undefined
  assert.equal((await enter('viv')).subject, '90030')
})

test('A1 an account at GitHub whose name is none of ours is called by its number', async () => {
  gitHub.accounts.set('viv', { id: 90_030, orgs: [4001] })
  gitHub.lies.set(user, { status: 200, body: '{"login":"v\\u202eiv","id":90030}' })
  assert.equal((await enter('viv')).account, '90030')
  gitHub.lies.clear()
})
