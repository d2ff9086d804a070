/**
 * An image from the file of its maker to the client of another system, by the commands of
 * docs/OTHER-CLIENTS.md.
 */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { test } from 'node:test'
import type { DeviceView } from '@seaworthy/api/devices'
import type { ReleaseView } from '@seaworthy/api/releases'
import { httpsTransport } from '@seaworthy/oci/transport'
import { readBody } from '@seaworthy/std/http'
import { waitUntil } from '@seaworthy/std/testing'
import { createCliUser } from './testing/cli-user.ts'
import { startServer } from './testing/server.ts'

test('D7 an image is released as it is, a device of another system gets it, and its token ends when told', async (t) => {
  const server = await startServer(t)
  const ann = await createCliUser(t, 'ann')
  await ann.ok('login', server.url, '--pin', server.pin, '--token', server.token)
  const key = ann.file('key')
  await ann.ok('key', 'create', key)
  await ann.ok('trust', 'init', '--root-key', key, '--threshold', '1')
  await ann.ok('product', 'create', 'gate', '--kind', 'os-image', '--sign-with', key)
  await ann.ok('channel', 'create', 'gate', 'stable', '--key', key, '--threshold', '1')
  const image = randomBytes(100_000)
  await writeFile(ann.file('gate.swu'), image)
  await writeFile(ann.file('modem.bin'), 'a second file')
  const from = (...files: string[]) =>
    files.flatMap((file) => ['--platform', 'linux/arm64', '--from', ann.file(file)])
  // A `.swu` file stays as it is because of its name. With another file beside it, the first
  // release of a product needs `--raw`.
  const create = ['release', 'create', 'gate']
  await ann.fails(2, ...create, '1.0', '--raw', '--platform', 'linux/arm64', '--from', ann.folder)
  const one = await ann.json<ReleaseView>(...create, '1.0', ...from('gate.swu'))
  assert.deepEqual([one.kind, one.platforms.length], ['os-image', 1])
  const two = await ann.json<ReleaseView>(...create, '2.0', ...from('gate.swu', 'modem.bin'))
  assert.equal(two.kind, 'os-image')
  // Nothing is computed of an image: its builder is told, unless the build hands something over.
  const sbom = ann.file('gate.cdx.json')
  await writeFile(sbom, '{"bomFormat":"CycloneDX","specVersion":"1.6","components":[]}')
  const { err: told } = await ann.run(...create, '0.8', ...from('gate.swu'))
  assert.match(told, /No bill of materials for linux\/arm64: .*--sbom FILE/)
  const { err: quiet } = await ann.run(...create, '0.9', ...from('gate.swu'), '--sbom', sbom)
  assert.doesNotMatch(quiet, /No bill of materials/)
  await ann.ok('release', 'sbom', 'gate', '0.9', '--handed-over')
  assert.match(
    await ann.fails(5, 'release', 'sbom', 'gate', '0.9'),
    /Of images nothing is computed/,
  )
  for (const version of ['1.0', '2.0']) {
    await ann.ok('publish', 'gate', version, '--channel', 'stable', '--sign-with', key)
  }
  await ann.ok('release', 'verify', 'gate', '2.0')
  await ann.ok('release', 'diff', 'gate', '1.0', '2.0')
  const exported = ann.file('exported')
  await ann.ok('release', 'export', 'gate', '2.0', '--output', exported)
  await ann.ok('release', 'verify', exported)

  const fleet = ['--product', 'gate', '--channel', 'stable', '--poll', '1s']
  await ann.ok('fleet', 'create', 'gates', ...fleet)
  const where = ['--fleet', 'gates', '--platform', 'linux/arm64']
  const device = ['device', 'create', ...where, '--protocol', 'ddi']
  await ann.fails(3, ...device)
  const made = await ann.json<{ device: DeviceView; token: string }>(...device, '--name', 'gate-1')
  assert.match(await ann.fails(3, ...device, '--name', 'gate-1'), /external_id_taken/)
  const { transport, close } = httpsTransport({ pin: server.pin, idleTimeoutMs: 120_000 })
  t.after(() => close())
  const ask = async (authorization: string, path: string, controller = 'gate-1') => {
    const url = `${server.url}/gates/controller/v1/${controller}${path}`
    const headers = { authorization, accept: 'application/json' }
    const response = await transport({ method: 'GET', url, headers })
    return { status: response.status, bytes: Buffer.from(await readBody(response, 1e7)) }
  }
  const own = `TargetToken ${made.token}`
  const base = JSON.parse((await ask(own, '')).bytes.toString()) as {
    _links: { deploymentBase: { href: string } }
  }
  assert.match(base._links.deploymentBase.href, /deploymentBase\/1\?c=1$/)
  const file = await ask(own, '/softwaremodules/1/artifacts/gate.swu')
  assert.ok(file.bytes.equals(image))
  const second = await ask(own, '/softwaremodules/1/artifacts/modem.bin')
  assert.equal(second.bytes.toString(), 'a second file')
  const actions = await ann.ok('device', 'actions', made.device.id)
  assert.match(actions, /gate-1/)
  assert.match(actions, /1\s+2\.0\s+running/)
  assert.match(await ann.ok('device', 'show', 'gate-1'), /protocol:\s+ddi/)

  // A newer release ends that action only when the client has stopped it, or a person says so.
  assert.match(await ann.fails(3, 'device', 'cancel', 'gate-1', '--force'), /\([a-z_]+\)/)
  const links = async () =>
    (JSON.parse((await ask(own, '')).bytes.toString()) as { _links: Record<string, object> })._links
  await ann.ok(...create, '3.0', ...from('gate.swu'))
  await ann.ok('publish', 'gate', '3.0', '--channel', 'stable', '--sign-with', key)
  await waitUntil('the client is asked to stop', async () => 'cancelAction' in (await links()))
  assert.match(await ann.fails(2, 'device', 'cancel', 'gate-1'), /device cancel gate-1 --force/)
  const ended = await ann.ok('device', 'cancel', 'gate-1', '--force')
  assert.match(ended, /^Ended action 1 \(2\.0\)\./)
  await waitUntil('the newer one is offered', async () =>
    JSON.stringify(await links()).includes('deploymentBase/2'),
  )

  // A device is found by its name, until a second one has the same.
  const other = await ann.json<{ device: DeviceView }>(...device, '--name', 'gate-2')
  const found = async (...filter: string[]) =>
    (await ann.json<DeviceView[]>('device', 'list', ...filter)).map(({ name }) => name)
  // A device that was never heard of counts from when it was made.
  assert.deepEqual(await found('--name', 'gate-', '--protocol', 'ddi', '--seen-within', '1h'), [
    'gate-1',
    'gate-2',
  ])
  assert.deepEqual(await found('--name', 'gate-', '--silent-for', '1h'), [])
  assert.equal((await found('--text', 'GATE', '--platform', 'linux/arm64')).length, 2)
  assert.match(await ann.ok('device', 'list', '--product', 'gate', '--count'), /^2 devices$/m)
  assert.deepEqual(await found('--sort', '-name', '--limit', '1'), ['gate-2'])
  assert.deepEqual(await found('--clock-off', '--behind', '1'), [])

  // Devices move together, by what they have in common, and first it is said what would happen.
  await ann.ok('fleet', 'create', 'piers', ...fleet, '--updates', 'off')
  const move = ['device', 'move', '--fleet', 'gates', '--to', 'piers', '--name', 'gate-2']
  const dry = await ann.ok(...move, '--dry-run')
  assert.match(dry, /^1 device would move from gates to piers: 1 run nothing\.\n/)
  assert.match(dry, /follows the channel stable, as gates does: .*updates off\./)
  assert.ok(dry.includes(other.device.id) && !dry.includes(made.device.id), dry)
  assert.match(await ann.ok(...move), /^Moved 1 device from gates to piers\.\n/)
  assert.match(await ann.ok(...move), /^0 devices would move.*\n.*\nNo device was moved\.\n/)
  assert.match(await ann.fails(2, 'device', 'move', '--to', 'piers'), /which fleet they leave/)
  assert.match(await ann.fails(5, ...move.with(5, 'nowhere')), /fleet_not_found/)
  assert.deepEqual(await found('--fleet', 'piers'), ['gate-2'])
  await ann.ok('device', 'set', 'gate-2', '--name', 'gate-1')
  const ambiguous = await ann.fails(2, 'device', 'show', 'gate-1')
  assert.ok(ambiguous.includes(made.device.id) && ambiguous.includes(other.device.id), ambiguous)
  assert.match(await ann.fails(5, 'device', 'why', 'gate-2'), /no device with the id or name/)

  const { token } = await ann.json<{ token: string }>('device', 'rotate', made.device.id)
  assert.equal((await ask(own, '')).status, 401)
  assert.equal((await ask(`TargetToken ${token}`, '')).status, 200)
  await ann.ok('device', 'remove', made.device.id)
  assert.equal((await ask(`TargetToken ${token}`, '')).status, 401)

  const gateway = await ann.json<{ view: { id: string }; token: string }>(
    'gateway-token',
    'create',
    ...where,
    '--uses',
    '1',
  )
  const asGateway = `GatewayToken ${gateway.token}`
  assert.equal((await ask(asGateway, '', 'behind-1')).status, 200)
  assert.equal((await ask(asGateway, '', 'behind-2')).status, 401)
  assert.match(await ann.ok('gateway-token', 'list', '--fleet', 'gates'), /gateway_/)
  await ann.ok('gateway-token', 'revoke', gateway.view.id)
  assert.equal((await ask(asGateway, '', 'behind-1')).status, 401)
  assert.ok(!(await ann.ok('gateway-token', 'list', '--fleet', 'gates')).includes(gateway.view.id))
})
