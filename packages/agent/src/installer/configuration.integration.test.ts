/** V8: variables and secrets on their way to the application, and what a server cannot do there. */
import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { after, afterEach, beforeEach, test } from 'node:test'
import { base64Encode, utf8Encode } from '@seaworthy/std/bytes'
import { waitUntil } from '@seaworthy/std/testing'
import { generateReceivingKey } from '@seaworthy/trust/hpke'
import type { SecretBinding } from '@seaworthy/trust/secrets'
import { dayMs, systemClock } from '@seaworthy/std/time'
import { createSecretEnvelope, versionAt } from '@seaworthy/trust/secrets'
import type { ConfigurationEntry } from '../handover/messages.ts'
import { ensureReceivingKey } from '../state/receiving-key.ts'
import type { InlineAgent } from '../testing/inline-agent.ts'
import { startInlineAgent } from '../testing/inline-agent.ts'
import { createTestAgent, makeTestFolder, writeTestApp } from '../testing/test-agent.ts'
import type { TestOrigin } from '../testing/test-origin.ts'
import { startTestOrigin } from '../testing/test-origin.ts'

const folder = makeTestFolder()
const envelope = await createSecretEnvelope()
let origin: TestOrigin
let agent: InlineAgent
let count = 0
let sha256: string

const start = async () => {
  agent = await startInlineAgent(`${folder.path}/${count}/state`, origin)
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

function variable(name: string, value: string, version: number): ConfigurationEntry {
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
): Promise<ConfigurationEntry> {
  const { publicKey } = await ensureReceivingKey(agent.disk, agent.layout)
  const place = { fleet: 'test' }
  const deviceKeyId = String(agent.status()['keyId'])
  const binding = { place, name, version, deviceKeyId, ...changes }
  const sealed = await envelope.seal(recipient ?? publicKey, binding, utf8Encode(value))
  return { name, kind: 'secret', isOfFleet: true, version, content: base64Encode(sealed) }
}

const give = (version: number, ...entries: ConfigurationEntry[]) => {
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
  const kept = readFileSync(`${agent.layout.trust}/configuration.json`, 'utf8')
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
    [11, await secret('TOKEN', 'x', 11, { place: 'device' })],
    [12, await secret('TOKEN', 'x', 12, { place: { fleet: 'other' } })],
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
  const app = writeTestApp(`${folder.path}/${count}/second-app`, '1.0.0')
  await second.release('1.0.0', app, { counter: 1 })
  const real = await createTestAgent(`${folder.path}/${count}/real`, second, {
    pollSeconds: 1,
  })
  real.start()
  t.after(() => real.stop())
  await waitUntil('the application answers', async () => (await real.readVersion()) !== undefined)
  const path = `${real.stateDir}/app-config/${origin.product}/COLOUR`
  const read = () => {
    const [pid] = real.processes().app
    const environment = pid === undefined ? '' : readFileSync(`/proc/${pid}/environ`, 'utf8')
    assert.ok(pid === undefined || environment.includes(`SEAWORTHY_CONFIG_DIR=${dirname(path)}`))
    return existsSync(path) ? readFileSync(path, 'utf8') : undefined
  }
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
  }
  assert.equal(statSync(path).mode & 0o777, 0o400)
  await waitUntil(
    'the application answers again',
    async () => (await real.readVersion()) !== undefined,
  )
})
