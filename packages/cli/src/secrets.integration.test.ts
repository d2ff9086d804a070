/** Enrolment as people see it: which devices holders enrolled, whatever the server says. */
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { before, test } from 'node:test'
import { base64Encode } from '@seaworthy/std/bytes'
import type { EnrolmentKey } from '@seaworthy/trust/enrolment'
import { enrol, parseEnrolmentKey } from '@seaworthy/trust/enrolment'
import { generateReceivingKey } from '@seaworthy/trust/hpke'
import type { Signer } from '@seaworthy/trust/keys'
import { generateSigner } from '@seaworthy/trust/keys'
import type { CliUser } from './testing/cli-user.ts'
import { createCliUser } from './testing/cli-user.ts'
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
