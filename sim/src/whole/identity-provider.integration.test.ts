/** A person comes in by an identity provider, in a real browser, from the real server. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { TestIdentityProvider } from '@seaworthy/server/testing'
import { startIdentityProvider } from '@seaworthy/server/testing'
import { lacks } from '@seaworthy/std/testing/programs'
import type { TestBrowser, WebServer } from '@seaworthy/web/testing'
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
  let browser: TestBrowser
  before(async () => {
    server = await startWebServer()
    harbour = await startIdentityProvider(`${server.origin}/sign-in-return/harbour`)
    const keyHash = `${server.keyHash},${harbour.keyHash}`
    browser = await startBrowser({ origin: server.origin, keyHash })
  })
  after(async () => {
    await browser?.close()
    await harbour?.stop()
    await server?.stop()
  })

  test('A1 an owner adds a provider, a member of a group comes in by it, and a stranger does not', async () => {
    const owner = await browser.open()
    await becomeOwner(owner.page, server.ownerLink, 'Ada Lovelace')
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
    for (const person of [owner, ann, mallory]) {
      assert.deepEqual(person.complaints, [])
      await person.close()
    }
  })
})
