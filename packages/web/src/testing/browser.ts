/**
 * Debian’s Chromium as people use it: a context for each person, each with a passkey authenticator
 * of its own, and a note of everything that the browser complains about.
 */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { findProgram } from '@seaworthy/std/testing/programs'
import type { AxeResults } from 'axe-core'
import type { Browser, Page } from 'playwright-core'
import { chromium } from 'playwright-core'
import type { WebServer } from './server.ts'

export interface Person {
  readonly page: Page
  /** Errors, warnings, and refusals of the content security policy, as the console had them. */
  readonly complaints: readonly string[]
  /** Takes every passkey from the authenticator, as if the device were lost. */
  readonly losePasskeys: () => Promise<void>
  readonly close: () => Promise<void>
}

export interface TestBrowser {
  readonly open: (options?: OpenOptions) => Promise<Person>
  readonly close: () => Promise<void>
}

interface OpenOptions {
  readonly colorScheme?: 'light' | 'dark'
  readonly width?: number
}

const limitMs = 120_000

export async function startBrowser(
  server: Pick<WebServer, 'origin' | 'keyHash'>,
): Promise<TestBrowser> {
  const browser = await chromium.launch({
    executablePath: findProgram('chromium')!,
    timeout: limitMs,
    args: [
      // The namespaces of the sandbox are not allowed to root in a container.
      '--no-sandbox',
      '--disable-dev-shm-usage',
      // The server is known by its key, as the command line knows it by its pin: no certificate
      // error is ignored for any other key, and the page counts as secure.
      `--ignore-certificate-errors-spki-list=${server.keyHash}`,
    ],
  })
  return {
    open: (options = {}) => openPerson(browser, server.origin, options),
    close: () => browser.close(),
  }
}

async function openPerson(
  browser: Browser,
  origin: string,
  { colorScheme = 'light', width = 1440 }: OpenOptions,
): Promise<Person> {
  const context = await browser.newContext({
    baseURL: origin,
    colorScheme,
    viewport: { width, height: width < 600 ? 844 : 900 },
    locale: 'en-GB',
    timezoneId: 'Europe/Berlin',
    reducedMotion: 'reduce',
  })
  context.setDefaultTimeout(limitMs)
  const page = await context.newPage()
  const complaints: string[] = []
  page.on('pageerror', (error) => complaints.push(`error: ${error.message}`))
  page.on('console', (message) => {
    // A refused request is no fault of the page: each is shown to the person.
    if (message.text().startsWith('Failed to load resource')) return
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text())
  })
  const devtools = await context.newCDPSession(page)
  await devtools.send('WebAuthn.enable')
  const { authenticatorId } = await devtools.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: 'ctap2',
      transport: 'internal',
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: true,
      automaticPresenceSimulation: true,
    },
  })
  return {
    page,
    complaints,
    losePasskeys: async () => {
      await devtools.send('WebAuthn.clearCredentials', { authenticatorId })
    },
    close: () => context.close(),
  }
}

const axeSource = readFileSync(fileURLToPath(import.meta.resolve('axe-core/axe.min.js')), 'utf8')

/** What axe finds on the page that keeps people out, in one line each. */
export async function findBarriers(page: Page): Promise<string[]> {
  await page.evaluate(axeSource)
  const { violations } = await page.evaluate(() =>
    (globalThis as unknown as { axe: { run: () => Promise<AxeResults> } }).axe.run(),
  )
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html.slice(0, 200)}`))
}
