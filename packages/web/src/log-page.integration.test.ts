/** The page of the audit log in a real browser: it follows a log that grows, and no other one. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { lacks } from '@seaworthy/std/testing/programs'
import { startBrowser } from './testing/browser.ts'
import { assertGood } from './testing/good.ts'
import { startWebServer } from './testing/server.ts'
import { becomeOwner, invite } from './testing/walk.ts'

test(
  'A5 attack: a browser follows an audit log that grows, and shows nothing of one that was rewritten',
  { skip: lacks('chromium') },
  async () => {
    const server = await startWebServer()
    const browser = await startBrowser(server)
    try {
      const owner = await browser.open()
      const { page } = owner
      await becomeOwner(page, server.ownerLink, 'Ada Lovelace')
      await page.goto('/log')
      await page.getByText(/Checked in this browser: .* first one that this browser/).waitFor()
      for (const name of ['Eli Frost', 'Ina Berg']) {
        await invite(page, { name, role: 'viewer' })
        await page.goto('/log')
        await page.getByText('Checked in this browser: the log continues the').waitFor()
        await page
          .getByRole('row', { name: /invitation\.create/ })
          .first()
          .waitFor()
      }
      const lied = await page.context().newPage()
      await lied.addInitScript(() => {
        const real = globalThis.fetch
        globalThis.fetch = async (url, init) => {
          const reply = await real(url, init)
          if (typeof url !== 'string' || !url.includes('/log/tile/entries/')) return reply
          const bytes = new Uint8Array(await reply.arrayBuffer())
          const text = Array.from(bytes, (byte) => String.fromCharCode(byte)).join('')
          const rewritten = text.replace('invitation.create', 'invitation.revoke')
          return new Response(Uint8Array.from(rewritten, (letter) => letter.charCodeAt(0)))
        }
      })
      await lied.goto('/log')
      const alert = lied.getByRole('alert').filter({ hasText: 'This is not the log' })
      await alert.getByText(/entry_mismatch/).waitFor()
      assert.equal(await lied.getByRole('table', { name: 'Audit log' }).count(), 0)
      await assertGood({ ...owner, page: lied }, 'a rewritten audit log')
      await lied.close()
      await page.reload()
      await page.getByText('Checked in this browser: it is the log of').waitFor()
    } finally {
      await browser.close()
      await server.stop()
    }
  },
)
