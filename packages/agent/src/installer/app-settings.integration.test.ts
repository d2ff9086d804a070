/** V8: variables and secrets on their way to the application, and what a server cannot do there. */
import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { after, afterEach, beforeEach, test } from 'node:test'
import { base64Encode, utf8Encode } from '@seaworthy/std/bytes'
import { silentLog } from '@seaworthy/std/log'
import { waitUntil } from '@seaworthy/std/testing'
import { generateReceivingKey } from '@seaworthy/trust/hpke'
import type { SecretBinding } from '@seaworthy/trust/secrets'
import { dayMs, systemClock } from '@seaworthy/std/time'
import { createSecretEnvelope, versionAt } from '@seaworthy/trust/secrets'
import type { SettingEntry } from '../handover/messages.ts'
import { LocalFault } from '../refusals.ts'
import { ensureReceivingKey } from '../state/receiving-key.ts'
import type { InlineAgent, InlineOptions } from '../testing/inline-agent.ts'
import { startInlineAgent } from '../testing/inline-agent.ts'
import {
  createTestAgent,
  killHard,
  makeTestFolder,
  readProc,
  writeTestApp,
} from '../testing/test-agent.ts'
import type { TestOrigin } from '../testing/test-origin.ts'
import { startTestOrigin } from '../testing/test-origin.ts'

const folder = makeTestFolder()
const envelope = await createSecretEnvelope()
let origin: TestOrigin
let agent: InlineAgent
let count = 0
let sha256: string

/** The application is unwell while any of its values has the word `bad`. */
const isWell = () => !Object.values(readFiles()).some((value) => value.includes('bad'))

/** What applications have written. */
let output = ''

/** Digests of releases that never become healthy. */
const unwell = new Set<string>()

const start = async (options: InlineOptions = {}) => {
  agent = await startInlineAgent(`${folder.path}/${count}/state`, origin, {
    isHealthy: (release) => isWell() && !unwell.has(release),
    readOutput: () => output,
    ...options,
  })
}

beforeEach(async () => {
  origin = await startTestOrigin(`${folder.path}/${++count}`)
  const app = writeTestApp(`${folder.path}/${count}/app`, '1.0.0', 'healthy', {
    windowSeconds: 0.2,
  })
  ;({ sha256 } = await origin.release('1.0.0', app, { counter: 1 }))
  await start()
  await waitUntil('the release committed', () => agent.status().committedCounter === 1)
})
afterEach(async () => {
  await agent.stop()
  await origin.close()
})
after(() => folder.remove())

function variable(name: string, value: string, version: number): SettingEntry {
  const content = base64Encode(utf8Encode(value))
  return { name, kind: 'variable', isOfFleet: true, version, content }
}

/** A secret of the fleet `test`, sealed to the agent unless `changes` say otherwise. */
async function secret(
  name: string,
  value: string,
  version: number,
  changes: Partial<SecretBinding> = {},
  recipient?: Uint8Array<ArrayBuffer>,
): Promise<SettingEntry> {
  const { publicKey } = await ensureReceivingKey(agent.disk, agent.layout)
  const scope = { fleet: 'test' }
  const deviceKeyId = String(agent.status()['keyId'])
  const binding = { scope, name, version, deviceKeyId, ...changes }
  const sealed = await envelope.seal(recipient ?? publicKey, binding, utf8Encode(value))
  return { name, kind: 'secret', isOfFleet: true, version, content: base64Encode(sealed) }
}

const give = (version: number, ...entries: SettingEntry[]) => {
  origin.configuration = { version, fleet: 'test', entries }
  agent.installer.pollNow()
}

const readFiles = () => {
  const { appConfig } = agent.layout
  return Object.fromEntries(
    readdirSync(appConfig).map((name) => [name, readFileSync(`${appConfig}/${name}`, 'utf8')]),
  )
}

const become = (files: Record<string, string>) =>
  waitUntil('the files are there', () => JSON.stringify(readFiles()) === JSON.stringify(files))

const refusals = () => agent.status().refusals.map(({ code }) => code)

