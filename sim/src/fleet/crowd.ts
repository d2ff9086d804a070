/**
 * A fleet of devices that live by the wire contract alone: they poll, do what they are assigned, and report it signed. A share of
 * them is bad: the new release fails its health check on them. Everything about a device follows from the seed.
 */
import type { DeviceReport } from '@seaworthy/api/device-self'
import type { Random } from '@seaworthy/std/random'
import { formatInstant, minuteMs } from '@seaworthy/std/time'

/** A release as devices see it. */
export interface CrowdRelease {
  readonly version: string
  readonly sha256: string
  readonly counter: number
  readonly targetPath: string
}

export interface CrowdDevice {
  readonly id: string
  readonly isBad: boolean
  running: CrowdRelease
  /** What it is installing; `untilMinute` is when the next step is done. */
  trial: { readonly release: CrowdRelease; step: 'downloading' | 'watching' } | null
  /** Of its last finished update, told until the next one begins. */
  outcome: { readonly state: 'committed' | 'rolled_back'; readonly release: CrowdRelease } | null
  sequence: number
  /** A statement that the server has not acknowledged yet. */
  hasNews: boolean
  nextAtMinute: number
}

export interface CrowdOptions {
  readonly count: number
  readonly badShare: number
  readonly pollMinutes: number
  readonly running: CrowdRelease
  readonly random: Random
}

const crockford = '0123456789abcdefghjkmnpqrstvwxyz'

export function createCrowd(options: CrowdOptions): CrowdDevice[] {
  const { random, running } = options
  return Array.from({ length: options.count }, (_, index) => ({
    id: deviceIdOf(index),
    isBad: random.fraction() < options.badShare,
    running,
    trial: null,
    outcome: null,
    sequence: 0,
    hasNews: false,
    nextAtMinute: Math.floor(random.fraction() * options.pollMinutes),
  }))
}

/** Of the form of every id: 26 characters. */
function deviceIdOf(index: number): string {
  let text = ''
  for (let rest = index, i = 0; i < 26; i++, rest = Math.floor(rest / 32)) {
    text = crockford[rest % 32]! + text
  }
  return `device_${text}`
}

/** What the device says now. */
export function reportOf(device: CrowdDevice, now: Date): DeviceReport {
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

/** Before a device speaks: what it was doing has come to its end. */
export function liveUntil(device: CrowdDevice): void {
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
  device.hasNews = true
}

/** After an answer: what it does next, and when it speaks again. */
export function hear(
  device: CrowdDevice,
  assigned: CrowdRelease | null,
  minute: number,
  pollMinutes: number,
): void {
  device.hasNews = false
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

/** As the agent decides: never older, never again what was rolled back. */
function mayTry(
  device: CrowdDevice,
  assigned: CrowdRelease,
  outcome: CrowdDevice['outcome'],
): boolean {
  if (assigned.counter <= device.running.counter) return false
  return !(outcome?.state === 'rolled_back' && outcome.release.sha256 === assigned.sha256)
}

/** The minute as an instant of the story. */
export function instantOf(start: Date, minute: number): Date {
  return new Date(start.getTime() + minute * minuteMs)
}
