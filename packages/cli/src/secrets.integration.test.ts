/**
 * Enrolment and secrets as people see them: which devices holders enrolled, whatever the server
 * says, and that a secret is sealed to no other.
 */
import assert from 'node:assert/strict'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { before, test } from 'node:test'
import { base64Decode, base64Encode, hexEncode, utf8Decode, utf8Encode } from '@seaworthy/std/bytes'
import type { EnrolmentKey } from '@seaworthy/trust/enrolment'
import { enrol, parseEnrolmentKey } from '@seaworthy/trust/enrolment'
import type { ReceivingKey } from '@seaworthy/trust/hpke'
import { generateReceivingKey, openReceivingKey } from '@seaworthy/trust/hpke'
import type { Signer } from '@seaworthy/trust/keys'
import { generateSigner } from '@seaworthy/trust/keys'
import { createSecretEnvelope } from '@seaworthy/trust/secrets'
import type { CliUser } from './testing/cli-user.ts'
import { createCliUser } from './testing/cli-user.ts'
import type { RegisteredDevice } from './testing/devices.ts'
import { registerDevices } from './testing/devices.ts'
import { openFileScope } from './testing/scope.ts'
import type { TestedServer } from './testing/server.ts'
import { startServer } from './testing/server.ts'

const scope = openFileScope()
let server: TestedServer
let ann: CliUser
let keys: string[]

before(async () => {
  server = await startServer(scope)
  ann = await createCliUser(scope, 'ann')
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

interface Config {
  provisioningKey: string
  enrolmentKey?: string
}

async function makeConfig(name: string, fleet: string, ...more: string[]): Promise<Config> {
  const file = ann.file(`${name}.json`)
  const options = ['--fleet', fleet, '--uses', '9', '--agent-config', file]
  await ann.ok('provisioning-key', 'create', ...options, ...more)
  return JSON.parse(await readFile(file, 'utf8')) as Config
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

interface Receiver {
  device: RegisteredDevice
  key: ReceivingKey
  close: () => void
}

/** A device that shows an enrolment and stays connected; `shown` replaces its receiving key. */
async function addReceiver(config: Config, shown?: string): Promise<Receiver> {
  const key = await openReceivingKey((await generateReceivingKey()).pkcs8)
  const enrolmentKey = parseEnrolmentKey(config.enrolmentKey!)
  const receivingKey = base64Encode(key.publicKey)
  const { devices, close } = await registerDevices(server, {
    provisioningKey: config.provisioningKey,
    count: 1,
    counterOf: () => 1,
    enrol: async (signer) => ({
      ...(await enrol(enrolmentKey, { publicKey: signer.key, receivingKey })),
      ...(shown === undefined ? {} : { receivingKey: shown }),
    }),
  })
  return { device: devices[0]!, key, close }
}

/** What the device opens of what its server gives it. */
async function readSettings({ device, key }: Receiver): Promise<Record<string, string>> {
  const { fleet, entries } = await device.readConfiguration()
  const envelope = await createSecretEnvelope()
  const opened: Record<string, string> = {}
  for (const { name, kind, isOfFleet, version, content } of entries) {
    const bytes = base64Decode(content)
    const place = isOfFleet ? { fleet } : ('device' as const)
    const binding = { place, name, version, deviceKeyId: device.keyId }
    opened[name] = utf8Decode(
      kind === 'variable' ? bytes : await envelope.open(key, binding, bytes),
    )
  }
  return opened
}

async function* filesBelow(folder: string): AsyncGenerator<string> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) yield* filesBelow(path)
    else if (entry.isFile()) yield path
  }
}

/** Names of files of the server, its database included, that hold one of the texts. */
async function grepServer(texts: readonly string[]): Promise<string[]> {
  const found: string[] = []
  for await (const path of filesBelow(server.folder)) {
    // A file of the running database may be gone by now.
    const bytes = await readFile(path).catch(() => undefined)
    if (bytes !== undefined && texts.some((text) => bytes.includes(text))) found.push(path)
  }
  if (texts.some((text) => server.log().includes(text))) found.push('the log')
  return found
}

const formsOf = (text: string) => [
  text,
  base64Encode(utf8Encode(text)),
  hexEncode(utf8Encode(text)),
]

