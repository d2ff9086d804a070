/** What people do in the pages, step by step, as tests and screenshots need it. */
import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { waitUntil } from '@seaworthy/std/testing'
import type { TotpApp } from '@seaworthy/std/testing/totp'
import { createTotpApp } from '@seaworthy/std/testing/totp'
import { systemClock } from '@seaworthy/std/time'
import type { Locator, Page } from 'playwright-core'
import { decodeQR } from 'qr/decode.js'

const button = (page: Page, name: string) => page.getByRole('button', { name, exact: true })

/** Opens the link that `up` printed, and becomes the first owner. */
export async function becomeOwner(page: Page, link: string, name: string): Promise<void> {
  await page.goto(link)
  await page.getByLabel('Your name').fill(name)
  await button(page, 'Create a passkey').click()
  await page.getByRole('heading', { name: 'Overview' }).waitFor()
}

/** Confirms with the passkey, where the server asks for that. */
export async function confirm(page: Page): Promise<void> {
  const dialog = page.getByRole('dialog', { name: 'Confirm that it is you' })
  await dialog.getByRole('button', { name: 'Confirm with passkey' }).click()
  await dialog.waitFor({ state: 'detached' })
}

export interface Invited {
  readonly name: string
  readonly role: string
}

/** Invites a person on the page of people; answers the link. */
export async function invite(page: Page, { name, role }: Invited): Promise<string> {
  await page.goto('/people')
  await button(page, 'Invite a person').click()
  const dialog = page.getByRole('dialog', { name: 'Invite a person' })
  await dialog.getByLabel('Name').fill(name)
  await dialog.getByLabel('Role').selectOption(role)
  await dialog.getByRole('button', { name: 'Make the link' }).click()
  return readLink(page)
}

/** Makes a new link for somebody who has lost every passkey. */
export async function makeNewLink(page: Page, name: string): Promise<string> {
  await page.goto('/people')
  await button(page, `New link for ${name}`).click()
  const dialog = page.getByRole('dialog', { name: `New link for ${name}` })
  await dialog.getByRole('button', { name: 'Make the link' }).click()
  return readLink(page)
}

/** Waits for what comes after an action: a confirmation, if one is asked for, and then the rest. */
async function finish(page: Page, dialog: Locator): Promise<void> {
  const question = page.getByRole('dialog', { name: 'Confirm that it is you' })
  await waitUntil(
    'the action is done or asks for a confirmation',
    async () => (await question.isVisible()) || (await dialog.count()) === 0,
  )
  if (await question.isVisible()) await confirm(page)
  await dialog.waitFor({ state: 'detached' })
}

/** Makes a role that allows nothing and denies one thing. */
export async function makeRole(page: Page, name: string, denies: string): Promise<void> {
  await page.goto('/people')
  await button(page, 'Make a role').click()
  const dialog = page.getByRole('dialog', { name: 'Make a role' })
  await dialog.getByLabel('Name').fill(name)
  await dialog.getByLabel('Purpose').fill('Keeps something from somebody')
  await dialog.getByLabel(denies).selectOption('denies')
  await dialog.getByRole('button', { name: 'Make it' }).click()
  await finish(page, dialog)
}

export async function changeRole(
  page: Page,
  name: string,
  { role, deniedBy }: { readonly role: string; readonly deniedBy: string },
): Promise<void> {
  await page.goto('/people')
  await button(page, `Change the role of ${name}`).click()
  const dialog = page.getByRole('dialog', { name: `Role of ${name}` })
  await dialog.getByLabel('Role').selectOption(role)
  await dialog.getByLabel(deniedBy).check()
  await dialog.getByRole('button', { name: 'Change' }).click()
  await finish(page, dialog)
}

export async function disable(page: Page, name: string): Promise<void> {
  await page.goto('/people')
  await button(page, `Disable ${name}`).click()
  const dialog = page.getByRole('dialog', { name: `Disable ${name}` })
  await dialog.getByRole('button', { name: 'Disable' }).click()
  await finish(page, dialog)
}

/** Adds a new SSH key to one’s own account; answers its line. */
export async function addKey(page: Page, name: string): Promise<string> {
  const { x } = generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' })
  const parts = [Buffer.from('ssh-ed25519'), Buffer.from(x!, 'base64url')]
  const blob = parts.flatMap((part) => [Buffer.of(0, 0, 0, part.length), part])
  const line = `ssh-ed25519 ${Buffer.concat(blob).toString('base64')}`
  await page.goto('/account')
  await button(page, 'Add a key').click()
  const dialog = page.getByRole('dialog', { name: 'Add a key' })
  await dialog.getByLabel('Name of the key').fill(name)
  await dialog.getByLabel('Public key').fill(line)
  await dialog.getByRole('button', { name: 'Add it' }).click()
  await finish(page, dialog)
  return line
}