test('V8 variables and secrets are files of the application alone, and a change starts it anew', async () => {
  assert.deepEqual(readFiles(), {})
  const before = agent.told.length
  give(3, variable('COLOUR', 'red', 1), await secret('TOKEN', 'open sesame', 3))
  await become({ COLOUR: 'red', TOKEN: 'open sesame' })
  for (const name of ['COLOUR', 'TOKEN']) {
    assert.equal(statSync(`${agent.layout.appConfig}/${name}`).mode & 0o777, 0o400)
  }
  // What is on the disk is sealed.
  const kept = readdirSync(agent.layout.trust)
    .filter((name) => name.startsWith('configuration'))
    .map((name) => readFileSync(`${agent.layout.trust}/${name}`, 'utf8'))
    .join()
  assert.ok(kept.includes('TOKEN'))
  assert.ok(
    !kept.includes('open sesame') && !kept.includes(base64Encode(utf8Encode('open sesame'))),
  )
  await waitUntil('it was started anew', () => agent.told.slice(before).includes('start'))
  assert.ok(agent.running.has(sha256))

  give(4, await secret('TOKEN', 'another word', 4))
  await become({ TOKEN: 'another word' })
  assert.deepEqual(refusals(), [])
})

test('V8 an agent that starts without its server gives the application what it had', async () => {
  give(1, await secret('TOKEN', 'open sesame', 1))
  await become({ TOKEN: 'open sesame' })
  await agent.stop()
  origin.intercept = (_request, response) => {
    response.writeHead(503).end()
    return true
  }
  await start()
  await become({ TOKEN: 'open sesame' })
})

test('V8 attack: an older secret, a moved one or one of another device is refused, and changes nothing', async () => {
  const before = await secret('TOKEN', 'the old one', 5)
  give(5, before)
  await become({ TOKEN: 'the old one' })
  give(7, await secret('TOKEN', 'the new one', 7))
  await become({ TOKEN: 'the new one' })

  give(8, before)
  await waitUntil('the replay is refused', () => refusals().includes('secret_rollback'))
  const moved = { ...(await secret('TOKEN', 'the new one', 8)), name: 'PASSWORD' }
  give(9, moved)
  await waitUntil('the moved one is refused', () => refusals().includes('sealed_not_opened'))
  const other = (await generateReceivingKey()).publicKey
  for (const [version, entry] of [
    [10, await secret('TOKEN', 'x', 10, { deviceKeyId: 'f'.repeat(64) })],
    [11, await secret('TOKEN', 'x', 11, { scope: 'device' })],
    [12, await secret('TOKEN', 'x', 12, { scope: { fleet: 'other' } })],
    [13, await secret('TOKEN', 'x', 13, {}, other)],
    // The version is told higher than it was sealed as.
    [14, { ...(await secret('TOKEN', 'x', 13)), version: 14 }],
  ] as const) {
    const asked = origin.requests.filter((one) => one.endsWith('/configuration')).length
    give(version, entry, variable('COLOUR', 'red', version))
    await waitUntil(
      'asked again',
      () => origin.requests.filter((one) => one.endsWith('/configuration')).length > asked,
    )
    assert.deepEqual(readFiles(), { TOKEN: 'the new one' })
  }
  give(15, variable('COLOUR', 'red', 15), variable('COLOUR', 'blue', 15))
  await waitUntil('one name twice is refused', () => refusals().includes('setting_twice'))
  assert.deepEqual(readFiles(), { TOKEN: 'the new one' })

  // However many other secrets came meanwhile, none is forgotten.
  for (let round = 0; round < 3; round++) {
    const junk = await Promise.all(
      Array.from({ length: 100 }, (_, i) => secret(`JUNK_${round}_${i}`, 'x', 20 + round)),
    )
    give(20 + round, ...junk)
    await waitUntil('the junk is taken', () => Object.keys(readFiles()).length === 100)
    await waitUntil('of this round', () => Object.keys(readFiles())[0]!.includes(`_${round}_`))
  }
  give(23, await secret('TOKEN', 'the new one', 7))
  await become({ TOKEN: 'the new one' })

  // A replay is refused by an agent that was started anew, too.
  await agent.stop()
  origin.configuration = { version: 24, fleet: 'test', entries: [before] }
  await start()
  await waitUntil('refused again', () => refusals().includes('secret_rollback'))
  assert.deepEqual(readFiles(), { TOKEN: 'the new one' })
})

