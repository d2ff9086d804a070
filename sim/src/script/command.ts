/** What every command is handed, and how it is described. */
import { minuteMs } from '@seaworthy/std/time'
import type { Attacker } from '../world/attacker.ts'
import type { SimDevice } from '../world/device.ts'
import type { CutMode } from '../world/power-cut.ts'
import type { Witness } from '../world/invariants.ts'
import type { World } from '../world/world.ts'
import type { Arguments } from './parse-script.ts'
import { ScriptError } from './parse-script.ts'

export interface Stage {
  readonly world: World
  readonly witness: Witness
  readonly attacker: Attacker
  /** Files of devices put aside by `disk … save`. */
  readonly saved: Map<string, Uint8Array>
  /** What the server knew when `backup … taken` was said: makes it know exactly that again. */
  readonly backups: Map<string, () => void>
  readonly tell: (line: string) => void
  /** Called with figures that change with every change of the agent: no part of the story. */
  readonly count: (line: string) => void
}

export interface Command {
  /** The text for `--help`. */
  readonly usage: string
  run(stage: Stage, given: Arguments): Promise<void>
}

/** Time enough for download, start, window and commit of anything in these scenarios. */
export const patienceMs = 5 * minuteMs

export async function bootDevice(world: World, device: SimDevice): Promise<void> {
  await device.powerOn()
  await world.time.advance(patienceMs)
}

export async function pollDevice(world: World, device: SimDevice): Promise<void> {
  if (device.life === undefined) throw new ScriptError(`${device.setup.name} is off`)
  device.life.installer.pollNow()
  await world.time.advance(patienceMs)
}

export function cutPower(device: SimDevice, mode: CutMode): void {
  const after = device.disk.afterPowerCut(mode)
  device.powerOff()
  device.disk = after
}

/** The commands by their first word. */
export type Commands = Readonly<Record<string, Command>>

export function deviceNamed(stage: Stage, name: string): SimDevice {
  const device = stage.world.devices.get(name)
  if (device === undefined) throw new ScriptError(`there is no device ${name}`)
  return device
}