/** Wants an approval for the removal of devices, or for nothing, on the page of approvals. */
export async function setRules(page: Page, hasRule: boolean): Promise<void> {
  await page.goto('/approvals')
  await button(page, 'Change the rules').click()
  const dialog = page.getByRole('dialog', { name: 'What needs an approval' })
  await dialog.getByLabel('The removal of a device').setChecked(hasRule)
  await dialog.getByRole('button', { name: 'Change' }).click()
  await finish(page, dialog)
}

/** Approves the only request that waits. */
export async function approveRequest(page: Page): Promise<void> {
  await page.goto('/approvals')
  await button(page, 'Approve').click()
  const dialog = page.getByRole('dialog', { name: 'Approve what would happen' })
  await dialog.getByRole('button', { name: 'Approve' }).click()
  await finish(page, dialog)
}

/** Adds an identity provider whose group gives a role, as an owner does. */
export async function addProvider(
  page: Page,
  provider: {
    readonly title: string
    readonly issuer: string
    readonly clientId: string
    readonly clientSecret: string
    readonly caPem: string
    readonly group: string
    readonly kind?: 'github'
  },
): Promise<void> {
  await page.goto('/people')
  await button(page, 'Add a provider').click()
  const dialog = page.getByRole('dialog', { name: 'Add an identity provider' })
  const isGitHub = provider.kind === 'github'
  if (isGitHub) await dialog.getByLabel('Kind').selectOption('github')
  await dialog.getByLabel('Name').fill(provider.title.toLowerCase())
  await dialog.getByLabel('Title').fill(provider.title)
  await dialog.getByLabel(isGitHub ? 'Address' : 'Issuer').fill(provider.issuer)
  await dialog.getByLabel('Client ID').fill(provider.clientId)
  await dialog.getByLabel('Client secret').fill(provider.clientSecret)
  await dialog.getByLabel('CA certificate').fill(provider.caPem)
  if (!isGitHub) await dialog.getByLabel('Claim with the groups').fill('groups')
  await button(page, 'Add a group').click()
  await dialog.getByLabel('Group at the provider').fill(provider.group)
  await dialog.getByRole('button', { name: 'Add it' }).click()
  await finish(page, dialog)
  await page
    .getByRole('row', { name: new RegExp(`${provider.title}.*viewer of everything`) })
    .waitFor()
}

/** Signs in by an identity provider, on the page for that. */
export async function signInByProvider(page: Page, title: string): Promise<void> {
  await page.goto('/sign-in')
  await button(page, `Sign in with ${title}`).click()
  await page.getByRole('heading', { name: 'Overview' }).waitFor()
}

/** Registers a new passkey with a recovery code, on the page for that. */
export async function recover(page: Page, code: string): Promise<void> {
  await page.getByLabel('Recovery code').fill(code)
  await button(page, 'Register a new passkey').click()
  await page.getByRole('heading', { name: 'Your account' }).waitFor()
}

/** Reads the secret that is shown once, after a confirmation if one is asked for. */
async function readSecret(page: Page, title: string): Promise<string> {
  const secret = page.getByRole('dialog', { name: title })
  const question = page.getByRole('dialog', { name: 'Confirm that it is you' })
  await secret.or(question).waitFor()
  if (await question.isVisible()) await confirm(page)
  const text = await secret.getByLabel(title).innerText()
  await secret.getByRole('button', { name: 'I have kept it' }).click()
  await secret.waitFor({ state: 'detached' })
  return text
}

const readLink = (page: Page) => readSecret(page, 'The link of the invitation')

/** Makes a token on the page of tokens; answers it. */
export async function makeToken(page: Page, name: string): Promise<string> {
  await page.goto('/tokens')
  await button(page, 'Make a token').click()
  const dialog = page.getByRole('dialog', { name: 'Make a token' })
  await dialog.getByLabel('Name').fill(name)
  await dialog.getByRole('button', { name: 'Make it' }).click()
  return readSecret(page, 'The token')
}

export async function revokeToken(page: Page, name: string): Promise<void> {
  await page.goto('/tokens')
  await button(page, `Revoke the token ${name}`).click()
  const dialog = page.getByRole('dialog', { name: `Revoke the token ${name}` })
  await dialog.getByRole('button', { name: 'Revoke' }).click()
  await finish(page, dialog)
}

/** Opens the link of an invitation and comes in with a new passkey. */
export async function accept(page: Page, link: string): Promise<void> {
  await page.goto(link)
  await button(page, 'Create a passkey and come in').click()
  await page.getByRole('heading', { name: 'Overview' }).waitFor()
}