test('V8 attack: a secret is sealed to enrolled devices alone, and nothing of the server holds it', async (t) => {
  await ann.ok('fleet', 'create', 'boats', '--product', 'web', '--channel', 'stable')
  const config = await makeConfig('boats', 'boats', ...signWithAll())
  const genuine = await addReceiver(config)
  t.after(() => genuine.close())
  const thief = await generateReceivingKey()
  // The server shows the thief's key in the place of the device's own.
  const exchanged = await addReceiver(config, base64Encode(thief.publicKey))
  t.after(() => exchanged.close())

  const word = `planted-${'s3cret'.repeat(4)}`
  await writeFile(ann.file('word'), word)
  const { err } = await ann.run(
    'secret',
    'set',
    'TOKEN',
    '--fleet',
    'boats',
    '--file',
    ann.file('word'),
  )
  assert.match(err, new RegExp(`${exchanged.device.id} is not enrolled and does not get it`))
  const visible = `visible-${'c0lour'.repeat(4)}`
  await ann.ok('variable', 'set', 'COLOUR', visible, '--fleet', 'boats')
  assert.deepEqual(await readSettings(genuine), { COLOUR: visible, TOKEN: word })
  assert.deepEqual(await readSettings(exchanged), { COLOUR: visible })
  const own = ['secret', 'set', 'TOKEN', '--device', exchanged.device.id]
  const refused = await ann.fails(3, ...own, '--file', ann.file('word'))
  assert.match(refused, /is not enrolled: nothing was sealed/)

  // What stands there in clear is found, so that the search could find the secret.
  assert.ok((await grepServer([visible])).length > 0)
  assert.deepEqual(await grepServer(formsOf(word)), [])
  const listed = await ann.ok('--json', 'secret', 'list', '--fleet', 'boats')
  assert.ok(!listed.includes(word))
})

test('V8 a device comes before its fleet, a later device waits until it is sealed to, and what is removed is gone', async (t) => {
  await ann.ok('fleet', 'create', 'lakes', '--product', 'web', '--channel', 'stable')
  const config = await makeConfig('lakes', 'lakes', ...signWithAll())
  const first = await addReceiver(config)
  t.after(() => first.close())
  const inFleet = ['--fleet', 'lakes']
  const onDevice = ['--device', first.device.id]
  const write = async (text: string) => {
    await writeFile(ann.file('word'), text)
    return ['--file', ann.file('word')]
  }
  await ann.ok('secret', 'set', 'TOKEN', ...inFleet, ...(await write('of the fleet')))
  await ann.ok('variable', 'set', 'COLOUR', 'red', ...inFleet)
  await ann.ok('variable', 'set', 'COLOUR', 'blue', ...onDevice)
  assert.deepEqual(await readSettings(first), { COLOUR: 'blue', TOKEN: 'of the fleet' })
  type Shown = { name: string; value: string }[]
  const effective = await ann.json<Shown>('variable', 'list', ...onDevice, '--effective')
  assert.deepEqual(
    effective.map(({ value }) => value),
    ['blue'],
  )

  const second = await addReceiver(config)
  t.after(() => second.close())
  assert.deepEqual(await readSettings(second), { COLOUR: 'red' })
  const waiting = async () => {
    const list = await ann.json<{ waiting: number }[]>('secret', 'list', ...inFleet)
    return list.map((one) => one.waiting)
  }
  assert.deepEqual(await waiting(), [1])
  assert.match(await ann.ok('secret', 'seal', ...inFleet), /Sealed TOKEN to 1 device/)
  assert.deepEqual(await waiting(), [0])
  assert.match(await ann.ok('secret', 'seal', ...inFleet), /Nothing is missing/)
  assert.deepEqual(await readSettings(second), { COLOUR: 'red', TOKEN: 'of the fleet' })

  await ann.ok('secret', 'set', 'TOKEN', ...onDevice, ...(await write('of the device')))
  assert.equal((await readSettings(first))['TOKEN'], 'of the device')
  await ann.ok('secret', 'set', 'TOKEN', ...inFleet, ...(await write('rotated')))
  assert.equal((await readSettings(first))['TOKEN'], 'of the device')
  assert.equal((await readSettings(second))['TOKEN'], 'rotated')
  await ann.ok('secret', 'remove', 'TOKEN', ...onDevice)
  assert.equal((await readSettings(first))['TOKEN'], 'rotated')
  await ann.ok('variable', 'remove', 'COLOUR', ...inFleet)
  assert.deepEqual(await readSettings(second), { TOKEN: 'rotated' })

  const long = await ann.fails(
    3,
    ...['secret', 'set', 'LONG', ...inFleet],
    ...(await write('x'.repeat(1024 * 1024))),
  )
  assert.match(long, /a secret has at most 16384 bytes/)
  const kind = await ann.fails(3, 'variable', 'set', 'TOKEN', 'x', ...inFleet)
  assert.match(kind, /\(setting_of_other_kind\)/)
  const missing = await ann.fails(5, 'secret', 'remove', 'NOTHING', ...inFleet)
  assert.match(missing, /\(secret_not_found\)/)
  for (let i = 0; i < 3; i++) {
    await ann.ok('secret', 'set', `BIG_${i}`, ...inFleet, ...(await write('x'.repeat(16_384))))
  }
  const full = await ann.fails(
    3,
    'secret',
    'set',
    'BIG_3',
    ...inFleet,
    ...(await write('x'.repeat(16_384))),
  )
  assert.match(full, /\(configuration_too_large\)/)
})
