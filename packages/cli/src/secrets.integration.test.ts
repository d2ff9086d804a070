/**
 * Enrolment and secrets as people see them: which devices holders enrolled, whatever the server
 * says, and that a secret is sealed to no other.
 */
import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { EnrolmentView } from '@seaworthy/api/devices'
import { base64Decode, base64Encode, hexEncode, utf8Decode, utf8Encode } from '@seaworthy/std/bytes'
import type { EnrolmentKey } from '@seaworthy/trust/enrolment'
import { enrol, parseEnrolmentKey } from '@seaworthy/trust/enrolment'
import { generateReceivingKey } from '@seaworthy/trust/hpke'
import { createSecretEnvelope } from '@seaworthy/trust/secrets'
import { systemRandom } from '@seaworthy/std/random'
import { waitUntil } from '@seaworthy/std/testing'
import { programAt } from '@seaworthy/std/testing/own-programs'
import { claimPort } from '@seaworthy/std/testing/ports'
import type { Signer } from '@seaworthy/trust/keys'
import { generateSigner } from '@seaworthy/trust/keys'
import type { CliUser } from './testing/cli-user.ts'
import { createCliUser } from './testing/cli-user.ts'
import { registerDevices } from './testing/devices.ts'
import type { Fake, Lie } from './testing/lying-server.ts'
import { changeEnrolments, changeFleet, lyingTransport } from './testing/lying-server.ts'
import type { JoinKeys, Receiver } from './testing/receivers.ts'
import { addReceiver, readSettings } from './testing/receivers.ts'
import { openFileScope } from './testing/scope.ts'
import type { TestedServer } from './testing/server.ts'
import { startServer } from './testing/server.ts'
import { searchServer } from './testing/stolen-server.ts'

const scope = openFileScope()
let server: TestedServer
let ann: CliUser
let keys: string[]
/** What the server says to ann in the place of the truth, while it is taken over. */
let lie: Lie | undefined
let fake: Fake | undefined
/** Ann's answers to questions; nobody is there while there is none. */
let answer: boolean | undefined
const asked: string[] = []

before(async () => {
  const held = await mkdtemp(join(tmpdir(), 'seaworthy-held-'))
  scope.after(() => rm(held, { recursive: true }))
  const keyFile = join(held, 'credential.key')
  await writeFile(keyFile, hexEncode(systemRandom.bytes(32)), { mode: 0o600 })
  const env = { ...process.env, SEAWORTHY_CREDENTIAL_KEY_FILE: keyFile }
  server = await startServer(scope, { env })
  ann = await createCliUser(scope, 'ann', {
    createTransport: lyingTransport(
      () => lie,
      () => fake,
    ),
    prompt: {
      askSecrets: () => Promise.reject(new Error('nobody is there')),
      get isInteractive() {
        return answer !== undefined
      },
      askYesNo: async (question) => asked.push(question) > 0 && answer === true,
    },
  })
  await ann.ok('login', server.url, '--pin', server.pin, '--token', server.token)
  keys = [ann.file('key-1'), ann.file('key-2')]
  for (const key of keys) await ann.ok('key', 'create', key)
  const named = (option: string) => keys.flatMap((key) => [option, key])
  await ann.ok('trust', 'init', ...named('--root-key'), '--threshold', '2')
  await ann.ok('product', 'create', 'web', '--kind', 'bundle', ...named('--sign-with'))
  await ann.ok('channel', 'create', 'web', 'stable', ...named('--key'), '--threshold', '2')
  for (const fleet of ['lab', 'production']) {
    await ann.ok('fleet', 'create', fleet, '--product', 'web', '--channel', 'stable')
  }
})

async function makeConfig(name: string, fleet: string, ...more: string[]): Promise<JoinKeys> {
  const file = ann.file(`${name}.json`)
  const options = ['--fleet', fleet, '--uses', '9', '--agent-config', file]
  await ann.ok('provisioning-key', 'create', ...options, ...more)
  return JSON.parse(await readFile(file, 'utf8')) as JoinKeys
}

const signWithAll = () => keys.flatMap((key) => ['--sign-with', key])

async function addDevice(
  provisioningKey: string,
  enrolWith?: (signer: Signer, receivingKey: string) => ReturnType<typeof enrol>,
): Promise<string> {
  const { publicKey } = await generateReceivingKey()
  const added = await registerDevices(server, {
    provisioningKey,
    count: 1,
    counterOf: () => 1,
    ...(enrolWith === undefined
      ? {}
      : { enrol: (signer) => enrolWith(signer, base64Encode(publicKey)) }),
  })
  added.close()
  return added.devices[0]!.id
}

const showEnrolments = async (fleet: string) => {
  type Line = { deviceId: string; isEnrolled: boolean; code: string | null }
  const lines = await ann.json<Line[]>('device', 'enrolments', '--fleet', fleet)
  return new Map(lines.map((line) => [line.deviceId, line.code ?? 'enrolled']))
}

