import type { DeviceReport } from '@seaworthy/api/device-self'
import type { CheckInFacts } from '@seaworthy/fleet/rollouts'
import type { WrittenCheckIn } from '../../db/check-ins.ts'
import { parseUpdates } from '../rollouts/index.ts'

/** What a decision knows of a device: its report, and what its row said when that was stored. */
export function factsOf(
  deviceId: string,
  report: DeviceReport,
  stored: Pick<WrittenCheckIn, 'hardware' | 'tags' | 'updates'>,
): CheckInFacts {
  const { platform, running, committedCounter, floor, update, sequence } = report
  const { state, sha256 = null, code = null } = update
  return {
    deviceId,
    platform,
    hardware: stored.hardware,
    tags: stored.tags,
    running,
    committedCounter,
    floor,
    activity: { state, sha256, code },
    sequence,
    heldBack: null,
    updates: parseUpdates(stored.updates),
  }
}