test('V8 attack: a thief of the server who drives the version of a name up keeps the holders from setting it for two days, not for ever', async () => {
  const inSeconds = (seconds: number) => versionAt(systemClock.now()) + seconds
  for (const version of [2 ** 31 - 1, inSeconds(3 * 86_400)]) {
    give(version, await secret('TOKEN', 'of a thief', version))
    await waitUntil('it is refused', () => refusals().includes('secret_of_future'))
    assert.deepEqual(readFiles(), {})
  }
  // The furthest that it goes: what holders set two days later is above it.
  const driven = inSeconds(2 * 86_400 - 600)
  give(driven, await secret('TOKEN', 'of a thief', driven))
  await become({ TOKEN: 'of a thief' })
  const later = versionAt(new Date(systemClock.now().getTime() + 2 * dayMs))
  assert.ok(later > driven)
  const set = inSeconds(2 * 86_400 - 300)
  give(set, await secret('TOKEN', 'of holders', set))
  await become({ TOKEN: 'of holders' })
})

test('V8 attack: a configuration out of form ends neither the agent nor what it does', async () => {
  const asked = () => origin.requests.filter((one) => one.endsWith('/configuration')).length
  for (const [i, content] of ['AB==', 'ABC=', 'AB', '====', 'A A='].entries()) {
    const before = asked()
    give(2 + i, { name: 'TOKEN', kind: 'secret', isOfFleet: true, version: 2 + i, content })
    await waitUntil('it was asked for', () => asked() > before)
  }
  give(9, await secret('TOKEN', 'open sesame', 9))
  await become({ TOKEN: 'open sesame' })
})

interface ToldConfiguration {
  version: number | null
  trial: { version: number; phase: string; starts: number } | null
  failed: { version: number; code: string } | null
}
const told = () => agent.status()['configuration'] as ToldConfiguration
const confirmed = (version: number) =>
  waitUntil(`version ${version} is confirmed`, () => told().version === version)
const putBack = (version: number) =>
  waitUntil(`version ${version} is put back`, () => told().failed?.version === version)
/** What was there before the call has been followed. */
const polledTwice = async () => {
  for (let i = 0; i < 2; i++) {
    const before = origin.reports.length
    agent.installer.pollNow()
    await waitUntil('it polled', () => origin.reports.length > before)
  }
}
const lastSigned = () => origin.reports.findLast(({ isSigned }) => isSigned)!.report

test('V8 attack: a release that fails and writes the secrets that it was given brings none of them into its report', async () => {
  give(5, await secret('TOKEN', 'hunter-of-the-sea', 5), variable('COLOUR', 'red', 4))
  await confirmed(5)
  const app = writeTestApp(`${folder.path}/${count}/leak`, 'leaking', 'healthy', {
    windowSeconds: 0.2,
  })
  output = 'COLOUR=red\nTOKEN=hunter-of-the-sea\n'
  const leaking = await origin.release('2.0.0', app, { counter: 2 })
  unwell.add(leaking.sha256)
  agent.installer.pollNow()
  await waitUntil('it is reported', () => lastSigned().failure?.sha256 === leaking.sha256)
  assert.deepEqual(lastSigned().failure?.output, ['COLOUR=red', 'TOKEN=[secret]'])
  assert.ok(!JSON.stringify([origin.reports, agent.status()]).includes('hunter-of'))
})

test('V8 values with which the application is not healthy are put back, reported, and tried again only when they or the release change', async () => {
  const first = await secret('TOKEN', 'the good one', 5)
  give(5, first, variable('COLOUR', 'red', 4))
  await confirmed(5)
  give(7, await secret('TOKEN', 'a bad one', 7), variable('COLOUR', 'blue', 6))
  await putBack(7)
  assert.deepEqual(readFiles(), { COLOUR: 'red', TOKEN: 'the good one' })
  assert.deepEqual(
    { version: told().version, code: told().failed?.code },
    { version: 5, code: 'health_failed' },
  )
  await waitUntil('it is reported, signed', () => lastSigned().configuration?.failed !== undefined)
  assert.deepEqual(lastSigned().configuration, {
    version: 5,
    failed: { version: 7, code: 'health_failed' },
  })

  // A change for another device gives the whole fleet another version.
  for (const version of [8, 9]) {
    give(version, variable('COLOUR', 'blue', 6), await secret('TOKEN', 'a bad one', 7))
    await polledTwice()
    assert.deepEqual([told().trial, told().failed?.version], [null, 7])
  }
  // An agent that starts anew knows what failed.
  await agent.stop()
  await start()
  await polledTwice()
  assert.deepEqual([told().trial, told().failed?.version], [null, 7])
  assert.deepEqual(readFiles(), { COLOUR: 'red', TOKEN: 'the good one' })
  assert.deepEqual(refusals(), [])

  // Another release may become healthy with them.
  const app = writeTestApp(`${folder.path}/${count}/next`, '2.0.0', 'healthy', {
    windowSeconds: 0.2,
  })
  await origin.release('2.0.0', app, { counter: 2 })
  agent.installer.pollNow()
  await waitUntil('the next release committed', () => agent.status().committedCounter === 2)
  await waitUntil('they are tried once more', () => {
    agent.installer.pollNow()
    return told().failed?.version === 9
  })
  assert.deepEqual(readFiles(), { COLOUR: 'red', TOKEN: 'the good one' })

  give(12, await secret('TOKEN', 'the next one', 12), variable('COLOUR', 'blue', 6))
  await confirmed(12)
  assert.equal(told().failed, null)
  await waitUntil('it is reported', () => lastSigned().configuration?.version === 12)
  assert.equal(lastSigned().configuration?.failed, undefined)
  // A version that failed its trial rules out nothing; a confirmed one rules out all before it.
  give(13, first)
  await waitUntil('the replay is refused', () => refusals().includes('secret_rollback'))
})

