/**
 * Two machines under one identity (a copied disk, a stolen key). They are noticed by what they
 * report, people are told, and where the fleet's policy says so the device is stopped.
 */
import type { IdentityTrace, ReportPosition } from '@seaworthy/fleet/devices'
import { mayMatter, noTrace, traceIdentity } from '@seaworthy/fleet/devices'
import type { Log } from '@seaworthy/std/log'
import { appendAudit } from '../../db/audit-log.ts'
import type { Db, WriteTx } from '../../db/connection.ts'
import {
  listStoppedDevices,
  notifyStoppedDevices,
  readTraces,
  writeTrace,
} from '../../db/identity-sharing.ts'
import type { StoppedDevices } from '../app.ts'
import { createSingleflight } from '../worker/index.ts'

export function createStoppedDevices(db: Db): StoppedDevices {
  let stopped = new Set<string>()
  return {
    has: (deviceId) => stopped.has(deviceId),
    reload: createSingleflight(async () => {
      stopped = new Set(await listStoppedDevices(db.reader))
    }),
  }
}

/** A report that was stored, and the one that was stored before it. */
export interface FollowedReport {
  readonly device: string
  readonly fleet: string
  readonly before: ReportPosition
  readonly after: ReportPosition
}

/**
 * Looks for shared identities in the transaction that stores the reports, which holds the locks of
 * their devices. Nearly all reports need no closer look. Answers the devices whose identity counts
 * as shared from now on.
 */
export async function followIdentities(
  tx: WriteTx,
  reports: readonly FollowedReport[],
): Promise<string[]> {
  const moved = reports.filter(({ before, after }) => mayMatter(before, after))
  if (moved.length === 0) return []
  const nowMs = (await tx.now()).getTime()
  const known = await readTraces(
    tx,
    moved.map(({ device }) => device),
  )
  const shared: string[] = []
  for (const { device, fleet, before, after } of moved) {
    const trace = known.get(device) ?? noTrace
    const next = traceIdentity(trace, before, after, nowMs)
    await writeTrace(tx, device, next)
    if (trace.sharedSinceMs !== null || next.sharedSinceMs === null) continue
    shared.push(device)
    await recordSharing(tx, device, fleet, next)
  }
  if (shared.length > 0) await notifyStoppedDevices(tx)
  return shared
}

async function recordSharing(
  tx: WriteTx,
  device: string,
  fleet: string,
  { leftBoots, wentBackAtMs }: IdentityTrace,
): Promise<void> {
  await appendAudit(tx, {
    actor: 'server',
    action: 'device.identity-shared',
    subject: device,
    outcome: 'alarm',
    detail: { fleet, wentBackCount: wentBackAtMs.length, bootsCount: leftBoots.length + 1 },
  })
}

export function tellOfSharing(log: Log, devices: readonly string[]): void {
  for (const device of devices) {
    log.warn('device.identity-shared', {
      device,
      why: 'its reports go back and forth, as those of two machines with one identity do',
      wayOut: `turn one of them off, then: seaworthy device set ${device} --identity-settled`,
    })
  }
}