test('A10 attack: devices that a server invented, exchanged or moved are not enrolled, and those of holders are', async () => {
  const config = await makeConfig('signed', 'lab', ...signWithAll())
  const key: EnrolmentKey = parseEnrolmentKey(config.enrolmentKey!)
  const enrolled = (signer: Signer, receivingKey: string) =>
    enrol(key, { publicKey: signer.key, receivingKey })
  const genuine = await addDevice(config.provisioningKey, enrolled)

  // A key of the earlier kind admits devices, and enrols none.
  const earlier = await makeConfig('earlier', 'lab')
  assert.equal(earlier.enrolmentKey, undefined)
  const unproven = await addDevice(earlier.provisioningKey)

  // What a server can do that has seen all of the genuine device's registration.
  const elsewhere = base64Encode((await generateReceivingKey()).publicKey)
  const exchanged = await addDevice(config.provisioningKey, async (signer, receivingKey) => ({
    ...(await enrolled(signer, receivingKey)),
    receivingKey: elsewhere,
  }))
  const copied = await addDevice(config.provisioningKey, async (_signer, receivingKey) =>
    enrolled(await generateSigner('ed25519'), receivingKey),
  )
  const stranger = await generateSigner('ed25519')
  const invented = await addDevice(config.provisioningKey, async (signer, receivingKey) => {
    const own = await enrolled(signer, receivingKey)
    return { ...own, certificate: { ...own.certificate, publicKey: stranger.key } }
  })
  const moved = await addDevice(config.provisioningKey, enrolled)
  await ann.ok('device', 'set', moved, '--fleet', 'production')

  assert.deepEqual(
    await showEnrolments('lab'),
    new Map([
      [genuine, 'enrolled'],
      [unproven, 'enrolment_missing'],
      [exchanged, 'enrolment_keys_differ'],
      [copied, 'enrolment_keys_differ'],
      [invented, 'enrolment_not_by_holders'],
    ]),
  )
  assert.deepEqual(await showEnrolments('production'), new Map([[moved, 'enrolment_wrong_fleet']]))
  const shown = await ann.ok('device', 'enrolments', '--fleet', 'lab')
  assert.match(shown, new RegExp(`${genuine} +- +enrolled`))
  assert.match(shown, new RegExp(`${unproven} +- +not enrolled`))
  const details = await ann.ok('device', 'show', genuine)
  assert.match(details, /enrolment: +by the provisioning key [0-9a-f]{16}, which .* signed for lab/)
  assert.match(details, /secrets: +as key [0-9a-f]{64}: not accepted on this machine/)
  for (const other of [unproven, exchanged, invented, moved]) {
    assert.match(
      await ann.ok('device', 'show', other),
      /not enrolled: .*\nsecrets: +none reaches it/,
    )
  }
})

test('A10 a provisioning key is signed by as many holders as the product needs, or not made', async () => {
  const options = ['--fleet', 'lab', '--agent-config', ann.file('never.json')]
  const create = ['provisioning-key', 'create', ...options]
  const few = await ann.fails(3, ...create, '--sign-with', keys[0]!)
  assert.match(few, /web needs 2 of its keys to enrol devices, and 1 was named/)
  await ann.ok('key', 'create', ann.file('stranger'))
  const wrong = await ann.fails(3, ...create, ...signWithAll(), '--sign-with', ann.file('stranger'))
  assert.match(wrong, /stranger is no key of the product web/)
  const nowhere = await ann.fails(
    2,
    'provisioning-key',
    'create',
    '--fleet',
    'lab',
    ...signWithAll(),
  )
  assert.match(nowhere, /--sign-with needs --agent-config/)
  await assert.rejects(readFile(ann.file('never.json')), { code: 'ENOENT' })
})

test('V8 attack: a secret is sealed to enrolled devices alone, and nothing of the server holds it', async (t) => {
  await ann.ok('fleet', 'create', 'boats', '--product', 'web', '--channel', 'stable')
  const config = await makeConfig('boats', 'boats', ...signWithAll())
  const genuine = await addReceiver(server, config)
  t.after(() => genuine.close())
  const thief = await generateReceivingKey()
  // The server shows the thief's key in the place of the device's own.
  const exchanged = await addReceiver(server, config, base64Encode(thief.publicKey))
  t.after(() => exchanged.close())

  const word = `planted-${'s3cret'.repeat(4)}`
  await writeFile(ann.file('word'), word)
  const set = ['secret', 'set', 'TOKEN', '--fleet', 'boats', '--file', ann.file('word')]
  const { err } = await ann.run(...set, '--accept-new', '1')
  assert.match(err, new RegExp(`${exchanged.device.id} is not enrolled and does not get it`))
  const visible = `visible-${'c0lour'.repeat(4)}`
  await ann.ok('variable', 'set', 'COLOUR', visible, '--fleet', 'boats')
  assert.deepEqual(await readSettings(genuine), { COLOUR: visible, TOKEN: word })
  assert.deepEqual(await readSettings(exchanged), { COLOUR: visible })
  const own = ['secret', 'set', 'TOKEN', '--device', exchanged.device.id]
  const refused = await ann.fails(3, ...own, '--file', ann.file('word'))
  assert.match(refused, /is not enrolled: nothing was sealed/)

  // What stands there in clear is found, so that the search could find the secret.
  assert.ok((await searchServer(server, { visible })).length > 0)
  assert.deepEqual(await searchServer(server, { word }), [])
  const listed = await ann.ok('--json', 'secret', 'list', '--fleet', 'boats')
  assert.ok(!listed.includes(word))
})

test('A5 A10 attack: a thief of all files and process arguments of a server finds no token and no key that it gave out', async () => {
  await ann.ok('fleet', 'create', 'docks', '--product', 'web', '--channel', 'stable')
  const { provisioningKey, enrolmentKey } = await makeConfig('docks', 'docks', ...signWithAll())
  const { token } = await ann.json<{ token: string }>('token', 'create', 'zoe', '--role', 'viewer')
  // The first part of a token stands in the database, so that a leaked one can be found.
  const core = (text: string) => text.slice(-24)
  const planted = {
    'provisioning key': core(provisioningKey),
    'enrolment key': core(enrolmentKey!),
    token: core(token),
  }
  assert.deepEqual(await searchServer(server, planted), [])
  // The search would find them: it finds what stands there in clear, and its own arguments.
  const visible = `the-purpose-of-${'docks'.repeat(3)}`
  await ann.ok('variable', 'set', 'PURPOSE', visible, '--fleet', 'docks')
  const found = await searchServer(server, { visible, program: process.execPath })
  assert.ok(found.some((one) => one.startsWith(`visible in ${server.folder}`)))
  assert.ok(found.some((one) => one.startsWith('program in the arguments')))
})

