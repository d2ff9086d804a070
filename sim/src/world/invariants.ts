/**
 * What must hold on every device after every step of every scenario, whoever owns the server. The
 * witness looks at the machine from outside: at its processes, its disk and what its agent says,
 * and remembers the best it ever saw.
 */
import { maxOf } from '@seaworthy/std/numbers'
import { compareFiles } from './compare-files.ts'
import type { SimDevice } from './device.ts'
import type { RunningApp } from './processes.ts'
import { readSeenFloor } from './seen-floor.ts'
import type { SignedRelease, World } from './world.ts'

class InvariantError extends Error {
  override readonly name = 'InvariantError'
}

/** What the agent says of itself; only members that the invariants need. */
interface DeviceView {
  keyId: string
  deviceId: string | null
  committedCounter: number
  floor: number
  metadata: Readonly<Record<string, number>>
}

export interface Witness {
  /**
   * Throws `InvariantError`. `isAtRest`: nothing is under way, so that the slots must be final too.
   */
  check(device: SimDevice, isAtRest: boolean): void
  /**
   * Another witness that remembers the same, and that `device` has come as far as it says right
   * now.
   */
  fork(device: SimDevice): Witness
  /** What a device says of itself: it may only have come further. Throws `InvariantError`. */
  note(name: string, view: DeviceView): void
  /**
   * Notes an application at the moment it is started; what is wrong comes out at the next `check`.
   */
  noteStart(device: SimDevice, app: RunningApp): void
}

interface Memory {
  keyId: string | undefined
  deviceId: string | null
  committedCounter: number
  floor: number
  metadata: Map<string, number>
  /** The highest floor of its channel that it has seen, by the keys that signed it. */
  channelFloors: Map<string, number>
  /** The keys that spoke for the channel last. */
  ring: string
}

type WitnessedWorld = Pick<World, 'server' | 'signed'>

export function createWitness(world: WitnessedWorld): Witness {
  return createWitnessWith(world, new Map())
}