test('V8 attack: variables for which this machine has no room are tried again at the next poll, and make none', async () => {
  await agent.stop()
  let trials = 0
  let isFull = true
  await start({
    log: {
      ...silentLog,
      warn(event) {
        if (event === 'configuration-put-back') trials++
      },
    },
    appFiles: (real) => ({
      ...real,
      async replace(files) {
        if (isFull && files.has('COLOUR')) throw new LocalFault('no_space', 'no room')
        await real.replace(files)
      },
    }),
  })
  let polls = 1
  for (let round = 1; round <= 5; round++) {
    give(4, variable('COLOUR', 'red', 4))
    polls++
    await waitUntil('it is put back', () => trials >= round)
  }
  assert.ok(trials <= polls, `${trials} trials by ${polls} polls`)
  assert.equal(told().failed?.code, 'no_space')
  isFull = false
  agent.installer.pollNow()
  await confirmed(4)
})

test('V8 a trial that is interrupted is begun again, and given up after the third time', async () => {
  give(3, variable('COLOUR', 'red', 3))
  await confirmed(3)
  give(3, variable('COLOUR', 'red', 3))
  for (const starts of [1, 2, 3]) {
    await agent.stop()
    // The window of a trial never ends.
    await start({ clock: { ...systemClock, monotonicMs: () => 0 } })
    if (starts === 1) give(4, variable('COLOUR', 'blue', 4))
    await waitUntil('it is on trial', () => told().trial?.starts === starts)
    await become({ COLOUR: 'blue' })
  }
  await agent.stop()
  await start()
  await putBack(4)
  assert.equal(told().failed?.code, 'interrupted')
  assert.deepEqual(readFiles(), { COLOUR: 'red' })
})

test('V8 D3 values on trial are no update: a release waits for them, and no report of theirs ends an attempt', async () => {
  const app = writeTestApp(`${folder.path}/${count}/next`, '2.0.0', 'healthy', {
    windowSeconds: 0.2,
  })
  // A release has failed here: that is what the device has to say of updates.
  unwell.add((await origin.release('2.0.0', app, { counter: 2 })).sha256)
  agent.installer.pollNow()
  await waitUntil('it is rolled back', () => lastSigned().update.state === 'rolled_back')
  const { sequence } = lastSigned()
  give(4, variable('COLOUR', 'bad', 4))
  await putBack(4)
  await waitUntil('it is reported', () => lastSigned().configuration?.failed !== undefined)
  const signed = origin.reports.filter(({ isSigned }) => isSigned).map(({ report }) => report)
  assert.deepEqual(
    signed.filter((report) => report.sequence > sequence).map(({ update }) => update.state),
    ['idle'],
  )
  await polledTwice()
  assert.equal(origin.reports.at(-1)!.report.update.state, 'rolled_back')

  // Both are there with one poll.
  const third = writeTestApp(`${folder.path}/${count}/third`, '3.0.0', 'healthy', {
    windowSeconds: 0.2,
  })
  await origin.release('3.0.0', third, { counter: 3 })
  give(5, variable('COLOUR', 'bad again', 5))
  await waitUntil('the release committed', () => agent.status().committedCounter === 3)
  assert.equal(told().failed?.version, 5)
  assert.deepEqual(readFiles(), {})
})