test('V8 who sets a secret for devices that nobody enrolled is told that it reaches nobody, why, and what to do', async () => {
  await ann.ok('fleet', 'create', 'reeds', '--product', 'web', '--channel', 'stable')
  const file = ann.file('reeds.json')
  const join = ['--fleet', 'reeds', '--agent-config', file, '--product', 'web']
  const made = await ann.run('provisioning-key', 'create', ...join, '--channel', 'stable')
  assert.match(made.out, /enrols: +no: no secret will ever reach its devices \(--sign-with\)/)
  assert.match(
    made.err,
    /WARNING: \S+reeds\.json names the server https:\/\/127\.0\.0\.1:\d+, which on any other machine/,
  )
  const { provisioningKey } = JSON.parse(await readFile(file, 'utf8')) as JoinKeys
  const device = await addDevice(provisioningKey)
  await writeFile(ann.file('word'), 'sedge')
  const set = await ann.run(
    'secret',
    'set',
    'TOKEN',
    '--fleet',
    'reeds',
    '--file',
    ann.file('word'),
  )
  assert.match(set.out, /to 0 devices/)
  assert.match(set.err, /WARNING: TOKEN reaches nobody in reeds: its device is not enrolled/)
  const listed = await ann.run('secret', 'list', '--fleet', 'reeds')
  assert.match(listed.err, /^1 device is not enrolled in reeds, and no secret reaches it\./m)
  const enrolments = await ann.run('device', 'enrolments', '--fleet', 'reeds')
  const shown = await ann.ok('device', 'show', device)
  const wayOut =
    /`seaworthy device remove \S+`, then .*`seaworthy provisioning-key create --fleet reeds .*--sign-with/
  for (const said of [set.err, listed.err, enrolments.err, shown]) assert.match(said, wayOut)
  const why = /it registered with a provisioning key that no holder has signed/
  for (const said of [set.err, enrolments.out, shown]) assert.match(said, why)
})

test('V8 a device comes before its fleet, a later device waits until it is sealed to, and what is removed is gone', async (t) => {
  await ann.ok('fleet', 'create', 'lakes', '--product', 'web', '--channel', 'stable')
  const config = await makeConfig('lakes', 'lakes', ...signWithAll())
  const first = await addReceiver(server, config)
  t.after(() => first.close())
  const inFleet = ['--fleet', 'lakes']
  const onDevice = ['--device', first.device.id]
  const write = async (text: string) => {
    await writeFile(ann.file('word'), text)
    return ['--file', ann.file('word')]
  }
  const setFirst = ['secret', 'set', 'TOKEN', ...inFleet, '--accept-new', '1']
  await ann.ok(...setFirst, ...(await write('of the fleet')))
  const setRed = ['variable', 'set', 'COLOUR', 'red', ...inFleet]
  const { version: once } = await ann.json<{ version: number }>(...setRed)
  assert.equal((await ann.json<{ version: number }>(...setRed)).version, once)
  assert.ok((await ann.json<{ version: number }>(...setRed, '--again')).version > once)
  await ann.ok('variable', 'set', 'COLOUR', 'blue', ...onDevice)
  assert.deepEqual(await readSettings(first), { COLOUR: 'blue', TOKEN: 'of the fleet' })
  type Shown = { name: string; value: string }[]
  const effective = await ann.json<Shown>('variable', 'list', ...onDevice, '--effective')
  assert.deepEqual(
    effective.map(({ value }) => value),
    ['blue'],
  )

  const second = await addReceiver(server, config)
  t.after(() => second.close())
  assert.deepEqual(await readSettings(second), { COLOUR: 'red' })
  const waiting = async () => {
    const list = await ann.json<{ waiting: number }[]>('secret', 'list', ...inFleet)
    return list.map((one) => one.waiting)
  }
  assert.deepEqual(await waiting(), [1])
  const shown = async () => {
    type Shown = { devices: { deviceId: string; arrival: string }[] }
    const { devices } = await ann.json<Shown>('secret', 'show', 'TOKEN', ...inFleet)
    return Object.fromEntries(devices.map((one) => [one.deviceId, one.arrival]))
  }
  const [firstId, secondId] = [first.device.id, second.device.id]
  assert.deepEqual(await shown(), { [firstId]: 'not_seen_since', [secondId]: 'not_accepted' })
  const sealed = await ann.ok('secret', 'seal', ...inFleet, '--accept-new', '1')
  assert.match(sealed, /Sealed TOKEN to 1 device/)
  assert.deepEqual(await waiting(), [0])
  await waitUntil('the first device has asked since', async () => {
    await first.device.ask()
    return (await shown())[firstId] === 'asked_since'
  })
  assert.equal((await shown())[secondId], 'not_seen_since')
  assert.match(await ann.ok('secret', 'show', 'TOKEN', ...inFleet), / 1 +sealed to it, but/)
  assert.match(await ann.ok('secret', 'seal', ...inFleet), /Nothing is missing/)
  assert.deepEqual(await readSettings(second), { COLOUR: 'red', TOKEN: 'of the fleet' })

  // Both say, signed, how their applications are.
  const { version } = await first.device.readConfiguration()
  first.device.configuration = { version }
  second.device.configuration = { version: null, failed: { version, code: 'health_failed' } }
  await Promise.all([first.device.ask(), second.device.ask()])
  assert.deepEqual(await shown(), { [firstId]: 'confirmed', [secondId]: 'failed' })
  const ofVariable = await ann.ok('variable', 'show', 'COLOUR', ...inFleet)
  assert.match(ofVariable, / 1 +its application is healthy with it/)
  assert.match(ofVariable, new RegExp(`${secondId}: health_failed`))
  assert.match(await ann.ok('device', 'why', secondId), /did not become healthy with version/)
  assert.match(await ann.ok('device', 'show', secondId), /was put back: health_failed/)

  await ann.ok('secret', 'set', 'TOKEN', ...onDevice, ...(await write('of the device')))
  assert.equal((await readSettings(first))['TOKEN'], 'of the device')
  await ann.ok('secret', 'set', 'TOKEN', ...inFleet, ...(await write('rotated')))
  assert.equal((await readSettings(first))['TOKEN'], 'of the device')
  assert.equal((await readSettings(second))['TOKEN'], 'rotated')
  await ann.ok('secret', 'remove', 'TOKEN', ...onDevice)
  assert.equal((await readSettings(first))['TOKEN'], 'rotated')
  await ann.ok('variable', 'remove', 'COLOUR', ...inFleet)
  assert.deepEqual(await readSettings(second), { TOKEN: 'rotated' })

  const long = await ann.fails(3, ...setFirst, ...(await write('x'.repeat(1024 * 1024))))
  assert.match(long, /a secret has at most 16384 bytes/)
  const ofOtherKind = ['variable', 'set', 'TOKEN', 'x', ...inFleet]
  assert.match(await ann.fails(3, ...ofOtherKind), /\(setting_of_other_kind\)/)
  const nothing = ['secret', 'remove', 'NOTHING', ...inFleet]
  assert.match(await ann.fails(5, ...nothing), /\(secret_not_found\)/)
  for (let i = 0; i < 3; i++) {
    await ann.ok('secret', 'set', `BIG_${i}`, ...inFleet, ...(await write('x'.repeat(16_384))))
  }
  const big = await write('x'.repeat(16_384))
  const full = await ann.fails(3, 'secret', 'set', 'BIG_3', ...inFleet, ...big)
  assert.match(full, /\(configuration_too_large\)/)
})

test('V8 attack: a secret that a person gives the server reaches devices that come later without a holder, none that holders did not enrol, and no server makes the command line give it another', async (t) => {
  await ann.ok('fleet', 'create', 'tides', '--product', 'web', '--channel', 'stable')
  const config = await makeConfig('tides', 'tides', ...signWithAll())
  const join = async (shown?: string) => {
    const receiver = await addReceiver(server, config, shown)
    t.after(() => receiver.close())
    return receiver
  }
  const inFleet = ['--fleet', 'tides']
  const write = async (text: string) => {
    await writeFile(ann.file('word'), text)
    return ['--file', ann.file('word')]
  }
  const first = await join()
  const word = `planted-${'n1ght'.repeat(4)}`
  const give = ['secret', 'set', 'NIGHT', ...inFleet, '--server-held', ...(await write(word))]
  assert.match(await ann.fails(2, ...give, '--accept-new', '1'), /--accept-new/)
  const given = await ann.ok(...give)
  assert.match(given, /^The server holds NIGHT, version \d+, and seals it to each enrolled device/)
  assert.match(given, /with the master key can read it\.\nSo can whoever has an `agent.json`/)

  // Nobody accepts or seals: devices ask.
  const later = await join()
  const thief = base64Encode((await generateReceivingKey()).publicKey)
  const invented = await join(thief)
  for (const device of [first, later]) assert.deepEqual(await readSettings(device), { NIGHT: word })
  assert.deepEqual(await readSettings(invented), {})
  assert.deepEqual(await searchServer(server, { word }), [])

  type Listed = { name: string; keeper: string; isDamaged: boolean; waiting: number }
  const list = async () => {
    const items = await ann.json<Listed[]>('secret', 'list', ...inFleet)
    return items.map(({ name, keeper, isDamaged, waiting }) => [name, keeper, isDamaged, waiting])
  }
  assert.deepEqual(await list(), [['NIGHT', 'server', false, 0]])
  assert.match(await ann.ok('secret', 'list', ...inFleet), /NIGHT +the fleet +the server/)
  const shown = await ann.ok('secret', 'show', 'NIGHT', ...inFleet)
  assert.match(shown, /kept by: +the server\nread by: +its devices, and the server\n/)
  assert.match(await ann.ok('secret', 'known-to', later.device.id), /NIGHT +the fleet/)
  const seal = ['secret', 'seal', ...inFleet, '--accept-new', '2']
  assert.match(await ann.ok(...seal), /Nothing is missing/)
  assert.match(await ann.ok('device', 'remove', later.device.id), /NIGHT/)
  const rotated = `planted-${'r0tated'.repeat(3)}`
  await write(rotated)
  await ann.ok(...give)
  assert.deepEqual(await readSettings(first), { NIGHT: rotated })
  await assert.rejects(readSettings(later))

  // A server says that it holds a secret of people: what it gets of the next one is sealed.
  const sent: string[] = []
  fake = ({ body }) => {
    if (body instanceof Uint8Array) sent.push(utf8Decode(body))
    return undefined
  }
  lie = ({ url }, text) =>
    url.includes('/fleets/tides/secrets') ? text.replaceAll('"people"', '"server"') : undefined
  const own = `planted-${'0wn'.repeat(6)}`
  try {
    const set = ['secret', 'set', 'NIGHT', ...inFleet, ...(await write(own))]
    const taken = await ann.ok(...set)
    assert.match(taken, /could read the value before: change it where it counts/)
    await ann.ok(...set)
  } finally {
    lie = undefined
    fake = undefined
  }
  assert.ok(sent.length > 0)
  const plain = base64Encode(utf8Encode(own)).replace(/=+$/, '')
  assert.ok(!sent.some((body) => body.includes(plain) || body.includes(own)))
  assert.deepEqual(await list(), [['NIGHT', 'people', false, 0]])
  const last = await join()
  assert.deepEqual(await readSettings(last), {})
  assert.deepEqual(await readSettings(first), { NIGHT: own })
})

test('V8 a secret that the server holds reaches an application that runs on a device, and so does its rotation', async (t) => {
  await ann.ok('fleet', 'create', 'piers', '--product', 'web', '--channel', 'stable')
  await ann.ok('fleet', 'set', 'piers', '--poll', '1s')
  const folder = ann.file('reads-a-secret')
  await mkdir(folder)
  await writeFile(
    `${folder}/app.mjs`,
    `import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
const read = () => {
  try {
    return readFileSync(process.env.SEAWORTHY_CONFIG_DIR + '/NIGHT', 'utf8')
  } catch {
    return 'nothing'
  }
}
const atStart = read()
createServer((_, reply) => reply.end(atStart)).listen(Number(process.env.PORT), '127.0.0.1')
process.on('SIGTERM', () => process.exit(0))
`,
  )
  const health = { http: 'http://127.0.0.1:${PORT}/', windowSeconds: 0.5 }
  await writeFile(
    `${folder}/seaworthy.json`,
    JSON.stringify({ start: [process.execPath, 'app.mjs'], health, stopSeconds: 3 }),
  )
  const platform = process.arch === 'arm64' ? 'linux/arm64' : 'linux/amd64'
  const release = ['release', 'create', 'web', '3.0.0', '--platform', platform]
  await ann.ok(...release, '--from', folder)
  await ann.ok('publish', 'web', '3.0.0', '--channel', 'stable', ...signWithAll())
  const join = await makeConfig('piers', 'piers', ...signWithAll())
  const port = await claimPort()
  const device = await mkdtemp(`${tmpdir()}/seaworthy-held-device-`)
  // The fetcher has an account of its own, which must be able to pass.
  await chmod(device, 0o711)
  const agentConfig = {
    ...join,
    pollSeconds: 1,
    environment: { PORT: String(port) },
    // The Node that the application is started with may lie where only root can read it.
    ...(process.getuid?.() === 0 ? { user: 'root' } : {}),
  }
  await writeFile(`${device}/agent.json`, JSON.stringify(agentConfig), { mode: 0o600 })
  const agent = spawn(
    process.execPath,
    [
      programAt(import.meta.resolve('@seaworthy/agent/main')),
      ...['run', '--config', `${device}/agent.json`, '--state-dir', `${device}/state`],
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  )
  let log = ''
  agent.stderr.setEncoding('utf8').on('data', (text: string) => (log += text))
  t.after(async () => {
    const ended = once(agent, 'exit')
    agent.kill('SIGTERM')
    await ended
    await rm(device, { recursive: true })
  })
  const ask = () =>
    fetch(`http://127.0.0.1:${port}/`).then(
      (reply) => reply.text(),
      () => undefined,
    )
  const says = (word: string) =>
    waitUntil(`the application has ${word}`, async () => (await ask()) === word)
  await says('nothing')
  for (const word of [`planted-${'h3ld'.repeat(5)}`, `planted-${'turn3d'.repeat(4)}`]) {
    await writeFile(ann.file('word'), word)
    const given = ['--fleet', 'piers', '--server-held', '--file', ann.file('word')]
    await ann.ok('secret', 'set', 'NIGHT', ...given)
    await says(word)
    assert.deepEqual(await searchServer(server, { word }), [])
    assert.ok(!log.includes(word))
  }
  const kept = `${device}/state/app-config/web/NIGHT`
  assert.equal((await stat(kept)).mode & 0o777, 0o400)
  await ann.ok('secret', 'remove', 'NIGHT', '--fleet', 'piers')
  await says('nothing')
})

