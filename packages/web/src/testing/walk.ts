/** What people do in the pages, step by step, as tests and screenshots need it. */
import { waitUntil } from '@seaworthy/std/testing'
import type { Locator, Page } from 'playwright-core'

const button = (page: Page, name: string) => page.getByRole('button', { name, exact: true })

/** Opens the link that `up` printed, and becomes the first owner. */
export async function becomeOwner(page: Page, link: string, name: string): Promise<void> {
  await page.goto(link)
  await page.getByLabel('Your name').fill(name)
  await button(page, 'Create a passkey').click()
  await page.getByRole('heading', { name: 'Overview' }).waitFor()
}

/** Confirms with the passkey, where the server asks for that. */
async function confirm(page: Page): Promise<void> {
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

export async function changeRole(page: Page, name: string, role: string): Promise<void> {
  await page.goto('/people')
  await button(page, `Change the role of ${name}`).click()
  const dialog = page.getByRole('dialog', { name: `Role of ${name}` })
  await dialog.getByLabel('Role').selectOption(role)
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

/** Looks who asks by the code of a command line, on the page for that. */
export async function findPairing(page: Page, code: string): Promise<Locator> {
  await page.goto('/pair')
  await page.getByLabel('Code').fill(code.toLowerCase().replace('-', ' '))
  await button(page, 'Look who asks').click()
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

export async function signOut(page: Page): Promise<void> {
  await button(page, 'Sign out').click()
  await page.getByRole('heading', { name: 'Sign in' }).waitFor()
}

export async function signIn(page: Page): Promise<void> {
  await button(page, 'Sign in with a passkey').click()
}
