/** What happens to devices: power, polls, clocks, disks, and the network before them. */
import { posix } from 'node:path'
import type { SimDevice } from '../world/device.ts'
import { stateDir } from '../world/device.ts'
import type { CutMode } from '../world/power-cut.ts'
import type { Fault } from '../world/network.ts'
import { originOfMirror, serverOrigin } from '../world/world.ts'
import type { World } from '../world/world.ts'
import { seededRandom } from '@seaworthy/std/random'
import { parseDuration } from '@seaworthy/std/time'
import type { Commands, Stage } from './command.ts'
import { bootDevice, cutPower, deviceNamed, patienceMs, pollDevice } from './command.ts'
import type { Arguments } from './parse-script.ts'
import { ScriptError } from './parse-script.ts'
import { sweepPowerCuts } from './sweep.ts'

export const deviceCommands: Commands = {
  device: {
    usage: 'device NAME on|off|kill|poll|update until STATE',
    async run(stage, given) {
      const device = deviceNamed(stage, given.next('name'))
      const verb = given.next('what it does')
      switch (verb) {
        case 'on':
          return bootDevice(stage.world, device)
        case 'off':
          return cutPower(device, 'everything')
        case 'kill':
          await device.restartAgent()
          return stage.world.time.advance(patienceMs)
        case 'update':
          given.take('until')
          return updateUntil(stage.world, device, given.next('state'))
        case 'poll':
          return pollDevice(stage.world, device)
        default:
          throw new ScriptError(`a device cannot ${verb}`)
      }
    },
  },
  cut: {
    usage:
      'cut power NAME at write N [keep=nothing|everything|SEED]   |   cut power NAME at every write during poll|boot [torn=COUNT] until VERSION',
    async run(stage, given) {
      given.take('power')
      const device = deviceNamed(stage, given.next('name'))
      given.take('at')
      if (given.take('every')) return sweepPowerCuts(stage, device, given)
      given.take('write')
      armPowerCut(stage, device, given.count('write'), cutModeOf(given.option('keep')))
    },
  },
  clock: {
    usage: 'clock NAME +DURATION|-DURATION|true',
    async run(stage, given) {
      const device = deviceNamed(stage, given.next('name'))
      const change = given.next('change')
      if (change === 'true') return device.setClock(0)
      const ms = parseDuration(change.slice(1))
      device.setClock(change.startsWith('-') ? -ms : ms)
    },
  },
  disk: {
    usage:
      'disk NAME full [BYTES] | lies | ok | save|put|remove|empty|truncate|corrupt|unreadable FILE',
    async run(stage, given) {
      const device = deviceNamed(stage, given.next('name'))
      changeDisk(stage, device, given)
    },
  },
  network: {
    usage:
      'network server|MIRROR drop | delay D | trickle BYTES D | truncate BYTES | spoil BYTES | endless | oversize BYTES | redirect HOST | corrupt OFFSET | ok  [path=REGEX]',
    async run({ world }, given) {
      const origin = originOf(world, given.next('host'))
      if (given.take('ok')) {
        const { faults } = world.network
        const others = faults.filter((placed) => placed.origin !== origin)
        faults.length = 0
        for (const other of others) faults.push(other)
        return
      }
      const fault = readFault(world, given)
      const path = given.option('path')
      world.network.faults.push({
        origin,
        fault,
        ...(path === undefined ? {} : { path: new RegExp(path) }),
      })
    },
  },
}

export function originOf(world: World, host: string): string {
  if (host === 'server') return serverOrigin
  if (!world.mirrors.has(host) && host !== 'elsewhere') {
    throw new ScriptError(`there is no host ${host}`)
  }
  return originOfMirror(host)
}

/** Stops the world in the middle of an update. */
async function updateUntil(world: World, device: SimDevice, state: string): Promise<void> {
  const installer = device.life?.installer
  if (installer === undefined) throw new ScriptError(`${device.setup.name} is off`)
  installer.pollNow()
  const isThere = () => (installer.status()['update'] as { state: string }).state === state
  if (!(await world.time.advanceUntil(isThere, patienceMs))) {
    throw new ScriptError(`${device.setup.name} never came to ${state}`)
  }
}

function armPowerCut(stage: Stage, device: SimDevice, write: number, mode: CutMode): void {
  const { disk } = device
  const before = disk.writeCount
  disk.onWrite = (count) => {
    if (count - before < write) return
    disk.onWrite = undefined
    cutPower(device, mode)
    stage.tell(`${device.setup.name}: the power is cut at write ${write}`)
  }
}

function cutModeOf(text = 'everything'): CutMode {
  if (text === 'nothing' || text === 'everything') return text
  if (!/^\d{1,9}$/.test(text)) throw new ScriptError('keep: nothing, everything or a seed')
  return { random: seededRandom(Number(text)) }
}

function changeDisk(stage: Stage, device: SimDevice, given: Arguments): void {
  const { disk } = device
  const action = given.next('what happens')
  if (action === 'ok') {
    delete disk.faults.capacityBytes
    delete disk.faults.unreadable
    delete disk.faults.isLying
    return
  }
  if (action === 'lies') {
    disk.faults.isLying = true
    return
  }
  if (action === 'full') {
    const spare = given.isEmpty ? 0 : given.count('bytes')
    disk.faults.capacityBytes = disk.usedBytes() + spare
    return
  }
  const path = `${stateDir}/${given.next('file')}`
  const key = `${device.setup.name} ${path}`
  const bytes = disk.filesBelow(posix.dirname(path)).find((file) => file.path === path)?.bytes
  if (action === 'put') {
    const saved = stage.saved.get(key)
    if (saved === undefined) throw new ScriptError(`${path} was not saved`)
    return disk.overwrite(path, saved)
  }
  if (bytes === undefined) throw new ScriptError(`${device.setup.name} has no file ${path}`)
  switch (action) {
    case 'save':
      stage.saved.set(key, bytes)
      return
    case 'remove':
      return disk.forget(path)
    case 'empty':
      return disk.overwrite(path, new Uint8Array())
    case 'truncate':
      return disk.overwrite(path, bytes.slice(0, Math.floor(bytes.length / 2)))
    case 'corrupt':
      bytes[Math.floor(bytes.length / 2)]! ^= 1
      return disk.overwrite(path, bytes)
    case 'unreadable':
      disk.faults.unreadable = new Set([...(disk.faults.unreadable ?? []), path])
      return
    default:
      throw new ScriptError(`a disk cannot ${action}`)
  }
}

function readFault(world: World, given: Arguments): Fault {
  const kind = given.next('fault')
  switch (kind) {
    case 'drop':
    case 'endless':
      return { kind }
    case 'delay':
      return { kind, ms: given.durationMs('delay') }
    case 'trickle':
      return { kind, bytes: given.count('bytes'), everyMs: given.durationMs('pause') }
    case 'truncate':
    case 'spoil':
      return { kind, afterBytes: given.count('bytes') }
    case 'oversize':
      return { kind, extraBytes: given.count('bytes') }
    case 'redirect':
      return { kind, to: originOf(world, given.next('host')) }
    case 'corrupt':
      return { kind, offset: given.count('offset') }
    default:
      throw new ScriptError(`${kind} is no fault of a network`)
  }
}