test('V8 what a device gets is its own, else of its fleet, else the default of the release that it runs', async (t) => {
  await ann.ok('fleet', 'create', 'bays', '--product', 'web', '--channel', 'stable')
  const config = await makeConfig('bays', 'bays', ...signWithAll())
  const receiver = await addReceiver(server, config)
  t.after(() => receiver.close())
  const { device } = receiver
  const folder = ann.file('with-defaults')
  await mkdir(folder)
  const defaults = { COLOUR: 'red', SIZE: 'small', SHAPE: 'round' }
  await writeFile(
    `${folder}/seaworthy.json`,
    JSON.stringify({ start: ['/bin/true'], variables: { defaults } }),
  )
  const create = ['release', 'create', 'web', '1.0.0', '--from', folder]
  const { digest } = await ann.json<{ digest: string }>(...create, '--platform', 'linux/amd64')
  await ann.ok('variable', 'set', 'SIZE', 'large', '--fleet', 'bays')
  await ann.ok('variable', 'set', 'SHAPE', 'oval', '--fleet', 'bays')
  await ann.ok('variable', 'set', 'SHAPE', 'square', '--device', device.id)
  const list = ['variable', 'list', '--device', device.id, '--effective']
  type Row = { name: string; value: string; of: string }
  const shown = async () =>
    (await ann.json<Row[]>(...list)).map(({ name, value, of }) => `${name}=${value} of ${of}`)
  const set = ['SHAPE=square of device', 'SIZE=large of fleet']
  assert.deepEqual(await shown(), set)
  device.running = { product: 'web', version: '1.0.0', sha256: digest.slice(7), counter: 1 }
  await device.ask()
  assert.deepEqual(await shown(), ['COLOUR=red of release', ...set])
  device.running = { ...device.running, sha256: 'f'.repeat(64) }
  await device.ask()
  const outcome = await ann.run(...list)
  assert.deepEqual([outcome.exitCode, outcome.out.includes('red')], [0, false])
  assert.match(outcome.err, /The defaults of release 1.0.0 are not shown/)
})

