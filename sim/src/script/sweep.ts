/**
 * The power cut, and the agent killed, at every write. One run is watched write by write; at each,
 * the disk is copied as a cut at that instant would leave it, in several ways. Each different disk
 * then goes into a machine of its own, which is switched on and must arrive where the uncut run
 * arrived, breaking no invariant at any write on the way.
 */
import { createHash } from 'node:crypto'
import { seededRandom } from '@seaworthy/std/random'
import { hourMs } from '@seaworthy/std/time'
import type { SimDevice } from '../world/device.ts'
import type { RunningApp } from '../world/processes.ts'
import type { CutMode } from '../world/power-cut.ts'
import type { SimDisk } from '../world/disk.ts'
import type { Witness } from '../world/invariants.ts'
import { bootDevice, pollDevice } from './command.ts'
import type { Stage } from './command.ts'
import type { Arguments } from './parse-script.ts'
import { ScriptError } from './parse-script.ts'

interface CutCase {
  write: number
  mode: string
  /** Applications that go on, where only the agent ended. */
  survivors: readonly RunningApp[]
  disk: SimDisk
  witness: Witness
  /** Makes the server know what it knew at that instant. */
  restoreServer: () => void
}

/** The fewest writes of an operation that counts as one. */
const writesMin = 30
/** A time longer than any device needs that polls hourly and tries a release three times. */
const recoveryMaxMs = 4 * hourMs

export async function sweepPowerCuts(
  stage: Stage,
  device: SimDevice,
  given: Arguments,
): Promise<void> {
  given.take('write')
  given.take('during')
  const operation = given.next('poll or boot')
  const tornCount = given.countOption('torn') ?? 1
  const cases: CutCase[] = []
  const known = new Set<string>()
  let caseCount = 0
  let writeCount = 0

  const { disk } = device
  disk.onWrite = () => {
    writeCount++
    const modes = [
      'kill',
      'nothing',
      'everything',
      ...Array.from({ length: tornCount }, (_, i) => `${i}`),
    ]
    for (const mode of modes) {
      caseCount++
      const image = disk.afterPowerCut(
        cutMode(mode, stage.world.seed * 1_000_003 + writeCount * 101),
      )
      const survivors = mode === 'kill' ? [...(device.life?.processes.running ?? [])] : []
      const digest = `${digestOfDisk(image)} ${survivors.map(({ sha256 }) => sha256).join()}`
      if (known.has(digest)) continue
      known.add(digest)
      const restoreServer = stage.world.server.remember()
      const witness = stage.witness.fork(device)
      cases.push({ write: writeCount, mode, survivors, disk: image, witness, restoreServer })
    }
  }
  await runOperation(stage, device, operation)
  disk.onWrite = undefined
  const wanted = describeEnd(stage, device)

  const restoreServer = stage.world.server.remember()
  for (const one of cases) {
    one.restoreServer()
    await recover(stage, device, one, wanted)
  }
  restoreServer()
  if (writeCount < writesMin) throw new Error(`only ${writeCount} writes: there was nothing to cut`)
  stage.tell(`after every cut: ${wanted}`)
  stage.count(`${writeCount} writes, ${caseCount} cuts, ${cases.length} different disks`)
}

async function runOperation(stage: Stage, device: SimDevice, operation: string): Promise<void> {
  if (operation === 'poll') return pollDevice(stage.world, device)
  if (operation !== 'boot') throw new ScriptError('during poll or during boot')
  return bootDevice(stage.world, device)
}

/** The end state of a device, whatever way it came. */
function describeEnd({ world }: Stage, device: SimDevice): string {
  if (device.life === undefined) return `stopped: ${device.failure ?? 'off'}`
  const { installer, processes } = device.life
  const { committedCounter, floor, metadata, outcome } = installer.status() as {
    committedCounter: number
    floor: number
    metadata: { root?: number }
    outcome: { state: string; targetPath: string } | null
  }
  const versions = processes.running.map(
    ({ sha256 }) => world.signed.find(({ built }) => built.sha256 === sha256)?.version ?? sha256,
  )
  const end = outcome === null ? 'no update' : `${outcome.targetPath} ${outcome.state}`
  return `${versions.join('+') || 'nothing'} running, ${end}, counter ${committedCounter}, floor ${floor}, root ${metadata.root ?? 0}, ${world.server.devices.size} registered`
}

async function recover(
  stage: Stage,
  original: SimDevice,
  { write, mode, survivors, disk, witness }: CutCase,
  wanted: string,
): Promise<void> {
  const { world } = stage
  const story: string[] = []
  const device = world.openDevice(original.setup, disk, (line) => story.push(line))
  const fail = (what: string, cause?: unknown): never => {
    const told = story.map((line) => `\n    ${line}`).join('')
    throw new Error(`cut at write ${write}, ${mode}: ${what}${told}`, { cause })
  }
  let broken: unknown
  device.onStart = (app) => witness.noteStart(device, app)
  disk.onWrite = () => {
    try {
      witness.check(device, false)
    } catch (error) {
      broken ??= error
    }
  }
  await device.powerOn(survivors)
  const isThere = () => broken !== undefined || describeEnd(stage, device) === wanted
  const arrived = await world.time.advanceUntil(isThere, recoveryMaxMs)
  try {
    if (broken === undefined) witness.check(device, true)
  } catch (error) {
    broken = error
  }
  if (broken !== undefined) fail(broken instanceof Error ? broken.message : 'broken', broken)
  if (!arrived) fail(`ends with ${describeEnd(stage, device)} instead of ${wanted}`)
  device.powerOff()
}

/** The mode of the cut; a killed agent loses nothing that it wrote. */
function cutMode(mode: string, seed: number): CutMode {
  if (mode === 'nothing') return mode
  if (mode === 'everything' || mode === 'kill') return 'everything'
  return { random: seededRandom(seed + Number(mode)) }
}

function digestOfDisk(disk: SimDisk): string {
  const hash = createHash('sha256')
  for (const line of disk.describe('')) hash.update(`${line}\n`)
  for (const { mode, bytes } of disk.filesBelow(''))
    hash.update(`${mode} ${bytes.length}\n`).update(bytes)
  return hash.digest('hex')
}
