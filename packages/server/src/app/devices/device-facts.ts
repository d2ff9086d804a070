import type { DeviceReport } from '@seaworthy/api/device-self'
import type { SignedSequence } from '@seaworthy/fleet/devices'
import type { CheckInFacts } from '@seaworthy/fleet/rollouts'
import { readActivity } from '@seaworthy/fleet/rollouts'
import type { KnownDevice } from '../../db/check-ins.ts'
import { parseUpdates } from '../rollouts/index.ts'

/** What a decision knows of a device: its report, and what its row said when that was stored. */
export function factsOf(
  deviceId: string,
  report: DeviceReport,
  stored: Pick<KnownDevice, 'hardware' | 'tags' | 'updates'> & {
    readonly saidSequence: SignedSequence
  },
): CheckInFacts {
  const { platform, running, committedCounter, floor, update, sequence } = report
  return {
    deviceId,
    platform,
    hardware: stored.hardware,
    tags: stored.tags,
    running,
    committedCounter,
    floor,
    activity: readActivity(update, stored.saidSequence),
    countsAttempts: true,
    sequence,
    heldBack: null,
    updates: parseUpdates(stored.updates),
  }
}