test('V8 a release brings defaults, which values of the fleet come before, and they go with it', async () => {
  const release = async (counter: number, defaults: Record<string, string>) => {
    const version = `${counter}.0.0`
    const options = { windowSeconds: 0.2, defaults }
    const app = writeTestApp(`${folder.path}/${count}/${version}`, version, 'healthy', options)
    return (await origin.release(version, app, { counter })).sha256
  }
  give(2, variable('SIZE', 'large', 2))
  await confirmed(2)
  await release(2, { COLOUR: 'red', SIZE: 'small' })
  agent.installer.pollNow()
  await waitUntil('it committed', () => agent.status().committedCounter === 2)
  assert.deepEqual(readFiles(), { COLOUR: 'red', SIZE: 'large' })

  give(3, variable('COLOUR', 'blue', 3))
  await become({ COLOUR: 'blue', SIZE: 'small' })
  await confirmed(3)
  give(4)
  await become({ COLOUR: 'red', SIZE: 'small' })
  await confirmed(4)

  // The release before comes back with its own.
  unwell.add(await release(3, { COLOUR: 'green', SHAPE: 'round' }))
  agent.installer.pollNow()
  await waitUntil('it is rolled back', () => lastSigned().update.state === 'rolled_back')
  await become({ COLOUR: 'red', SIZE: 'small' })
  await agent.stop()
  await start()
  await waitUntil('it runs again', () => agent.told.includes('start'))
  assert.deepEqual(readFiles(), { COLOUR: 'red', SIZE: 'small' })
})

test('V8 a release may ask for a signal in place of a restart', async () => {
  const app = writeTestApp(`${folder.path}/${count}/next`, '2.0.0', 'healthy', {
    windowSeconds: 0.2,
    onChange: 'signal',
  })
  await origin.release('2.0.0', app, { counter: 2 })
  agent.installer.pollNow()
  await waitUntil('the next release committed', () => agent.status().committedCounter === 2)
  const before = agent.told.length
  give(1, variable('COLOUR', 'red', 1))
  await waitUntil('it was told', () => agent.told.length > before)
  assert.deepEqual(agent.told.slice(before), ['SIGHUP'])
})

test('V8 a variable reaches an application that runs, through the processes of a real agent', async (t) => {
  const second = await startTestOrigin(`${folder.path}/${count}/second`)
  t.after(() => second.close())
  second.pollSeconds = 1
  const app = writeTestApp(`${folder.path}/${count}/second-app`, '1.0.0', 'needs-colour')
  await second.release('1.0.0', app, { counter: 1 })
  const real = await createTestAgent(`${folder.path}/${count}/real`, second, {
    pollSeconds: 1,
  })
  real.start()
  t.after(() => real.stop())
  await waitUntil('the application answers', async () => (await real.readVersion()) !== undefined)
  const path = `${real.stateDir}/app-config/${origin.product}/COLOUR`
  const read = () => (existsSync(path) ? readFileSync(path, 'utf8') : undefined)
  const folderWord = `SEAWORTHY_CONFIG_DIR=${dirname(path)}`
  for (const [version, value] of [
    [1, 'red'],
    [2, 'blue'],
  ] as const) {
    second.configuration = {
      version,
      fleet: 'test',
      entries: [variable('COLOUR', value, version)],
    }
    await waitUntil(`it is ${value}`, () => read() === value)
    // Each value starts the application again, so that one that was just found may be gone.
    await waitUntil('the application knows where', () =>
      real.processes().app.some((pid) => readProc(pid, 'environ').includes(folderWord)),
    )
  }
  assert.equal(statSync(path).mode & 0o777, 0o400)
  await waitUntil(
    'the application answers again',
    async () => (await real.readVersion()) !== undefined,
  )

  // The installer is killed in the middle of a trial: the next one knows of it.
  const state = async () => (await real.status())['configuration'] as ToldConfiguration
  await waitUntil('blue is confirmed', async () => (await state()).version === 2)
  second.configuration = { version: 3, fleet: 'test', entries: [variable('COLOUR', 'bad', 3)] }
  await waitUntil('it is on trial', async () => read() === 'bad')
  for (const pid of real.processes().installer) killHard(pid)
  await waitUntil(
    'it is put back',
    // No status can be read while the installer that was killed is not back.
    async () => (await state().catch(() => undefined))?.failed?.version === 3,
  )
  assert.equal(read(), 'blue')
  await waitUntil('it is reported', () =>
    second.reports.some(
      ({ report, isSigned }) => isSigned && report.configuration?.failed?.version === 3,
    ),
  )
})
