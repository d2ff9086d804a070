/**
 * `npm run screenshots`: every page at 1440 and 390 pixels, light and dark, into `screenshots/` of
 * the repository, to be looked at.
 */
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { lacks } from '@seaworthy/std/testing/programs'
import type { Page } from 'playwright-core'
import { startBrowser } from './browser.ts'
import {
  createMachine,
  fillBundles,
  fillDevices,
  fillFleets,
  fillSettings,
  pollAs,
  publishImage,
} from './fill.ts'
import type { Machine } from './fill.ts'
import { startWebServer } from './server.ts'
import { accept, addKey, becomeOwner, findPairing, invite, makeRole, setRules } from './walk.ts'

const out = fileURLToPath(new URL('../../../../screenshots/', import.meta.url))

const sizes = [
  { width: 1440, height: 900 },
  { width: 390, height: 844 },
] as const

/** Takes the page as it stands, in each size and theme. */
async function shoot(page: Page, name: string): Promise<void> {
  for (const size of sizes) {
    await page.setViewportSize(size)
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme })
      const path = join(out, `${name}-${size.width}-${colorScheme}.png`)
      await page.screenshot({ path, fullPage: true })
    }
  }
  await page.setViewportSize(sizes[0])
}

async function main(): Promise<void> {
  const missing = lacks('chromium')
  if (missing !== false) throw new Error(missing)
  await rm(out, { recursive: true, force: true })
  await mkdir(out)
  const server = await startWebServer()
  const browser = await startBrowser(server)
  let machine: Machine | undefined
  try {
    const { page } = await browser.open()
    const visit = async (path: string, heading: string, name: string) => {
      await page.goto(path)
      await page.getByRole('heading', { name: heading, exact: true, level: 1 }).waitFor()
      await page.waitForLoadState('networkidle')
      await shoot(page, name)
    }
    await page.goto(server.ownerLink)
    await page.getByLabel('Your name').waitFor()
    await shoot(page, 'first-owner')
    await visit('/sign-in', 'Sign in', 'sign-in')
    await visit('/recovery', 'Use a recovery code', 'recovery')
    await visit('/first-owner', 'Become the first owner', 'first-owner-without-code')
    await becomeOwner(page, server.ownerLink, 'Ada Lovelace')
    await visit('/', 'Overview', 'overview-empty')
    await visit('/guide', 'First steps', 'guide-empty')
    machine = await createMachine(server)
    await fillFleets(machine)
    await publishImage(machine, '1.0.0')
    const tokens = await fillDevices(machine)
    for (const [name, token] of tokens) await pollAs(page, name, token)
    await visit('/', 'Overview', 'overview')
    await visit('/devices', 'Devices', 'devices')
    await visit('/devices?tag=site%3Dsouth&silent-for=1d&fleet=shops', 'Devices', 'devices-none')
    await visit('/devices?tag=site%3Dsouth&fleet=shops', 'Devices', 'devices-filtered')
    await page.getByRole('link', { name: 'gate-1' }).click()
    await page.getByRole('heading', { name: 'gate-1' }).waitFor()
    await page.waitForLoadState('networkidle')
    await shoot(page, 'device')
    await page.getByRole('button', { name: 'Remove' }).click()
    await shoot(page, 'device-remove')
    await machine.run('fleet', 'set', 'harbour', '--follow', 'rollouts')
    await fillSettings(machine)
    await visit('/fleets', 'Fleets', 'fleets')
    await visit('/fleets/harbour', 'harbour', 'fleet')
    await visit('/new-rollout?fleet=harbour', 'Begin a rollout', 'new-rollout')
    await page.getByLabel('Waves', { exact: true }).fill('99%,100%')
    await page.getByLabel('Waves that wait for a person').fill('2')
    await page.getByRole('button', { name: 'Begin the rollout' }).click()
    await page.getByRole('heading', { name: 'gateway 1.0.0 to harbour' }).waitFor()
    for (const [name, token] of tokens) await pollAs(page, name, token)
    await page.getByRole('img', { name: /Wave 1: .*in flight/ }).waitFor()
    await shoot(page, 'rollout')
    await page.getByRole('button', { name: 'Abort', exact: true }).click()
    await shoot(page, 'rollout-abort')
    await visit('/rollouts', 'Rollouts', 'rollouts')
    await visit('/releases', 'Releases', 'releases')
    await visit('/releases/gateway/1.0.0', 'gateway 1.0.0', 'release')
    await fillBundles(machine)
    await visit('/releases/tool/1.1.0', 'tool 1.1.0', 'release-files')
    const source = ['--platform', 'linux/arm64', '--from', 'image-1.1.0', '--raw']
    await machine.run('release', 'create', 'gateway', '1.1.0', ...source)
    await machine.run('publish', 'gateway', '1.1.0', '--channel', 'stable')
    await visit('/proposals', 'Proposals', 'proposals')
    await page.getByRole('row').nth(1).getByRole('link').click()
    await page.getByRole('heading', { name: 'Signatures' }).waitFor()
    await shoot(page, 'proposal')
    await visit('/guide', 'First steps', 'guide')
    await visit('/trust', 'Trust', 'trust')
    await visit('/log', 'Audit log', 'log')
    await visit('/', 'Overview', 'overview-with-rollout')
    const link = await invite(page, { name: 'Ben Okafor', role: 'operator' })
    await invite(page, { name: 'Chiara Rossi', role: 'auditor' })
    const invited = await browser.open()
    await invited.page.goto(link)
    await invited.page.getByRole('button', { name: 'Create a passkey and come in' }).waitFor()
    await shoot(invited.page, 'invitation')
    await accept(invited.page, link)
    await invited.page.goto('/people')
    await invited.page.getByText('Your role does not show people.').waitFor()
    await shoot(invited.page, 'people-not-permitted')
    await addKey(invited.page, 'work laptop')
    await makeRole(page, 'no-logs', 'log:read')
    await visit('/people', 'People', 'people')
    await page.getByRole('button', { name: 'Invite a person' }).click()
    await shoot(page, 'people-invite')
    for (const [name, shot] of [
      ['Keys of Ben Okafor', 'people-keys'],
      ['Change the role no-logs', 'people-role'],
      ['Add a provider', 'people-provider'],
    ] as const) {
      await page.goto('/people')
      await page.getByRole('button', { name }).click()
      await page.getByRole('dialog').waitFor()
      await page.waitForLoadState('networkidle')
      await shoot(page, shot)
    }
    await visit('/pair', 'Pair a command line', 'pair')
    const pairing = server.beginLogin()
    const found = await findPairing(page, await pairing.code())
    await shoot(page, 'pair-asks')
    await found.getByRole('button', { name: 'Refuse' }).click()
    await pairing.ended()
    await visit('/tokens', 'Tokens', 'tokens')
    await page.getByRole('button', { name: 'Make a token' }).click()
    await shoot(page, 'tokens-make')
    await visit('/credentials', 'Stored credentials', 'credentials')
    await visit('/approvals', 'Approvals', 'approvals-empty')
    const other = await browser.open()
    await accept(other.page, await invite(page, { name: 'Cleo Diaz', role: 'owner' }))
    await setRules(page, true)
    await setRules(page, false)
    await visit('/approvals', 'Approvals', 'approvals')
    await other.page.goto('/approvals')
    await other.page.getByRole('button', { name: 'Approve', exact: true }).waitFor()
    await shoot(other.page, 'approvals-to-decide')
    await visit('/account', 'Your account', 'account')
    await server.endConfirmations()
    await page.getByRole('button', { name: 'Make new codes' }).click()
    await page.getByRole('button', { name: 'Make ten codes' }).click()
    await page.getByRole('button', { name: 'Confirm with passkey' }).waitFor()
    await shoot(page, 'account-step-up')
    await page.getByRole('button', { name: 'Confirm with passkey' }).click()
    await page.getByRole('button', { name: 'I have kept it' }).waitFor()
    await shoot(page, 'account-recovery-codes')
  } finally {
    await machine?.remove()
    await browser.close()
    await server.stop()
  }
  process.stdout.write(`${out}\n`)
}

await main()