/** Makes recovery codes on the page of the account; answers them. */
export async function makeRecoveryCodes(page: Page): Promise<string[]> {
  await page.goto('/account')
  await button(page, 'Make new codes').click()
  await button(page, 'Make ten codes').click()
  return (await readSecret(page, 'Your recovery codes')).trim().split('\n')
}

/** Looks up who asks by the code of a command line, on the page for that. */
export async function findPairing(page: Page, code: string): Promise<Locator> {
  await page.goto('/pair')
  await page.getByLabel('Code').fill(code.toLowerCase().replace('-', ' '))
  await button(page, 'See who asks').click()
  const found = page.getByRole('region', { name: 'Who asks' })
  await found.waitFor()
  return found
}

/** Lets the command line have its token, after a confirmation if one is asked for. */
export async function approvePairing(page: Page, found: Locator): Promise<void> {
  await found.getByRole('button', { name: 'Pair it' }).click()
  await finish(page, found)
  await page.getByText('gets its token as viewer').waitFor()
}

export interface WebPassword {
  readonly name: string
  readonly password: string
}

/** Sets a password with an authenticator on the page of the account; answers the app. */
export async function setPassword(page: Page, given: WebPassword): Promise<TotpApp> {
  await page.goto('/account')
  await button(page, 'Set a password').click()
  const dialog = page.getByRole('dialog', { name: 'Set a password' })
  const secret = (await dialog.getByLabel('The secret of the authenticator').innerText()).trim()
  const app = createTotpApp(secret)
  assert.match(await readQrCode(dialog), new RegExp(`^otpauth://totp/.*secret=${secret}&`))
  await dialog.getByLabel('Name for signing in').fill(given.name)
  await dialog.locator('input[name=new-password]').fill(given.password)
  await dialog.getByLabel('Code that the app shows').fill(app.codeAt(systemClock.now()))
  await dialog.getByRole('button', { name: 'Set it' }).click()
  await dialog.waitFor({ state: 'detached' })
  return app
}

/** What a camera would read off the picture that the page draws. */
async function readQrCode(dialog: Locator): Promise<string> {
  const picture = dialog.getByRole('img', { name: 'The secret as a QR code' })
  const path = (await picture.locator('path').getAttribute('d'))!
  const size = Number((await picture.getAttribute('viewBox'))!.split(' ')[2])
  const scale = 4
  const width = size * scale
  const data = new Uint8Array(width * width * 4).fill(255)
  for (const [, x, y] of path.matchAll(/M(\d+) (\d+)h/g)) {
    for (let dy = 0; dy < scale; dy++) {
      const at = ((Number(y) * scale + dy) * width + Number(x) * scale) * 4
      for (let i = 0; i < scale * 4; i++) data[at + i] = i % 4 === 3 ? 255 : 0
    }
  }
  return decodeQR({ width, height: width, data })
}

/** Signs in on the page for that with a password, and a code or a recovery code. */
export async function signInByPassword(
  page: Page,
  given: WebPassword,
  code: string,
): Promise<void> {
  await button(page, 'Use a password and an authenticator').click()
  await page.getByLabel('Name').fill(given.name)
  await page.locator('input[name=password]').fill(given.password)
  await page.getByLabel('Code').fill(code)
  await button(page, 'Sign in with the password').click()
}

/** Asks for another password, which the server wants confirmed; confirms with a code, and stops. */
export async function confirmByCode(page: Page, app: TotpApp): Promise<void> {
  await button(page, 'Change the password').click()
  const question = page.getByRole('dialog', { name: 'Confirm that it is you' })
  // The code of the half minute to come, because each counts once.
  const next = new Date(systemClock.now().getTime() + 30_000)
  await question.getByLabel('Or a code of your authenticator').fill(app.codeAt(next))
  await question.getByRole('button', { name: 'Confirm with code' }).click()
  const dialog = page.getByRole('dialog', { name: 'Set a password' })
  await dialog.getByRole('button', { name: 'Cancel' }).click()
  await dialog.waitFor({ state: 'detached' })
}

/** Says that this role needs a passkey too, as an owner. */
export async function requirePasskeys(page: Page, role: string): Promise<void> {
  await page.goto('/people')
  await button(page, 'Change which roles').click()
  const dialog = page.getByRole('dialog', { name: 'Roles that need a passkey' })
  await dialog.getByLabel(role).check()
  await dialog.getByRole('button', { name: 'Change' }).click()
  await finish(page, dialog)
}

export async function signOut(page: Page): Promise<void> {
  await button(page, 'Sign out').click()
  await page.getByRole('heading', { name: 'Sign in' }).waitFor()
}

export async function signIn(page: Page): Promise<void> {
  await button(page, 'Sign in with a passkey').click()
}
