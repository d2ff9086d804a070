/** The pages of devices, fleets and rollouts in a real browser, from the real server. */
import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { after, before, describe, test } from 'node:test'
import { waitUntil } from '@seaworthy/std/testing'
import { lacks } from '@seaworthy/std/testing/programs'
import type { Page } from 'playwright-core'
import type { Person, TestBrowser } from './testing/browser.ts'
import { startBrowser } from './testing/browser.ts'
import { assertGood } from './testing/good.ts'
import type { Machine } from './testing/fill.ts'
import {
  createMachine,
  fillBundles,
  fillDevices,
  fillFleets,
  pollAs,
  publishImage,
} from './testing/fill.ts'
import type { WebServer } from './testing/server.ts'
import { startWebServer } from './testing/server.ts'
import { accept, becomeOwner, confirm, invite } from './testing/walk.ts'

const initialScriptBytesMax = 250_000

/** What the page’s scripts weighed on their way, in bytes. */
const scriptBytes = (page: Page) =>
  page.evaluate(() =>
    performance
      .getEntriesByType('resource')
      .filter(({ name }) => name.endsWith('.js'))
      .reduce((sum, one) => sum + (one as PerformanceResourceTiming).encodedBodySize, 0),
  )

describe('pages of the fleet in a browser', { skip: lacks('chromium') }, () => {
  let server: WebServer
  let browser: TestBrowser
  let machine: Machine
  let owner: Person
  let tokens: ReadonlyMap<string, string>
  before(async () => {
    server = await startWebServer()
    browser = await startBrowser(server)
    owner = await browser.open()
    await becomeOwner(owner.page, server.ownerLink, 'Ada Lovelace')
    machine = await createMachine(server)
    await fillFleets(machine)
    tokens = await fillDevices(machine)
  })
  after(async () => {
    await machine?.remove()
    await browser?.close()
    await server?.stop()
  })

  test('the scripts of the first page stay within 250 KB, compressed', async () => {
    const { page, close } = await browser.open()
    await page.goto('/sign-in')
    await page.getByRole('heading', { name: 'Sign in' }).waitFor()
    const bytes = await scriptBytes(page)
    assert.ok(bytes > 0 && bytes <= initialScriptBytesMax, `${bytes} bytes of scripts`)
    await close()
  })

  test('D5 an operator finds devices by filters that stand in the address, and takes the list along', async () => {
    const { page } = owner
    await page.goto('/devices')
    await page.getByText('6 devices').waitFor()
    await assertGood(owner, 'devices')
    await pollAs(page, 'gate-3', tokens.get('gate-3')!)
    await page.getByLabel('Filter by').selectOption('Tag')
    await page.getByLabel('Value').fill('site=north')
    await page.getByRole('button', { name: 'Add', exact: true }).click()
    await page.getByText('1 device matches').waitFor()
    await page.getByLabel('Filter by').selectOption('Heard of within')
    await page.getByRole('button', { name: 'Add', exact: true }).click()
    await page.getByRole('row', { name: /gate-3.*shops.*just now/ }).waitFor()
    assert.equal(new URL(page.url()).search, '?tag=site%3Dnorth&seen-within=10m')
    await page
      .getByText('seaworthy device list --tag site=north --seen-within 10m', { exact: true })
      .waitFor()
    await assertGood(owner, 'devices with filters')

    // The address shows a colleague the same, after a sign-in too.
    const colleague = await browser.open({ width: 390, colorScheme: 'dark' })
    await accept(colleague.page, await invite(page, { name: 'Ben Okafor', role: 'viewer' }))
    await colleague.page.goto('/devices?tag=site%3Dsouth&fleet=harbour')
    await colleague.page.getByText('3 devices match').waitFor()
    await assertGood(colleague, 'devices, narrow and dark')
    const list = colleague.page.waitForEvent('download')
    await colleague.page.getByRole('button', { name: 'Download devices as CSV' }).click()
    const text = await readFile(await (await list).path(), 'utf8')
    assert.match(text, /^"Device","Fleet",/)
    assert.deepEqual(text.match(/gate-\d/g), ['gate-2', 'gate-4', 'gate-6'])
    await colleague.page.getByRole('link', { name: 'gate-2' }).click()
    await colleague.page.getByRole('heading', { name: 'gate-2' }).waitFor()
    assert.equal(await colleague.page.getByRole('button', { name: 'Remove' }).count(), 0)
    await assertGood(colleague, 'a device, narrow and dark')
    await colleague.close()
  })

  test('D5 an operator sees why a device runs what it runs, renames, moves and removes it', async () => {
    const { page } = owner
    await page.goto('/devices?name=gate-5')
    await page.getByRole('link', { name: 'gate-5' }).click()
    await page.getByRole('heading', { name: 'Why it gets what it gets' }).waitFor()
    await page
      .getByText(/no release|nothing is published|has no/i)
      .first()
      .waitFor()
    await assertGood(owner, 'a device')

    await page.getByRole('button', { name: 'Name and tags' }).click()
    const names = page.getByRole('dialog', { name: 'Name and tags' })
    await names.getByLabel('Name', { exact: true }).fill('quay-5')
    await names.getByLabel('Tags').fill('site')
    await names.getByText('Each line is name=value').waitFor()
    await names.getByLabel('Tags').fill('site=east\nrack=7')
    await names.getByRole('button', { name: 'Change' }).click()
    await page.getByRole('heading', { name: 'quay-5' }).waitFor()
    await page.getByText('rack=7 site=east').or(page.getByText('site=east rack=7')).waitFor()

    await page.getByRole('button', { name: 'Move', exact: true }).click()
    const move = page.getByRole('dialog', { name: 'Move quay-5' })
    await move.getByText('One device leaves shops and joins harbour, which has 3').waitFor()
    await move.getByRole('button', { name: 'Move it' }).click()
    await move.waitFor({ state: 'detached' })
    await page.getByRole('definition').filter({ hasText: 'harbour' }).first().waitFor()

    await server.endConfirmations()
    await page.getByRole('button', { name: 'Remove' }).click()
    const remove = page.getByRole('dialog', { name: 'Remove quay-5' })
    await remove.getByText('its credential ends at once').waitFor()
    await assertGood(owner, 'the removal of a device')
    await remove.getByRole('button', { name: 'Remove it' }).click()
    await confirm(page)
    await page.getByText('5 devices').waitFor()
    assert.match(await pollAs(page, 'gate-5', tokens.get('gate-5')!), /^40[134] /)
    await page.goto('/devices/device_00000000000000000000000000')
    await page.getByRole('alert').waitFor()
    await assertGood(owner, 'no such device')
  })
  test('D3 D4 an operator makes a fleet, begins a rollout with its preview, approves a wave, pauses, resumes and aborts it', async () => {
    const { page } = owner
    await publishImage(machine, '1.0.0')
    await page.goto('/fleets')
    await page.getByRole('button', { name: 'Make a fleet' }).click()
    const making = page.getByRole('dialog', { name: 'Make a fleet' })
    await making.getByRole('textbox', { name: 'Name' }).fill('quays')
    await making.getByRole('button', { name: 'Make it' }).click()
    await page.getByRole('row', { name: /quays.*gateway, stable.*rollouts/ }).waitFor()
    await assertGood(owner, 'fleets')

    await page.getByRole('link', { name: 'harbour', exact: true }).click()
    await page.getByRole('button', { name: 'Change' }).click()
    const changing = page.getByRole('dialog', { name: 'Change harbour' })
    await changing.getByLabel('Devices follow').selectOption('rollouts')
    await changing.getByRole('button', { name: 'Change', exact: true }).click()
    await changing.waitFor({ state: 'detached' })
    await page.getByText('None: no new device can join.').waitFor()
    await assertGood(owner, 'a fleet')

    await page.getByRole('button', { name: 'Begin a rollout' }).click()
    await page.getByLabel('Waves', { exact: true }).fill('99%,all')
    await page.getByText('Such as 1%,10%,100%').waitFor()
    await page.getByLabel('Waves', { exact: true }).fill('99%,100%')
    await page.getByLabel('Waves that wait for a person').fill('2')
    await page
      .getByText('Wave 2: the whole fleet, 3 devices, once a person has approved it')
      .waitFor()
    await page.getByText('Nothing prevents it now. Nothing was begun.').waitFor()
    await assertGood(owner, 'a rollout to begin')
    await page.getByRole('button', { name: 'Begin the rollout' }).click()
    await page.getByRole('heading', { name: 'gateway 1.0.0 to harbour' }).waitFor()

    // Whichever of the three wave 1 has is offered the release: all, as good as always.
    for (const name of ['gate-2', 'gate-4', 'gate-6']) await pollAs(page, name, tokens.get(name)!)
    await page.getByRole('img', { name: /Wave 1: 0 of \d healthy, \d in flight/ }).waitFor()
    await page
      .getByRole('row', { name: /offered/ })
      .first()
      .waitFor()
    await page.getByRole('button', { name: 'Approve wave 2' }).click()
    const approval = page.getByRole('dialog', { name: 'Approve wave 2' })
    await approval.getByRole('button', { name: 'Approve', exact: true }).click()
    await page.getByText(/^Approved by/).waitFor()

    await page.getByRole('button', { name: 'Pause', exact: true }).click()
    const pausing = page.getByRole('dialog', { name: 'Pause the rollout' })
    await pausing.getByText(/in the middle of the update will finish it/).waitFor()
    await pausing.getByLabel('Reason').fill('a storm')
    await pausing.getByRole('button', { name: 'Pause it' }).click()
    await page.getByText('paused: by person').waitFor()
    await page.getByText(/a storm/).waitFor()
    await assertGood(owner, 'a paused rollout')
    await page.getByRole('button', { name: 'Resume', exact: true }).click()
    await page.getByRole('button', { name: 'Resume it' }).click()
    await page.getByText('active', { exact: true }).waitFor()
    await page.getByRole('button', { name: 'Abort', exact: true }).click()
    await page.getByRole('button', { name: 'Abort it' }).click()
    await page
      .getByText(/^aborted/)
      .first()
      .waitFor()

    const viewer = await browser.open({ width: 390, colorScheme: 'dark' })
    await accept(viewer.page, await invite(page, { name: 'Cleo Diaz', role: 'viewer' }))
    await viewer.page.goto('/rollouts?state=aborted&fleet=harbour')
    await viewer.page.getByRole('link', { name: 'gateway 1.0.0' }).click()
    await viewer.page.getByRole('heading', { name: 'Waves' }).waitFor()
    assert.equal(await viewer.page.getByRole('button', { name: /^(Pause|Abort)/ }).count(), 0)
    await assertGood(viewer, 'a rollout, narrow and dark')
    await viewer.page.goto('/new-rollout')
    await viewer.page.getByText('Your role does not begin rollouts.').waitFor()
    await viewer.close()
  })
  test('a release is proposed, signed on another machine, carried back into the page, and published there', async () => {
    const { page } = owner
    const source = ['--platform', 'linux/arm64', '--from', 'image-1.1.0', '--raw']
    await machine.run('release', 'create', 'gateway', '1.1.0', ...source)
    await page.goto('/releases')
    await page.getByRole('row', { name: /1\.1\.0.*nowhere/ }).waitFor()
    await assertGood(owner, 'releases')
    await machine.run('publish', 'gateway', '1.1.0', '--channel', 'stable')
    await page.goto('/')
    await page.getByText(/waits for signatures/).waitFor()
    await assertGood(owner, 'overview with something to do')
    await page.getByText(/waits for signatures/).click()
    await page.getByText('Nothing is signed in a browser').waitFor()
    await page.getByText('nobody yet').waitFor()
    const content = page.getByRole('region', { name: 'Content of gateway 1.1.0' })
    await content.getByText(/linux\/arm64: an image/).waitFor()
    await page
      .getByRole('region', { name: 'Documents' })
      .getByText(/gateway\.stable/)
      .first()
      .waitFor()
    const exported = page.waitForEvent('download')
    await page.getByRole('button', { name: 'Download proposal.json' }).click()
    const carried = await readFile(await (await exported).path(), 'utf8')
    assert.equal((JSON.parse(carried) as { format: string }).format, 'seaworthy-proposal-v1')
    await assertGood(owner, 'a proposal')

    const id = new URL(page.url()).pathname.split('/').at(-1)!
    await machine.run('proposal', 'export', id, '-o', 'proposal.json')
    const passphrase = ['--passphrase-file', 'passphrase']
    await machine.run('proposal', 'sign', 'proposal.json', '--key', 'one.key', ...passphrase)
    const upload = page.locator('input[type=file]')
    await upload.setInputFiles(machine.path('proposal.json'))
    await page.getByRole('button', { name: 'Add them' }).click()
    await page.getByRole('alert').waitFor()
    await upload.setInputFiles(machine.path('proposal.json.signatures'))
    await page.getByRole('button', { name: 'Add them' }).click()
    await page.getByText('open, signed').waitFor()
    await page.getByRole('button', { name: 'Publish', exact: true }).click()
    const publishing = page.getByRole('dialog', { name: 'Publish the proposal' })
    await publishing.getByText('It cannot be taken back').waitFor()
    await publishing.getByRole('button', { name: 'Publish', exact: true }).click()
    await page.getByText('applied', { exact: true }).waitFor()

    await page.goto('/releases')
    await page.getByRole('link', { name: '1.1.0' }).click()
    await page.getByRole('row', { name: /stable.*2.*1 of/ }).waitFor()
    await page.getByText(/0 devices/).waitFor()
    await assertGood(owner, 'a release')
    await page.goto('/proposals?state=applied')
    await page.getByRole('row', { name: /1\.1\.0.*applied/ }).waitFor()
    await assertGood(owner, 'proposals')
  })

  test('a release shows its files folder by folder, what changed in it, its packages with their licences, and where it runs', async () => {
    const { page } = owner
    await fillBundles(machine)
    await page.goto('/releases/tool/1.1.0')
    const changes = page.getByRole('region', { name: 'What changes from 1.0.0 to 1.1.0' })
    await changes.getByText(/^! linux\/arm64 {2}~ bin\/run .*executable/).waitFor()
    await page.getByRole('row', { name: /left-pad 1\.3\.0 MIT/ }).waitFor()
    await page.getByRole('row', { name: /node_modules\/ folder, 1 file/ }).waitFor()
    await page
      .getByText(/No imported record|has not read this release yet|Nothing can be said/)
      .waitFor()
    await assertGood(owner, 'a release of files')
    await page.getByRole('button', { name: 'bin/', exact: true }).click()
    await page.getByRole('row', { name: /run executable/ }).waitFor()
    assert.equal(new URL(page.url()).search, '?folder=bin')
    // The address leads a colleague into the same folder, and back out of it.
    await page.reload()
    await page.getByRole('row', { name: /run executable/ }).waitFor()
    await page.getByRole('button', { name: 'Whole bundle' }).click()
    await page.getByRole('row', { name: /seaworthy\.json file/ }).waitFor()
  })

  test('V8 A8 pages name variables, secrets and stored credentials, and hold no value of the latter two', async () => {
    const { page } = owner
    await page.goto('/credentials')
    await page.getByText('No stored credential').waitFor()
    const words = ['planted-secret-value', 'planted-credential-value'] as const
    await writeFile(machine.path('secret.txt'), words[0], { mode: 0o600 })
    await writeFile(machine.path('credential.txt'), words[1], { mode: 0o600 })
    const inFleet = ['--fleet', 'harbour']
    await machine.run('variable', 'set', 'COLOUR', 'red', ...inFleet)
    const held = ['--server-held', '--file', 'secret.txt', '--product', 'gateway']
    await machine.run('secret', 'set', 'NIGHT', ...inFleet, ...held)
    const about = ['--about', 'the pump controller']
    await machine.run('credential', 'add', 'pump', '--file', 'credential.txt', ...about)
    await machine.run('credential', 'request', 'pump', '--reason', 'a valve sticks')

    const heard: string[] = []
    page.on(
      'response',
      (reply) =>
        void reply.text().then(
          (text) => heard.push(text),
          () => {},
        ),
    )
    await page.goto('/fleets/harbour')
    await page.getByRole('row', { name: /COLOUR.*red.*the fleet/ }).waitFor()
    await page.getByRole('row', { name: /NIGHT.*the fleet.*the server/ }).waitFor()
    // A reply cannot be read any more once the page has gone on.
    await waitUntil('the reply that names the secret is read', () =>
      heard.some((text) => text.includes('NIGHT')),
    )
    await assertGood(owner, 'a fleet with its settings')
    await page.goto('/')
    await page.getByRole('link', { name: 'Stored credentials' }).click()
    await page.getByRole('row', { name: /pump.*the pump controller/ }).waitFor()
    await page.getByRole('row', { name: /pump.*requested.*a valve sticks.*not opened/ }).waitFor()
    await assertGood(owner, 'stored credentials')
    for (const word of words) {
      const forms = [word, Buffer.from(word).toString('base64')]
      assert.ok(!heard.some((text) => forms.some((form) => text.includes(form))), word)
    }
  })

  test('roles show who must sign, until when, and how blind an attacker could keep devices', async () => {
    const narrow = await browser.open({ width: 390, colorScheme: 'dark' })
    await accept(narrow.page, await invite(owner.page, { name: 'Dee Moss', role: 'auditor' }))
    await narrow.page.goto('/trust')
    await narrow.page.getByRole('row', { name: /root.*offline.*1 of 1/ }).waitFor()
    await narrow.page.getByRole('row', { name: /timestamp.*online/ }).waitFor()
    await narrow.page.getByText(/could keep devices from noticing/).waitFor()
    await assertGood(narrow, 'roles, narrow and dark')
    for (const path of [
      '/',
      '/guide',
      '/releases',
      '/proposals',
      '/fleets',
      '/releases/tool/1.1.0',
    ]) {
      await narrow.page.goto(path)
      await narrow.page.getByRole('heading', { level: 1 }).waitFor()
      await narrow.page.waitForLoadState('networkidle')
      await assertGood(narrow, `${path}, narrow and dark`)
    }
    await narrow.close()
  })
  test('first steps tick themselves off as the server sees them happen', async () => {
    const { page } = owner
    await page.goto('/guide')
    const steps = page.getByRole('list', { name: 'Steps' })
    await steps
      .getByRole('listitem')
      .filter({ hasText: 'Make a fleet' })
      .getByText('done')
      .waitFor()
    await page.getByText('8 of 9 steps are done.').waitFor()
    await steps.getByText('Watch the first update').waitFor()
    await assertGood(owner, 'first steps')
  })
  test('A5 the audit log says who did what, and a person finds an entry in it', async () => {
    const { page } = owner
    await page.goto('/log')
    await page
      .getByRole('row', { name: /product\.|proposal\./ })
      .first()
      .waitFor()
    await assertGood(owner, 'the audit log')
    await page.getByLabel('Search in these entries').fill('proposal.create')
    await page.getByLabel('Search in these entries').press('Enter')
    await page.getByText(/^\d+ of \d+ entries; the log has \d+/).waitFor()
    assert.equal(new URL(page.url()).search, '?q=proposal.create')
    const rows = page.getByRole('table', { name: 'Audit log' }).getByRole('row')
    for (const text of (await rows.allInnerTexts()).slice(1)) assert.match(text, /proposal\.create/)
    const viewer = await browser.open()
    await accept(viewer.page, await invite(page, { name: 'Eli Frost', role: 'viewer' }))
    await viewer.page.goto('/log')
    await viewer.page.getByText('Your role does not show the audit log.').waitFor()
    await viewer.close()
  })
})
