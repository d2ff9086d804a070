/** The witness must be able to say no: each test is a device that is broken in one way. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runScript } from '../script/run-script.ts'
import { copyArtifacts } from './artifacts.ts'
import { createAttacker } from './attacker.ts'
import { attacks } from '../attacks/index.ts'
import { createArguments } from '../script/parse-script.ts'
import { compareFiles } from './compare-files.ts'
import { createWitness } from './invariants.ts'
import type { World } from './world.ts'
import { createWorld } from './world.ts'

async function inWorld(use: (world: World) => Promise<void>): Promise<void> {
  const world = await createWorld(99)
  try {
    await world.addChannel('app', 'stable')
    await world.publish({ product: 'app', channel: 'stable', version: '1.0.0' })
    await use(world)
  } finally {
    world.dispose()
  }
}

async function bootDevice(world: World) {
  const device = await world.addDevice({ name: 'd1', product: 'app', channel: 'stable' })
  await device.powerOn()
  await world.time.advance(300_000)
  return device
}

test('T7 counter-example: a device that runs what the signers did not sign is caught', () =>
  inWorld(async (world) => {
    const device = await bootDevice(world)
    const witness = createWitness(world)
    witness.check(device, true)
    const attacker = createAttacker(world)
    attacker.takeServer()
    attacker.takeKeys('app.stable', 2)
    await attacks['forge-release']!.run(
      attacker,
      createArguments(['app', 'stable', '6.6.6'], new Map()),
    )
    // This is as if the device had let it through without any signature.
    world.signed.pop()
    world.server.assign = () => {
      const [path, target] = Object.entries(attacker.current('app.stable').targets).at(-1)!
      return { targetPath: path, sha256: target.hashes['sha256']! }
    }
    device.life!.installer.pollNow()
    await world.time.advance(300_000)
    assert.throws(() => witness.check(device, true), /runs what nobody signed for app\/stable/)
  }))

test('T7 counter-example: a device that forgets how far it had come is caught', () =>
  inWorld(async (world) => {
    const device = await bootDevice(world)
    const witness = createWitness(world)
    const before = device.disk.afterPowerCut('everything')
    await world.publish({ product: 'app', channel: 'stable', version: '1.1.0' })
    device.life!.installer.pollNow()
    await world.time.advance(300_000)
    witness.check(device, true)
    device.powerOff()
    device.disk = before
    await device.powerOn()
    await world.time.settle()
    assert.throws(
      () => witness.check(device, true),
      /runs 1\.0\.0 with counter 1 after committing 2/,
    )
  }))

test('T7 counter-example: a device that starts a release with a damaged file is caught', () =>
  inWorld(async (world) => {
    const device = await bootDevice(world)
    const witness = createWitness(world)
    device.onStart = (app) => witness.noteStart(device, app)
    device.powerOff()
    device.disk = device.disk.afterPowerCut('everything')
    const [file] = device.disk
      .filesBelow(device.layout.releases)
      .filter(({ path }) => path.endsWith('/share/ballast'))
    device.disk.overwrite(file!.path, file!.bytes.slice(0, 512))
    await device.powerOn()
    await world.time.advance(60_000)
    assert.throws(
      () => witness.check(device, true),
      /runs 1\.0\.0, which is not whole: share\/ballast has 512 bytes/,
    )
  }))

test('T7 counter-example: a device that forgets a floor it has seen, and begins a release below it, is caught', () =>
  inWorld(async (world) => {
    const device = await bootDevice(world)
    const witness = createWitness(world)
    const before = device.disk.afterPowerCut('everything')
    const below = { product: 'app', channel: 'stable', version: '1.1.0' }
    await world.publish(below)
    const older = copyArtifacts(world.artifacts)
    await world.publish({ ...below, version: '1.2.0', floor: 3, platform: 'linux/arm64' })
    device.life!.installer.pollNow()
    await world.time.advance(300_000)
    witness.check(device, true)
    assert.equal(device.life!.installer.status()['committedCounter'], 1)
    device.powerOff()
    device.disk = before
    world.server.artifacts = older
    await device.powerOn()
    await world.time.advance(300_000)
    assert.throws(
      () => witness.check(device, true),
      /begins 1\.1\.0 with counter 2 after it has seen the floor 3/,
    )
  }))

test('T7 counter-example: a floor, a key or trusted metadata that goes back is caught', () =>
  inWorld(async (world) => {
    const view = {
      keyId: 'k',
      deviceId: 'device_1',
      committedCounter: 3,
      floor: 2,
      metadata: { root: 2, 'app.stable': 5 },
    }
    const after = (change: Partial<typeof view>) => () => {
      const witness = createWitness({ server: world.server, signed: [] })
      witness.note('d1', view)
      witness.note('d1', { ...view, ...change })
    }
    assert.doesNotThrow(after({}))
    assert.throws(after({ floor: 1 }), /the floor was 2 and is 1/)
    assert.throws(after({ keyId: 'other' }), /the device key/)
    assert.throws(after({ deviceId: 'device_2' }), /the device id/)
    assert.throws(after({ metadata: { root: 1, 'app.stable': 5 } }), /the trusted root/)
    assert.throws(after({ metadata: { root: 2, 'app.stable': 4 } }), /the trusted app\.stable/)
  }))

test('V1 counter-example: on a disk that lies about durability, the power cut at every write finds a broken device', async () => {
  const script = `seed 1
channel app stable
publish app stable 1.0.0
add device d1 app stable
device d1 on
publish app stable 1.1.0
disk d1 lies
cut power d1 at every write during poll`
  await assert.rejects(runScript(script), /not whole|was \d+ and is \d+|stopped: state_unreadable/)
})

test('every kind of difference between files and their list is named', () => {
  const bytes = new Uint8Array([1])
  const sha256 = '4bf5122f344554c53bde2ebb8cd2b7e3d1600ad631c385a5d7cce23c7785459a'
  const list = {
    entries: [{ type: 'file', path: 'f', size: 1, mode: '0644', sha256 }] as const,
  }
  const file = { path: '/r/f', bytes, mode: 0o644 }
  assert.equal(compareFiles([file], '/r/', list), undefined)
  assert.equal(compareFiles([], '/r/', list), 'f is missing')
  assert.equal(compareFiles([{ ...file, mode: 0o600 }], '/r/', list), 'f has another mode')
  const other = { ...file, bytes: new Uint8Array([2]) }
  assert.equal(compareFiles([other], '/r/', list), 'f has other content')
  const longer = { ...file, bytes: new Uint8Array(2) }
  assert.equal(compareFiles([longer], '/r/', list), 'f has 2 bytes')
  const extra = { ...file, path: '/r/g' }
  assert.equal(compareFiles([file, extra], '/r/', list), 'g is not in the release')
})
