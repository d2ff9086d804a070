/** What honest people do: publish, withdraw, rotate keys, set up mirrors and devices, wait. */
import { expiryOf, renewRole } from '@seaworthy/trust/tuf'
import type { SimDevice } from '../world/device.ts'
import type { Behaviour } from '../world/releases.ts'
import { behaviours } from '../world/releases.ts'
import type { PublishOptions, World } from '../world/world.ts'
import type { Commands, Stage } from './command.ts'
import { cutPower, patienceMs } from './command.ts'
import type { Arguments } from './parse-script.ts'
import { ScriptError } from './parse-script.ts'

export const worldCommands: Commands = {
  channel: {
    usage: 'channel PRODUCT CHANNEL [copies=N]',
    async run({ world }, given) {
      const product = given.next('product')
      const channel = given.next('channel')
      const copies = given.countOption('copies')
      if (copies === undefined) return world.addChannel(product, channel)
      for (let i = 1; i <= copies; i++) await world.addChannel(`${product}${i}`, channel)
    },
  },
  publish: {
    usage:
      'publish PRODUCT CHANNEL VERSION [behaviour=…] [counter=N] [floor=N] [platform=P] [content-of=VERSION] [size=BYTES]',
    async run({ world, tell }, given) {
      const { counter, floor } = await world.publish(readRelease(given))
      tell(`counter ${counter}, floor ${floor}`)
    },
  },
  withdraw: {
    usage: 'withdraw PRODUCT CHANNEL VERSION',
    async run({ world }, given) {
      world.repository.now = world.time.now()
      await world.repository.withdrawRelease(
        given.next('product'),
        given.next('channel'),
        given.next('version'),
      )
    },
  },
  rotate: {
    usage: 'rotate ROLE KEYS THRESHOLD [times=N]',
    async run({ world }, given) {
      const role = given.next('role')
      const keyCount = given.count('keys')
      const threshold = given.count('threshold')
      const times = given.countOption('times') ?? 1
      world.repository.now = world.time.now()
      for (let i = 0; i < times; i++) {
        await world.repository.rotateKeys(role, keyCount, threshold)
      }
    },
  },
  renew: {
    usage: 'renew ROLE…',
    async run({ world }, given) {
      const roles: string[] = []
      while (!given.isEmpty) roles.push(given.next('role'))
      await renewRoles(world, roles)
    },
  },
  mirror: {
    usage: 'mirror NAME live|frozen',
    async run({ world }, given) {
      const name = given.next('name')
      world.addMirror(name, given.take('live') || !given.take('frozen'))
    },
  },
  add: {
    usage: 'add device NAME PRODUCT CHANNEL [mirrors=A,B] [without=server]',
    async run(stage, given) {
      given.take('device')
      const mirrors = given.option('mirrors')
      await addDevice(stage, {
        name: given.next('name'),
        product: given.next('product'),
        channel: given.next('channel'),
        mirrors: mirrors === undefined ? [] : mirrors.split(','),
        isMirrorOnly: given.option('without') === 'server',
      })
    },
  },
  fleet: {
    usage:
      'fleet PREFIX COUNT PRODUCT CHANNEL: devices that have installed what there is, switched off',
    async run(stage, given) {
      const prefix = given.next('prefix')
      const count = given.count('devices')
      const product = given.next('product')
      const channel = given.next('channel')
      const fleet: SimDevice[] = []
      for (let i = 1; i <= count; i++) {
        fleet.push(await addDevice(stage, { name: `${prefix}${i}`, product, channel }))
      }
      // A line that all of them would tell is no story.
      stage.world.tell = () => {}
      for (const device of fleet) await device.powerOn()
      await stage.world.time.advance(patienceMs)
      stage.world.tell = stage.tell
      for (const device of fleet) {
        stage.witness.check(device, true)
        cutPower(device, 'everything')
      }
    },
  },
  backup: {
    usage: 'backup NAME taken|restored: what the server knows of devices',
    async run({ world, backups }, given) {
      const name = given.next('name')
      const verb = given.next('what happens to it')
      const restore = backups.get(name)
      if (verb === 'taken') backups.set(name, world.server.remember())
      else if (verb === 'restored' && restore !== undefined) restore()
      else throw new ScriptError(`backup ${name} cannot be ${verb}`)
    },
  },
  wait: {
    usage: 'wait DURATION',
    run: ({ world }, given) => world.time.advance(given.durationMs('duration')),
  },
}

async function addDevice(
  { world, witness }: Stage,
  options: Parameters<World['addDevice']>[0],
): Promise<SimDevice> {
  const device = await world.addDevice(options)
  device.onStart = (app) => witness.noteStart(device, app)
  return device
}

function readRelease(given: Arguments): PublishOptions {
  const behaviour = given.option('behaviour')
  if (behaviour !== undefined && !behaviours.includes(behaviour as Behaviour)) {
    throw new ScriptError(`behaviour: one of ${behaviours.join(', ')}`)
  }
  const counter = given.countOption('counter')
  const floor = given.countOption('floor')
  const ballastBytes = given.countOption('size')
  const platform = given.option('platform')
  const contentOf = given.option('content-of')
  return {
    product: given.next('product'),
    channel: given.next('channel'),
    version: given.next('version'),
    ...(behaviour === undefined ? {} : { behaviour: behaviour as Behaviour }),
    ...(counter === undefined ? {} : { counter }),
    ...(floor === undefined ? {} : { floor }),
    ...(ballastBytes === undefined ? {} : { ballastBytes }),
    ...(platform === undefined ? {} : { platform }),
    ...(contentOf === undefined ? {} : { contentOf }),
  }
}

/** The offline keys sign the same content again, with a new expiry. */
async function renewRoles({ repository, time }: World, roles: readonly string[]): Promise<void> {
  repository.now = time.now()
  for (const role of roles) {
    const signed = repository.targets.get(role)
    if (signed === undefined) throw new ScriptError(`there is no role ${role}`)
    repository.targets.set(role, renewRole(signed, expiryOf(role, repository.now)))
  }
  await repository.publish(...roles)
}
