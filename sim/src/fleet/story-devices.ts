/**
 * How a device of the story lives: it polls, does what it is assigned, and reports it. A share of
 * them is bad: the new release fails its health check on them.
 */
import type { Random } from '@seaworthy/std/random'
import { minuteMs } from '@seaworthy/std/time'
import type { FleetDevice, FleetRelease } from './devices.ts'
import { createDevice, endTrial } from './devices.ts'

export interface StoryDevice extends FleetDevice {
  readonly isBad: boolean
  /** When the next step is done, or the device polls again. */
  nextAtMinute: number
}

export interface StoryDevicesOptions {
  readonly count: number
  readonly badShare: number
  readonly pollMinutes: number
  readonly running: FleetRelease
  readonly random: Random
}

/** Everything about a device follows from the seed. */
export function createStoryDevices(options: StoryDevicesOptions): StoryDevice[] {
  const { random, running } = options
  return Array.from({ length: options.count }, (_, index) => ({
    ...createDevice(index, running),
    isBad: random.fraction() < options.badShare,
    nextAtMinute: Math.floor(random.fraction() * options.pollMinutes),
  }))
}

/** How long the download and the watch take. */
const stepMinutes = { downloading: 4, watching: 3 } as const

/** Brings what the device was doing to its end, before it reports. */
export function liveUntil(device: StoryDevice): void {
  const { trial } = device
  if (trial === null) return
  if (trial.state === 'downloading') trial.state = 'watching'
  else endTrial(device, trial.release, device.isBad ? 'rolled_back' : 'committed')
}

/** Takes an answer: what the device does next, and when it reports again. */
export function hear(
  device: StoryDevice,
  assigned: FleetRelease | null,
  minute: number,
  pollMinutes: number,
): void {
  device.hasNewReport = false
  const { trial, outcome } = device
  if (trial === null && assigned !== null && mayTry(device, assigned, outcome)) {
    device.trial = { release: assigned, state: 'downloading' }
    device.outcome = null
    device.nextAtMinute = minute + stepMinutes.downloading
  } else if (trial !== null) {
    device.nextAtMinute = minute + stepMinutes.watching
  } else {
    device.nextAtMinute = minute + pollMinutes
  }
}

/** Decides as the agent does: never older, never again what was rolled back. */
function mayTry(
  device: StoryDevice,
  assigned: FleetRelease,
  outcome: StoryDevice['outcome'],
): boolean {
  if (assigned.counter <= device.running.counter) return false
  return !(outcome?.state === 'rolled_back' && outcome.release.sha256 === assigned.sha256)
}

/** The minute as an instant of the story. */
export function instantOf(start: Date, minute: number): Date {
  return new Date(start.getTime() + minute * minuteMs)
}
