/**
 * A fleet of devices that know only the wire contract: they poll, do what they are assigned,
 * and report it signed. A share of them is bad: the new release fails its health check on them.
 * Everything about a device follows from the seed.
 */
import type { DeviceReport } from '@seaworthy/api/device-self'
import type { Random } from '@seaworthy/std/random'
import { formatInstant, minuteMs } from '@seaworthy/std/time'

/** A release as devices see it. */
export interface FleetRelease {
  readonly version: string
  readonly sha256: string
  readonly counter: number
  readonly targetPath: string
}

export interface FleetDevice {
  readonly id: string
  readonly isBad: boolean
  running: FleetRelease
  /** The update under way; `untilMinute` is when the next step is done. */
  trial: { readonly release: FleetRelease; step: 'downloading' | 'watching' } | null
  /** Outcome of its last finished update, reported until the next one begins. */
  outcome: { readonly state: 'committed' | 'rolled_back'; readonly release: FleetRelease } | null
  sequence: number
  /** Whether it has a statement that the server has not acknowledged yet. */
  hasNewReport: boolean
  nextAtMinute: number
}

export interface FleetOptions {
  readonly count: number
  readonly badShare: number
  readonly pollMinutes: number
  readonly running: FleetRelease
  readonly random: Random
}

const crockford = '0123456789abcdefghjkmnpqrstvwxyz'

export function createFleetDevices(options: FleetOptions): FleetDevice[] {
  const { random, running } = options
  return Array.from({ length: options.count }, (_, index) => ({
    id: deviceIdOf(index),
    isBad: random.fraction() < options.badShare,
    running,
    trial: null,
    outcome: null,
    sequence: 0,
    hasNewReport: false,
    nextAtMinute: Math.floor(random.fraction() * options.pollMinutes),
  }))
}

/** An id in the form of every id: 26 characters. */
function deviceIdOf(index: number): string {
  let text = ''
  for (let rest = index, i = 0; i < 26; i++, rest = Math.floor(rest / 32)) {
    text = crockford[rest % 32]! + text
  }
  return `device_${text}`
}

/** The report that the device sends now. */
export function reportOf(device: FleetDevice, now: Date): DeviceReport {
  const { running, trial, outcome } = device
  const update: DeviceReport['update'] =
    trial !== null
      ? { state: trial.step, targetPath: trial.release.targetPath, sha256: trial.release.sha256 }
      : outcome !== null
        ? {
            state: outcome.state,
            targetPath: outcome.release.targetPath,
            sha256: outcome.release.sha256,
            ...(outcome.state === 'rolled_back' ? { code: 'unhealthy' } : {}),
          }
        : { state: 'idle' }
  return {
    sequence: device.sequence,
    at: formatInstant(now),
    running: {
      product: running.targetPath.split('/')[0]!,
      version: running.version,
      sha256: running.sha256,
      counter: running.counter,
    },
    committedCounter: running.counter,
    floor: 0,
    update,
    metadata: {},
    timestampVerifiedAt: null,
    refusals: [],
    agentVersion: '0.1.0',
    platform: 'linux/amd64',
  }
}

/** How long the download and the watch take. */
const stepMinutes = { downloading: 4, watching: 3 } as const

/** Brings what the device was doing to its end, before it reports. */
export function liveUntil(device: FleetDevice): void {
  const { trial } = device
  if (trial === null) return
  if (trial.step === 'downloading') {
    trial.step = 'watching'
    return
  }
  device.outcome = { state: device.isBad ? 'rolled_back' : 'committed', release: trial.release }
  if (!device.isBad) device.running = trial.release
  device.trial = null
  device.sequence++
  device.hasNewReport = true
}

/** Takes an answer: what the device does next, and when it reports again. */
export function hear(
  device: FleetDevice,
  assigned: FleetRelease | null,
  minute: number,
  pollMinutes: number,
): void {
  device.hasNewReport = false
  const { trial, outcome } = device
  if (trial === null && assigned !== null && mayTry(device, assigned, outcome)) {
    device.trial = { release: assigned, step: 'downloading' }
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
  device: FleetDevice,
  assigned: FleetRelease,
  outcome: FleetDevice['outcome'],
): boolean {
  if (assigned.counter <= device.running.counter) return false
  return !(outcome?.state === 'rolled_back' && outcome.release.sha256 === assigned.sha256)
}

/** The minute as an instant of the story. */
export function instantOf(start: Date, minute: number): Date {
  return new Date(start.getTime() + minute * minuteMs)
}