test('V8 attack: a server shows an earlier, a removed or a made-up copy of a secret, and it is sealed to nobody', async (t) => {
  await ann.ok('fleet', 'create', 'pools', '--product', 'web', '--channel', 'stable')
  const config = await makeConfig('pools', 'pools', ...signWithAll())
  const first = await addReceiver(server, config)
  t.after(() => first.close())
  const inFleet = ['--fleet', 'pools']
  const set = async (text: string, ...more: string[]) => {
    await writeFile(ann.file('word'), text)
    await ann.ok('secret', 'set', 'TOKEN', ...inFleet, '--file', ann.file('word'), ...more)
  }
  type Copy = { name: string; version: number; holderKey: string; holderCopy: string }
  let shown: { items: Copy[] } = { items: [] }
  const isList = (url: string) => url.includes('/fleets/pools/secrets')
  const look = async () => {
    lie = ({ url }, text) => {
      if (isList(url)) shown = JSON.parse(text) as typeof shown
      return undefined
    }
    await ann.ok('secret', 'list', ...inFleet)
    lie = undefined
    return shown.items[0]!
  }
  await set('the old one', '--accept-new', '1')
  const old = await look()
  await set('the new one')
  const current = await look()
  const second = await addReceiver(server, config)
  t.after(() => second.close())

  const envelope = await createSecretEnvelope()
  const recipient = base64Decode(current.holderKey)
  const { name, version } = current
  const binding = { scope: { fleet: 'pools' }, name, version, deviceKeyId: undefined }
  const made = base64Encode(await envelope.seal(recipient, binding, utf8Encode('of a thief')))
  const seal = ['secret', 'seal', ...inFleet]
  const accept = () => ann.ok('reader', 'accept', ...inFleet, '--accept-new', '1')
  await accept()
  const refused = /is not the last one that this machine made: nothing was sealed/
  const show = (copy: Copy): Lie => {
    return ({ url }, text) => {
      if (!isList(url)) return undefined
      return JSON.stringify({ ...(JSON.parse(text) as object), items: [copy] })
    }
  }
  try {
    for (const copy of [old, { ...current, holderCopy: made }]) {
      lie = show(copy)
      assert.match(await ann.fails(3, ...seal), refused)
      assert.match(await ann.fails(3, ...seal, '--dry-run'), refused)
    }
  } finally {
    lie = undefined
  }
  assert.deepEqual(await readSettings(second), {})
  assert.match(await ann.ok(...seal), /Sealed TOKEN to 1 device/)
  assert.deepEqual(await readSettings(second), { TOKEN: 'the new one' })

  await ann.ok('secret', 'remove', 'TOKEN', ...inFleet)
  const third = await addReceiver(server, config)
  t.after(() => third.close())
  await accept()
  try {
    lie = show(current)
    assert.match(await ann.fails(3, ...seal), refused)
  } finally {
    lie = undefined
  }
})

