/** The pages in a real browser, from the real server: `seaworthy up`, Chromium, passkeys, axe. */
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { after, before, describe, test } from 'node:test'
import { lacks } from '@seaworthy/std/testing/programs'
import type { TestBrowser } from './testing/browser.ts'
import { startBrowser } from './testing/browser.ts'
import { assertGood } from './testing/good.ts'
import type { WebServer } from './testing/server.ts'
import { startWebServer } from './testing/server.ts'
import {
  accept,
  addKey,
  approvePairing,
  approveRequest,
  becomeOwner,
  changeRole,
  confirmByCode,
  disable,
  findPairing,
  invite,
  makeNewLink,
  makeRole,
  makeRecoveryCodes,
  makeToken,
  recover,
  requirePasskeys,
  revokeToken,
  setPassword,
  setRules,
  signIn,
  signInByPassword,
  signOut,
} from './testing/walk.ts'

describe('pages in a browser', { skip: lacks('chromium') }, () => {
  let server: WebServer
  let browser: TestBrowser
  before(async () => {
    server = await startWebServer()
    browser = await startBrowser(server)
  })
  after(async () => {
    await browser?.close()
    await server?.stop()
  })

  test('A1 A2 A3 A4 people come in, invite, confirm, approve, pair a command line, lose their keys and come back, with the browser alone', async () => {
    const owner = await browser.open()
    // The link works over the address of its own page too, which loads nothing by itself.
    await owner.page.goto('/first-owner')
    await owner.page.getByText('The link is not whole').waitFor()
    await becomeOwner(owner.page, server.ownerLink, 'Ada Lovelace')
    assert.equal(new URL(owner.page.url()).hash, '', 'the secret is not in the address any more')
    await assertGood(owner, 'overview')
    const link = await invite(owner.page, { name: 'Ben Okafor', role: 'operator' })
    await assertGood(owner, 'people')

    const invited = await browser.open({ width: 390, colorScheme: 'dark' })
    await accept(invited.page, link)
    await assertGood(invited, 'overview, narrow and dark')
    await invited.page.goto('/people')
    await invited.page.getByText('Your role does not show people.').waitFor()
    const codes = await makeRecoveryCodes(invited.page)
    assert.equal(codes.length, 10)
    await invited.page.getByText('10 of your recovery codes are unused.').waitFor()
    await assertGood(invited, 'account')

    await addKey(invited.page, 'work laptop')
    await invited.page.getByRole('row', { name: /work laptop.*SHA256:/ }).waitFor()
    await owner.page.goto('/people')
    await owner.page.getByRole('button', { name: 'Keys of Ben Okafor' }).click()
    const ofBen = owner.page.getByRole('dialog', { name: 'Keys of Ben Okafor' })
    await ofBen.getByRole('row', { name: /work laptop.*SHA256:/ }).waitFor()
    await assertGood(owner, 'the keys of a person')
    await ofBen.getByRole('button', { name: 'Remove work laptop' }).click()
    await ofBen.getByText('No key.').waitFor()
    await ofBen.getByRole('button', { name: 'Close' }).click()

    // A link works once.
    const late = await browser.open()
    await late.page.goto(link)
    await late.page.getByRole('alert').waitFor()
    await late.close()

    // A browser that refuses passkeys: a password with an authenticator, or a recovery code.
    const byPassword = { name: 'ben', password: 'gravel otter seventeen lamps' }
    const app = await setPassword(invited.page, byPassword)
    await invited.page.getByText('You sign in as ben').waitFor()
    await assertGood(invited, 'account with a password')
    await signOut(invited.page)
    await signInByPassword(invited.page, byPassword, codes[7]!)
    await invited.page.getByText('You sign in as ben').waitFor()
    await server.endConfirmations()
    await confirmByCode(invited.page, app)
    await requirePasskeys(owner.page, 'operator')
    await owner.page.getByText('owner, admin, releaser, and operator').waitFor()
    await assertGood(owner, 'people with the policy')
    await invited.page.goto('/account')
    await signIn(invited.page)
    await invited.page.getByText('it opens nothing now').waitFor()

    await signOut(invited.page)
    await signIn(invited.page)
    await invited.page.getByRole('heading', { name: 'Your account' }).waitFor()
    await signOut(invited.page)
    await invited.losePasskeys()
    await invited.page.getByRole('link', { name: 'Use a recovery code' }).click()
    await recover(invited.page, codes[3]!.toUpperCase().replaceAll('-', ' '))
    await invited.page.getByText('8 of your recovery codes are unused.').waitFor()

    await server.endConfirmations()
    const newLink = await makeNewLink(owner.page, 'Ben Okafor')
    await invited.losePasskeys()
    await accept(invited.page, newLink)

    await server.endConfirmations()
    await makeRole(owner.page, 'no-logs', 'log:read')
    await owner.page.getByRole('row', { name: /no-logs.*log:read/ }).waitFor()
    await assertGood(owner, 'people with a custom role')
    await changeRole(owner.page, 'Ben Okafor', { role: 'auditor', deniedBy: 'no-logs' })
    await owner.page.getByRole('row', { name: /Ben Okafor.*auditor, denied by no-logs/ }).waitFor()
    await disable(owner.page, 'Ben Okafor')
    await owner.page.getByRole('row', { name: /Ben Okafor.*disabled/ }).waitFor()
    await invited.page.goto('/account')
    await invited.page.getByRole('heading', { name: 'Sign in' }).waitFor()
    // A command line shows a code; its person types it into the page and confirms.
    const machine = server.beginLogin()
    await server.endConfirmations()
    const found = await findPairing(owner.page, await machine.code())
    await found.getByText('127.0.0.1').waitFor()
    await assertGood(owner, 'a command line asks')
    await approvePairing(owner.page, found)
    assert.match(await machine.ended(), /Paired with .*, role viewer/)
    const other = server.beginLogin()
    const refused = await findPairing(owner.page, await other.code())
    await refused.getByRole('button', { name: 'Refuse' }).click()
    await owner.page.getByText('was refused and gets no token').waitFor()
    assert.match(await other.ended(), /\(pairing_refused\)/)
    await owner.page.goto('/people')
    const report = owner.page.waitForEvent('download')
    await owner.page.getByRole('button', { name: 'Download the report' }).click()
    const text = await readFile(await (await report).path(), 'utf8')
    assert.match(text, /^"kind","id",/)
    assert.match(text, /"Ben Okafor","auditor","no"/)

    // A token is made, works, is listed and revoked.
    await server.endConfirmations()
    const token = await makeToken(owner.page, 'ci-gateway')
    assert.match(await server.beginLogin(token).ended(), /role viewer/)
    await owner.page.getByRole('row', { name: /ci-gateway.*viewer.*everything/ }).waitFor()
    await assertGood(owner, 'tokens')
    await revokeToken(owner.page, 'ci-gateway')
    await owner.page.getByRole('row', { name: /ci-gateway/ }).waitFor({ state: 'detached' })
    assert.match(await server.beginLogin(token).ended(), /\(unauthenticated\)/)

    // Two owners, and a rule: the second one approves that the first one ends it.
    await server.endConfirmations()
    const second = await browser.open({ width: 390, colorScheme: 'dark' })
    await accept(second.page, await invite(owner.page, { name: 'Cleo Diaz', role: 'owner' }))
    await setRules(owner.page, true)
    await owner.page.getByText('A change of these rules, by another owner').waitFor()
    await setRules(owner.page, false)
    await owner.page.getByText('From then on: nothing needs an approval.').waitFor()
    await assertGood(owner, 'approvals')
    await server.endConfirmations()
    await second.page.goto('/')
    await second.page.getByLabel('1 waiting').waitFor({ state: 'attached' })
    await approveRequest(second.page)
    await second.page.getByText('Cleo Diaz has approved it').waitFor()
    await assertGood(second, 'approvals, narrow and dark')
    await server.endConfirmations()
    await setRules(owner.page, false)
    await owner.page.getByText('Nothing needs an approval.').waitFor()
    await owner.page.getByRole('row', { name: /Would change .*done.*Cleo Diaz/ }).waitFor()
    for (const person of [owner, invited, second]) {
      assert.deepEqual(person.complaints, [])
      await person.close()
    }
  })

  test('pages outside of the shell keep nobody out, and the browser finds nothing to refuse in them', async () => {
    const person = await browser.open({ width: 390 })
    for (const [path, heading] of [
      ['/sign-in', 'Sign in'],
      ['/recovery', 'Use a recovery code'],
      ['/first-owner', 'Become the first owner'],
      ['/invitation', 'Your invitation'],
    ] as const) {
      await person.page.goto(path)
      await person.page.getByRole('heading', { name: heading }).waitFor()
      await assertGood(person, path)
    }
    await person.close()
  })

  test('A9 attack: what is injected into a page neither runs nor loads nor styles anything', async () => {
    const { page, close } = await browser.open()
    await page.goto('/recovery')
    await page.getByRole('heading', { name: 'Use a recovery code' }).waitFor()
    const refused = await page.evaluate(async () => {
      // What the debugger evaluates itself is exempt: the page's own code runs after it.
      await new Promise((resolve) => requestAnimationFrame(resolve))
      const found: string[] = []
      document.addEventListener('securitypolicyviolation', ({ effectiveDirective }) =>
        found.push(effectiveDirective),
      )
      const tryTo = (name: string, act: () => void) => {
        try {
          act()
        } catch (error) {
          found.push(`${name}: ${(error as Error).name}`)
        }
      }
      tryTo('markup', () => (document.body.innerHTML = '<img src=x onerror=alert(1)>'))
      const text = 'globalThis.hasRun = true'
      // oxlint-disable-next-line typescript/no-implied-eval -- it is what the policy must refuse
      tryTo('function', () => void new Function(text)())
      const style = document.createElement('style')
      style.textContent = 'body { display: none }'
      document.head.append(style)
      const image = new Image()
      image.src = 'https://127.0.0.1:1/leak'
      document.body.append(image)
      await fetch('https://127.0.0.1:1/leak').catch(() => found.push('fetch refused'))
      // Reports of the policy come after what they are about.
      for (let frame = 0; frame < 300 && !found.includes('connect-src'); frame++) {
        await new Promise((resolve) => requestAnimationFrame(resolve))
      }
      const { display } = getComputedStyle(document.body)
      return { found, display, hasRun: 'hasRun' in globalThis }
    })
    assert.equal(refused.hasRun, false)
    assert.notEqual(refused.display, 'none')
    for (const part of [
      'markup: TypeError',
      'function: EvalError',
      'style-src-elem',
      'connect-src',
      'fetch refused',
    ]) {
      assert.ok(refused.found.includes(part), `${part} in ${refused.found.join(', ')}`)
    }
    await close()
  })
})
