/**
 * How long signed reports and events of updates are kept before they are deleted; otherwise they
 * would grow for ever.
 */
import { dayMs } from '@seaworthy/std/time'
import {
  deleteOldUpdateEvents,
  deletePastReleases,
  deleteReports,
  findOldReports,
} from '../db/retention.ts'
import type { App } from './app.ts'

/** The periods that docs/OPERATIONS.md documents. */
const retention = {
  /** Older reports are deleted, except for the newest ones of each device. */
  reportsMs: 90 * dayMs,
  reportsCount: 100,
  /** Those beyond this number or size of a device’s newest are deleted earlier. */
  reportsCountMax: 2000,
  reportBytesMax: 8 * 1024 * 1024,
  /**
   * An update keeps its events for this long after its rollout has ended; the update itself stays.
   */
  eventsMs: 365 * dayMs,
  /** What a device ran before is kept for this long, and for its last 100 changes. */
  pastReleasesMs: 730 * dayMs,
} as const

/** Rows and devices of one transaction, and transactions of one run: each statement is short. */
const sizes = { devices: 100, reportsOfDevice: 100, events: 1000, pages: 50 } as const

/** Where the next run goes on. */
export interface RetentionCursor {
  readonly device: string
  readonly event: number
}

export const firstCursor: RetentionCursor = { device: '', event: 0 }

/**
 * Does a bounded part of the work, and answers where the next run goes on; after the last device or
 * event it begins anew.
 */
export async function forgetOldRecords(
  app: Pick<App, 'db' | 'clock'>,
  cursor: RetentionCursor,
): Promise<RetentionCursor> {
  await forgetPastReleases(app)
  return {
    device: await forgetReports(app, cursor.device),
    event: await forgetEvents(app, cursor.event),
  }
}

async function forgetReports(
  { db, clock }: Pick<App, 'db' | 'clock'>,
  from: string,
): Promise<string> {
  const receivedBefore = new Date(clock.now().getTime() - retention.reportsMs)
  const limits = {
    receivedBefore,
    keptCount: retention.reportsCount,
    countMax: retention.reportsCountMax,
    bytesMax: retention.reportBytesMax,
    perDeviceMax: sizes.reportsOfDevice,
  }
  let after = from
  for (let pages = 0; pages < sizes.pages; pages++) {
    const page = { after, devicesCount: sizes.devices }
    const { last, old } = await findOldReports(db.reader, page, limits)
    if (last === null) return firstCursor.device
    const count =
      old.length === 0 ? 0 : await db.write((tx) => deleteReports(tx, old, receivedBefore))
    // A full batch may have left more reports of the same devices, so the next page begins at the
    // same place.
    if (count < sizes.reportsOfDevice) after = last
  }
  return after
}

async function forgetPastReleases({ db, clock }: Pick<App, 'db' | 'clock'>): Promise<void> {
  const until = new Date(clock.now().getTime() - retention.pastReleasesMs)
  for (let pages = 0; pages < sizes.pages; pages++) {
    const count = await db.write((tx) => deletePastReleases(tx, until, sizes.events))
    if (count < sizes.events) return
  }
}

async function forgetEvents(
  { db, clock }: Pick<App, 'db' | 'clock'>,
  from: number,
): Promise<number> {
  const endedBefore = new Date(clock.now().getTime() - retention.eventsMs)
  let after = from
  for (let pages = 0; pages < sizes.pages; pages++) {
    const page = { after, limit: sizes.events }
    const { last } = await db.write((tx) => deleteOldUpdateEvents(tx, page, endedBefore))
    if (last === null) return firstCursor.event
    after = last
  }
  return after
}