/** Runs what must be refused by this code, while the server lies. */
async function refusesLie(code: string, told: Lie, ...args: string[]): Promise<void> {
  lie = told
  try {
    assert.match(await ann.fails(3, ...args), new RegExp(`\\(${code}\\)`))
  } finally {
    lie = undefined
  }
}

test('V8 attack: a server adds a device of its own, swaps keys, brings one back or names another product, and nothing is sealed to it', async (t) => {
  await ann.ok('fleet', 'create', 'harbour', '--product', 'web', '--channel', 'stable')
  const config = await makeConfig('harbour', 'harbour', ...signWithAll())
  const [first, second] = [await addReceiver(server, config), await addReceiver(server, config)]
  const write = async (text: string) => {
    await writeFile(ann.file('word'), text)
    return ['secret', 'set', 'TOKEN', '--fleet', 'harbour', '--file', ann.file('word')]
  }
  const unseen = await ann.fails(3, ...(await write('one')))
  assert.match(unseen, /nobody has accepted a device of harbour as a reader/)
  const miscounted = await ann.fails(3, ...(await write('one')), '--accept-new', '1')
  assert.match(miscounted, /--accept-new says 1, but 2 devices are new/)
  await ann.ok(...(await write('one')), '--accept-new', '2')

  // The server enrols a device of its own with a stolen agent.json. The word yes is not enough.
  const thief = await addReceiver(server, config)
  t.after(() => [first, second, thief].forEach(({ close }) => close()))
  const { err } = await ann.run('--yes', ...(await write('two')))
  assert.match(
    err,
    new RegExp(
      `${thief.device.id} \\(key [0-9a-f]{16}\\) is no reader yet: not accepted on this machine`,
    ),
  )
  assert.deepEqual(await readSettings(second), { TOKEN: 'two' })
  assert.deepEqual(await readSettings(thief), {})

  const set = await write('three')
  const own = ['secret', 'set', 'OWN', '--device', first.device.id, '--file', ann.file('word')]
  const swap = changeEnrolments((items) =>
    items.map((one) => {
      const { id } = one.deviceId === first.device.id ? thief.device : first.device
      if (one.deviceId === second.device.id) return one
      const { publicKey, enrolment } = items.find(({ deviceId }) => deviceId === id)!
      return { ...one, publicKey, enrolment }
    }),
  )
  await refusesLie('reader_exchanged', swap, ...set)
  await refusesLie('reader_exchanged', swap, ...own)
  await refusesLie('reader_exchanged', swap, 'secret', 'seal', '--fleet', 'harbour')
  // It enrols another receiving key under the first device's signing key.
  const enrolmentKey = parseEnrolmentKey(config.enrolmentKey!)
  const receivingKey = base64Encode(thief.key.publicKey)
  const shown = await captureList('harbour')
  const { publicKey } = shown.find(({ deviceId }) => deviceId === first.device.id)!
  const exchanged = await enrol(enrolmentKey, { publicKey, receivingKey })
  const exchange = changeEnrolments((items) =>
    items.map((one) => (one.deviceId === first.device.id ? { ...one, enrolment: exchanged } : one)),
  )
  await refusesLie('reader_exchanged', exchange, ...set)
  // It shows a device under a second id, or another device where one is asked for by its id.
  const twice = changeEnrolments((items) =>
    items.map((one) => ({ ...items[0]!, deviceId: one.deviceId })),
  )
  await refusesLie('reader_twice', twice, ...set)
  lie = ({ url }, text) =>
    url.endsWith(`/devices/${first.device.id}`)
      ? text.replaceAll(first.device.id, thief.device.id)
      : undefined
  assert.match(await ann.fails(3, ...own), /was asked for, and the server shows/)
  lie = undefined

  // It says that the fleet runs another product, whose keys it has.
  await ann.ok('product', 'create', 'evil', '--kind', 'bundle', ...signWithAll())
  const evil = changeFleet('harbour', { product: 'evil' })
  await refusesLie('fleet_of_other_product', evil, ...set)
  await refusesLie('fleet_of_other_product', evil, ...set, '--server-held')
  assert.deepEqual(await readSettings(second), { TOKEN: 'two' })

  // A device that was removed is shown as still there, and one that was moved away as back.
  const read = await ann.ok('secret', 'known-to', first.device.id)
  assert.match(read, /TOKEN +the fleet/)
  assert.match(read, /could read these secrets of harbour: TOKEN\. .*set each anew/)
  const removal = await ann.json<{ known: { fleet: string; secrets: { name: string }[] }[] }>(
    ...['device', 'remove', first.device.id],
  )
  assert.deepEqual(
    removal.known.map(({ fleet, secrets }) => [fleet, secrets.map(({ name }) => name)]),
    [['harbour', ['TOKEN']]],
  )
  await ann.ok('device', 'set', second.device.id, '--fleet', 'lab')
  const sealed: string[] = []
  fake = ({ method, url, body }) => {
    if (method !== 'POST' || !url.includes('/seals')) return undefined
    sealed.push(typeof body === 'string' ? body : utf8Decode(body as Uint8Array))
    return JSON.stringify({ count: 1 })
  }
  lie = changeEnrolments(() => shown)
  const back = await ann.fails(3, ...set)
  assert.match(
    back,
    new RegExp(`${first.device.id} \\(key [0-9a-f]{16}\\) is no reader yet: came back`),
  )
  await ann.fails(3, ...set, '--accept-new', '2')
  // The thief's device is still new, and accepting it by number accepts none of those.
  await ann.ok(...set, '--accept-new', '1')
  lie = undefined
  fake = undefined
  assert.equal(sealed.length, 1)
  assert.ok(sealed[0]!.includes(thief.device.id))
  for (const { device } of [first, second]) assert.ok(!sealed[0]!.includes(device.id))
})

