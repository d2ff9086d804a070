/** Devices that know only the wire contract: what they have, what they do, what they report. */
import type { DeviceReport } from '@seaworthy/api/device-self'
import { formatInstant } from '@seaworthy/std/time'

/** A release as devices see it. */
export interface FleetRelease {
  readonly version: string
  readonly sha256: string
  readonly counter: number
  readonly targetPath: string
}

export interface FleetDevice {
  readonly id: string
  readonly tags: Readonly<Record<string, string>>
  running: FleetRelease
  /** The update under way. */
  trial: {
    readonly release: FleetRelease
    state: 'downloading' | 'installing' | 'watching'
  } | null
  /** Outcome of its last finished update, reported until the next one begins. */
  outcome: {
    readonly state: 'committed' | 'rolled_back' | 'failed'
    readonly release: FleetRelease
  } | null
  sequence: number
  /** Whether it has a statement that the server has not acknowledged yet. */
  hasNewReport: boolean
}

/** A device that runs the release, and has done nothing yet. */
export function createDevice(
  index: number,
  running: FleetRelease,
  tags: FleetDevice['tags'] = {},
): FleetDevice {
  const id = deviceIdOf(index)
  return { id, tags, running, trial: null, outcome: null, sequence: 0, hasNewReport: false }
}

const crockford = '0123456789abcdefghjkmnpqrstvwxyz'

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
      ? { state: trial.state, targetPath: trial.release.targetPath, sha256: trial.release.sha256 }
      : outcome !== null
        ? {
            state: outcome.state,
            targetPath: outcome.release.targetPath,
            sha256: outcome.release.sha256,
            ...(outcome.state === 'committed' ? {} : { code: 'unhealthy' }),
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

/** Ends the update under way, which the device says in its next report, signed. */
export function endTrial(
  device: FleetDevice,
  release: FleetRelease,
  state: 'committed' | 'rolled_back' | 'failed',
): void {
  device.outcome = { state, release }
  if (state === 'committed') device.running = release
  device.trial = null
  device.sequence++
  device.hasNewReport = true
}