function createWitnessWith(world: WitnessedWorld, memories: Map<string, Memory>): Witness {
  const noted: InvariantError[] = []

  const memoryOf = (name: string): Memory => {
    let memory = memories.get(name)
    if (memory === undefined) {
      memory = {
        keyId: undefined,
        deviceId: null,
        committedCounter: 0,
        floor: 0,
        metadata: new Map(),
        channelFloors: new Map(),
        ring: '',
      }
      memories.set(name, memory)
    }
    return memory
  }

  const signedFor = (device: SimDevice, sha256: string): SignedRelease[] =>
    world.signed.filter(
      (release) =>
        release.built.sha256 === sha256 &&
        release.product === device.setup.product &&
        release.channel === device.setup.channel,
    )

  const checkStart = (device: SimDevice, app: RunningApp) => {
    const { name, product, channel } = device.setup
    const releases = signedFor(device, app.sha256)
    const [release] = releases
    if (release === undefined) {
      throw new InvariantError(`${name} runs what nobody signed for ${product}/${channel}`)
    }
    const prefix = `${device.layout.releases}/${app.sha256}/`
    const fault = compareFiles(app.files, prefix, release.built.files)
    if (fault !== undefined) {
      throw new InvariantError(`${name} runs ${release.version}, which is not whole: ${fault}`)
    }
    const counter = maxOf(releases.map((signed) => signed.counter))
    const memory = memoryOf(name)
    if (counter < memory.committedCounter) {
      throw new InvariantError(
        `${name} runs ${release.version} with counter ${counter} after committing ${memory.committedCounter}`,
      )
    }
    if (counter < memory.floor) {
      throw new InvariantError(`${name} runs ${release.version} below its floor ${memory.floor}`)
    }
    // What is committed goes on running when its channel raises the floor; nothing begins below it.
    const channelFloor = memory.channelFloors.get(memory.ring) ?? 0
    if (counter < channelFloor && counter !== memory.committedCounter) {
      throw new InvariantError(
        `${name} begins ${release.version} with counter ${counter} after it has seen the floor ${channelFloor}`,
      )
    }
  }

  /** Remembers the floor that the device has seen; what older keys signed stays with these. */
  const noteFloor = (device: SimDevice, { metadata }: DeviceView) => {
    const seen = readSeenFloor(world, device, metadata)
    if (seen === undefined) return
    const memory = memoryOf(device.setup.name)
    const before = memory.channelFloors.get(seen.ring) ?? 0
    memory.channelFloors.set(seen.ring, Math.max(before, seen.floor))
    memory.ring = seen.ring
  }

  const checkView = (name: string, view: DeviceView) => {
    const memory = memoryOf(name)
    const lowered = (what: string, before: unknown, now: unknown): never => {
      throw new InvariantError(`${name}: ${what} was ${String(before)} and is ${String(now)}`)
    }
    if (view.committedCounter < memory.committedCounter) {
      lowered('the committed counter', memory.committedCounter, view.committedCounter)
    }
    if (view.floor < memory.floor) lowered('the floor', memory.floor, view.floor)
    if (memory.keyId !== undefined && view.keyId !== memory.keyId) {
      lowered('the device key', memory.keyId, view.keyId)
    }
    if (memory.deviceId !== null && view.deviceId !== memory.deviceId) {
      lowered('the device id', memory.deviceId, view.deviceId)
    }
    for (const [role, version] of Object.entries(view.metadata)) {
      // New keys for the online roles may begin at a lower version: that is how a fast-forward
      // attack ends.
      if (role === 'snapshot' || role === 'timestamp') continue
      const before = memory.metadata.get(role) ?? 0
      if (version < before) lowered(`the trusted ${role}`, before, version)
      memory.metadata.set(role, version)
    }
    memory.keyId = view.keyId
    memory.deviceId = view.deviceId
    memory.committedCounter = view.committedCounter
    memory.floor = view.floor
  }

  /**
   * Checks that, when nothing is under way, the slot to fall back to is a whole release that may
   * still run.
   */
  const checkSlots = (device: SimDevice, view: DeviceView, isAtRest: boolean) => {
    const { name } = device.setup
    for (const line of device.disk.describe(device.layout.productFolder)) {
      const match = /\/(current|previous) -> releases\/([0-9a-f]{64})$/.exec(line)
      if (match === null) continue
      const [, slot, sha256 = ''] = match
      const [release] = signedFor(device, sha256)
      if (release === undefined) throw new InvariantError(`${name}: ${slot} is not signed for`)
      const folder = `${device.layout.releases}/${sha256}`
      const fault = compareFiles(device.disk.filesBelow(folder), `${folder}/`, release.built.files)
      if (fault !== undefined) {
        throw new InvariantError(`${name}: ${slot} is ${release.version}, not whole: ${fault}`)
      }
      const counter = maxOf(signedFor(device, sha256).map((signed) => signed.counter))
      if (isAtRest && counter < view.floor) {
        throw new InvariantError(`${name}: ${slot} is ${release.version}, below the floor`)
      }
    }
  }

  return {
    noteStart(device, app) {
      try {
        checkStart(device, app)
      } catch (error) {
        if (!(error instanceof InvariantError)) throw error
        noted.push(error)
      }
    },
    fork(device) {
      const copy = new Map<string, Memory>()
      for (const [name, memory] of memories) {
        const [metadata, channelFloors] = [new Map(memory.metadata), new Map(memory.channelFloors)]
        copy.set(name, { ...memory, metadata, channelFloors })
      }
      const fork = createWitnessWith(world, copy)
      if (device.life !== undefined)
        fork.note(device.setup.name, viewOf(device.life.installer.status()))
      return fork
    },
    note: checkView,
    check(device, isAtRest) {
      if (noted.length > 0) throw noted[0]!
      const { life } = device
      if (life === undefined) return
      const view = viewOf(life.installer.status())
      // Applications come first: they must answer to what was committed before, not to what is
      // claimed now.
      for (const app of life.processes.running) checkStart(device, app)
      checkView(device.setup.name, view)
      for (const app of life.processes.running) checkStart(device, app)
      noteFloor(device, view)
      checkSlots(device, view, isAtRest)
      const { running } = life.processes
      if (running.length > 1) {
        throw new InvariantError(`${device.setup.name} runs ${running.length} applications at once`)
      }
    },
  }
}

function viewOf(status: Readonly<Record<string, unknown>>): DeviceView {
  return {
    keyId: String(status['keyId']),
    deviceId: status['deviceId'] as string | null,
    committedCounter: status['committedCounter'] as number,
    floor: status['floor'] as number,
    metadata: status['metadata'] as Readonly<Record<string, number>>,
  }
}