test('A10 attack: a server sets new devices up for another product or channel than people named', async () => {
  const join = ['provisioning-key', 'create', '--fleet', 'lab', '--agent-config', ann.file('evil')]
  const evil = changeFleet('lab', { product: 'evil' })
  await refusesLie('fleet_of_other_product', evil, ...join)
  await refusesLie('fleet_of_other_product', evil, ...join, ...signWithAll())
  const beta = changeFleet('lab', { channel: 'beta' })
  await refusesLie('fleet_of_other_channel', beta, ...join)
  await assert.rejects(readFile(ann.file('evil')), { code: 'ENOENT' })
})

/** What the server lists now. */
async function captureList(fleet: string): Promise<EnrolmentView[]> {
  let seen: EnrolmentView[] = []
  lie = changeEnrolments((items) => (seen = items))
  await ann.ok('reader', 'list', '--fleet', fleet)
  lie = undefined
  return seen
}

interface ReaderLine {
  deviceId: string
  key: string
  standing: string
}

test('V8 readers are accepted by question, number or key, are told to others, and end', async (t) => {
  await ann.ok('fleet', 'create', 'rivers', '--product', 'web', '--channel', 'stable')
  const config = await makeConfig('rivers', 'rivers', ...signWithAll())
  const receivers = [await addReceiver(server, config), await addReceiver(server, config)]
  const [first, second] = receivers as [Receiver, Receiver]
  t.after(() => receivers.forEach(({ close }) => close()))
  const inFleet = ['--fleet', 'rivers']
  await writeFile(ann.file('word'), 'flow')
  const set = ['secret', 'set', 'TOKEN', ...inFleet, '--file', ann.file('word')]
  const lines = async (user = ann) => {
    type Shown = { product: string; devices: ReaderLine[] }
    const { devices } = await user.json<Shown>('reader', 'list', ...inFleet)
    return new Map(devices.map((one) => [one.deviceId, one]))
  }
  const standings = async (user = ann) =>
    receivers.map(async ({ device }) => (await lines(user)).get(device.id)?.standing)
  const isNow = async (expected: (string | undefined)[], user = ann) =>
    assert.deepEqual(await Promise.all(await standings(user)), expected)

  // Somebody is there, and --yes does not answer in their place.
  answer = false
  assert.match(await ann.fails(1, '--yes', ...set), /not confirmed; nothing was done/)
  answer = undefined
  assert.match(
    asked.at(-1)!,
    /Accept these 2 devices as readers of the secrets of rivers, .* web\?/,
  )
  const plan = await ann.ok(...set, '--dry-run')
  assert.match(plan, /Would seal TOKEN to 0 devices of rivers \(product web\)/)
  await isNow(['new', 'new'])
  assert.match(await ann.fails(2, 'reader', 'accept', ...inFleet), /nobody is there/)
  const { key } = (await lines()).get(first.device.id)!
  const short = await ann.fails(2, 'reader', 'accept', ...inFleet, '--key', key.slice(0, 16))
  assert.match(short, /is not a whole key/)
  await ann.ok('reader', 'accept', ...inFleet, '--key', key)
  await isNow(['accepted', 'new'])
  type Plan = { readers: { key: string }[]; waiting: { standing: string }[]; sealedFor: number }
  const told = await ann.json<Plan>(...set, '--dry-run')
  assert.deepEqual([told.sealedFor, told.waiting.map((one) => one.standing)], [0, ['new']])
  assert.deepEqual(
    told.readers.map((one) => one.key),
    [key],
  )
  answer = true
  assert.match(await ann.ok(...set), /to 2 devices of rivers/)
  answer = undefined

  // A machine that builds takes over what ann accepted, by its digest.
  const robot = await createCliUser(scope, 'robot')
  await robot.ok('login', server.url, '--pin', server.pin, '--token', server.token)
  await writeFile(robot.file('word'), 'ebb')
  const robotSets = [...set.slice(0, -1), robot.file('word')]
  await robot.fails(3, ...robotSets)
  const join = ['provisioning-key', 'create', ...inFleet, '--agent-config', robot.file('a.json')]
  await robot.fails(3, ...join, '--channel', 'beta')
  assert.match((await robot.run(...join)).err, /is the server's word alone/)
  // Devices are not accepted by number where the server alone says what they are.
  assert.match(await robot.fails(2, ...robotSets, '--accept-new', '2'), /--product PRODUCT/)
  const other = await robot.fails(3, ...robotSets, '--accept-new', '2', '--product', 'evil')
  assert.match(other, /rivers runs evil as you say, and the server says web/)
  const file = ann.file('readers.json')
  const { sha256 } = await ann.json<{ sha256: string }>('reader', 'export', file)
  assert.match(await robot.fails(2, 'reader', 'import', file), /nobody is there to accept/)
  await robot.fails(3, 'reader', 'import', file, '--sha256', sha256.replace(/^./, '-'))
  await robot.ok('reader', 'import', file, '--sha256', sha256)
  await isNow(['accepted', 'accepted'], robot)
  await robot.ok(...robotSets)
  assert.deepEqual(await readSettings(second), { TOKEN: 'ebb' })

  // A reader that ann ends also ends for the machine with her next record; no older one undoes it.
  await ann.ok('reader', 'remove', key.slice(0, 16), ...inFleet)
  await isNow(['came_back', 'accepted'])
  const later = ann.file('later.json')
  const next = await ann.json<{ sha256: string }>('reader', 'export', later)
  await robot.ok('reader', 'import', later, '--sha256', next.sha256)
  await robot.ok('reader', 'import', file, '--sha256', sha256)
  await isNow(['came_back', 'accepted'], robot)
  await robot.ok('reader', 'forget', ...inFleet)
  await isNow(['new', 'new'], robot)
})

test('V8 fault: files that a machine keeps are damaged, gone or locked: each command says so before the server acts, and its way out works', async () => {
  const gwen = await createCliUser(scope, 'gwen')
  const login = ['login', server.url, '--pin', server.pin, '--token', server.token]
  await gwen.ok(...login)
  await gwen.ok('trust', 'status')
  const [name] = await readdir(gwen.file('config/servers'))
  const kept = (file: string) => gwen.file(`config/servers/${name}/${file}`)
  const create = (fleet: string) =>
    ['fleet', 'create', fleet, '--product', 'web', '--channel', 'stable'] as const
  await gwen.ok(...create('marsh'))
  const exported = gwen.file('exported.json')
  const { sha256 } = await gwen.json<{ sha256: string }>('reader', 'export', exported)

  await writeFile(kept('readers.json'), 'garbage')
  assert.match(await gwen.fails(1, ...create('bog')), /readers\.json is damaged.*\n.*reader import/)
  await gwen.fails(5, 'fleet', 'show', 'bog')
  const imported = await gwen.run('reader', 'import', exported, '--sha256', sha256)
  assert.deepEqual([imported.exitCode, /is kept as .*damaged-/.test(imported.err)], [0, true])
  await rm(kept('readers.json.lock'))
  await writeFile(kept('readers.json.lock'), 'garbage, and longer than nothing')
  assert.match(
    await gwen.fails(1, ...create('bog')),
    /readers\.json\.lock cannot be used.*\n.*remove/,
  )
  await gwen.fails(5, 'fleet', 'show', 'bog')
  await rm(kept('readers.json.lock'))
  await gwen.ok(...create('bog'))
  const second = await gwen.json<{ sha256: string }>('reader', 'export', gwen.file('second.json'))
  const fleets = await readFile(gwen.file('second.json'), 'utf8')
  assert.match(fleets, /"marsh"[^]*"bog"|"bog"[^]*"marsh"/, second.sha256)

  await writeFile(kept('own-copies.json'), 'garbage')
  await writeFile(gwen.file('word'), 'reed')
  const set = ['secret', 'set', 'TOKEN', '--fleet', 'bog', '--file', gwen.file('word')]
  assert.match(await gwen.fails(1, ...set), /own-copies\.json is damaged/)
  assert.match(await gwen.ok('secret', 'list', '--fleet', 'bog'), /No secrets/)

  await writeFile(kept('token.lock'), 'garbage, and longer than nothing')
  assert.match(await gwen.fails(1, 'token', 'refresh'), /token\.lock cannot be used/)
  await rm(kept('token.lock'))
  await gwen.ok('trust', 'status')

  await rm(kept('trust/anchor.json'))
  assert.match(await gwen.fails(3, 'trust', 'status'), /anchor\.json is gone.*\n.*seaworthy login/)
  assert.match((await gwen.run(...login)).err, /anchor\.json was gone\. It was fetched anew/)
  await gwen.ok('trust', 'status')
  for (const slot of ['a', 'b']) await writeFile(kept(`trust/state-${slot}`), 'garbage')
  assert.match(await gwen.fails(3, 'trust', 'status'), /state-a and state-b .*\n.*seaworthy login/)
  for (const slot of ['a', 'b']) await rm(kept(`trust/state-${slot}`))
  assert.match((await gwen.run(...login)).err, /begins anew at the pinned root/)
  await gwen.ok('trust', 'status')

  await rm(kept('checkpoint'))
  const forgotten = await gwen.run('whoami')
  assert.match(forgotten.out, /audit log: +\d+ entries, seen for the first time/)
  assert.match(forgotten.err, /WARNING: this machine has seen the audit log .* before/)
  const after = await gwen.run('whoami')
  assert.match(after.out, /entries, consistent with what was seen before/)
  assert.equal(after.err, '')
})

test('V8 a secret is read from standard input, byte for byte', async (t) => {
  await ann.ok('fleet', 'create', 'ponds', '--product', 'web', '--channel', 'stable')
  const config = await makeConfig('ponds', 'ponds', ...signWithAll())
  const receiver = await addReceiver(server, config)
  t.after(() => receiver.close())
  const launcher = fileURLToPath(new URL('../bin/seaworthy', import.meta.url))
  const args = ['--config-dir', ann.file('config'), 'secret', 'set', 'TOKEN', '--fleet', 'ponds']
  const word = ' two lines\nand no end of line'
  const env = { PATH: process.env['PATH'] ?? '', HOME: '/nonexistent' }
  const run = promisify(execFile)(launcher, [...args, '--stdin', '--accept-new', '1'], { env })
  run.child.stdin!.end(word)
  assert.match((await run).stdout, /Sealed TOKEN, version \d+, to 1 device of ponds/)
  assert.deepEqual(await readSettings(receiver), { TOKEN: word })
})

test('A8 a credential is stored, asked for, lent once and given back by commands, and is nowhere in the files of a stolen server', async () => {
  const value = `open-${hexEncode(systemRandom.bytes(8))}`
  await writeFile(ann.file('console.txt'), `${value}\n`)
  const add = ['credential', 'add', 'console', '--file', ann.file('console.txt')]
  assert.match(await ann.ok(...add, '--about', 'the crane'), /Stored console\. Whoever needs it/)
  assert.match(await ann.fails(2, ...add, '--member-of', 'readers'), /without --postgresql/)
  await ann.fails(3, ...add)
  assert.match(await ann.ok('credential', 'list'), /console +the crane +1 +0/)
  const request = ['credential', 'request', 'console', '--reason', 'a test', '--for', '5m']
  const { id } = await ann.json<{ id: string }>(...request)
  assert.equal(await ann.ok('credential', 'lease', id), `${value}\n`)
  assert.match(await ann.fails(3, 'credential', 'lease', id), /open already/)
  assert.match(await ann.ok('credential', 'show', 'console'), /open +5m 00s/)
  assert.match(await ann.ok('credential', 'revoke', id), /has ended\.\nWhoever has seen console/)

  await writeFile(ann.file('console.bin'), Uint8Array.of(0, 255))
  await ann.ok('credential', 'replace', 'console', '--file', ann.file('console.bin'))
  const next = await ann.json<{ id: string }>(...request)
  await ann.fails(1, 'credential', 'lease', next.id, '-o', ann.file('console.txt'))
  const file = ann.file('console.out')
  await ann.ok('credential', 'lease', next.id, '-o', file)
  assert.deepEqual([...(await readFile(file))], [0, 255])
  assert.match(await ann.ok('credential', 'leases'), /a test/)
  await ann.ok('credential', 'remove', 'console')
  await ann.fails(5, 'credential', 'show', 'console')
  assert.deepEqual(await searchServer(server, { credential: value }), [])
})
