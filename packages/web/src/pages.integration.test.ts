/** The pages in a real browser, from the real server: `seaworthy up`, Chromium, passkeys, axe. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { lacks } from '@seaworthy/std/testing/programs'
import type { TestBrowser } from './testing/browser.ts'
import { findBarriers, startBrowser } from './testing/browser.ts'
import type { WebServer } from './testing/server.ts'
import { startWebServer } from './testing/server.ts'

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

  test('A1 pages outside of the shell keep nobody out, and the browser finds nothing to refuse in them', async () => {
    for (const [path, heading] of [
      ['/sign-in', 'Sign in'],
      ['/recovery', 'Use a recovery code'],
      ['/first-owner', 'Become the first owner'],
      ['/invitation', 'Your invitation'],
    ] as const) {
      for (const width of [1440, 390]) {
        const { page, complaints, close } = await browser.open({ width, colorScheme: 'dark' })
        await page.goto(path)
        await page.getByRole('heading', { name: heading }).waitFor()
        assert.deepEqual(await findBarriers(page), [], path)
        const isCut = await page.evaluate(
          () => document.documentElement.scrollWidth > document.documentElement.clientWidth,
        )
        assert.ok(!isCut, `${path} fits into ${width} pixels`)
        assert.deepEqual(complaints, [], path)
        await close()
      }
    }
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
