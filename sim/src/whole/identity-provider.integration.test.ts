/** A person comes in by an identity provider, in a real browser, from the real server. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { TestGitHub, TestIdentityProvider } from '@seaworthy/server/testing'
import { startGitHub, startIdentityProvider } from '@seaworthy/server/testing'
import { lacks } from '@seaworthy/std/testing/programs'
import type { Person, TestBrowser, WebServer } from '@seaworthy/web/testing'
import {
  addProvider,
  becomeOwner,
  findBarriers,
  signInByProvider,
  startBrowser,
  startWebServer,
} from '@seaworthy/web/testing'

describe('an identity provider in a browser', { skip: lacks('chromium') }, () => {
  let server: WebServer
  let harbour: TestIdentityProvider
  let gitHub: TestGitHub
  let browser: TestBrowser
  let owner: Person
  before(async () => {
    server = await startWebServer()
    harbour = await startIdentityProvider(`${server.origin}/sign-in-return/harbour`)
    gitHub = await startGitHub(`${server.origin}/sign-in-return/hub`)
    const keyHash = [server, harbour, gitHub].map((one) => one.keyHash).join(',')
    browser = await startBrowser({ origin: server.origin, keyHash })
    owner = await browser.open()
    await becomeOwner(owner.page, server.ownerLink, 'Ada Lovelace')
  })
  after(async () => {
    await browser?.close()
    await harbour?.stop()
    await gitHub?.stop()
    await server?.stop()
  })

  test('A1 an owner adds a provider, a member of a group comes in by it, and a stranger does not', async () => {
    const { issuer, clientId, clientSecret, caPem } = harbour
    const group = 'guests'
    await addProvider(owner.page, {
      title: 'Harbour',
      issuer,
      clientId,
      clientSecret,
      caPem,
      group,
    })
    assert.deepEqual(await findBarriers(owner.page), [])

    harbour.accounts.set('ann', ['guests'])
    harbour.enterAs('ann')
    const ann = await browser.open({ width: 390, colorScheme: 'dark' })
    await signInByProvider(ann.page, 'Harbour')
    await ann.page.goto('/account')
    await ann.page.getByRole('row', { name: /Harbour.*ann/ }).waitFor()
    assert.deepEqual(await findBarriers(ann.page), [])

    harbour.accounts.set('mallory', ['others'])
    harbour.enterAs('mallory')
    const mallory = await browser.open()
    await mallory.page.goto('/sign-in')
    await mallory.page.getByRole('button', { name: 'Sign in with Harbour' }).click()
    await mallory.page.getByText('none of its groups gives a role').waitFor()
    assert.equal(
      new URL(mallory.page.url()).search,
      '',
      'the answer is not in the address any more',
    )
    assert.deepEqual(await findBarriers(mallory.page), [])
    assert.deepEqual(owner.complaints, [])
    for (const person of [ann, mallory]) {
      assert.deepEqual(person.complaints, [])
      await person.close()
    }
  })

  test('A1 an owner adds GitHub, a member of an organisation comes in by it, and a stranger does not', async () => {
    const { issuer, clientId, clientSecret, caPem } = gitHub
    const group = 'org:4001'
    const hub = {
      title: 'Hub',
      kind: 'github',
      issuer,
      clientId,
      clientSecret,
      caPem,
      group,
    } as const
    await addProvider(owner.page, hub)
    gitHub.accounts.set('pia', { id: 90_001, orgs: [4001] })
    gitHub.accounts.set('rex', { id: 90_002, orgs: [4002] })
    gitHub.visitor = 'pia'
    const pia = await browser.open()
    await signInByProvider(pia.page, 'Hub')
    await pia.page.goto('/account')
    await pia.page.getByRole('row', { name: /Hub.*pia/ }).waitFor()
    gitHub.visitor = 'rex'
    const rex = await browser.open()
    await rex.page.goto('/sign-in')
    await rex.page.getByRole('button', { name: 'Sign in with Hub' }).click()
    await rex.page.getByText('none of its groups gives a role').waitFor()
    assert.equal(new URL(rex.page.url()).search, '')
    for (const person of [owner, pia, rex]) {
      assert.deepEqual(person.complaints, [])
      await person.close()
    }
  })
})
