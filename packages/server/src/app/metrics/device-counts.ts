/** How many devices there are, counted by the leading worker from time to time. */
import { hourMs, minuteMs } from '@seaworthy/std/time'
import type { DeviceCounts } from '../../db/metrics.ts'
import { countDevices } from '../../db/metrics.ts'
import type { App } from '../app.ts'
import type { Meter } from './meter.ts'

/**
 * Counting reads every row, so it may take at most this share of one core, however many devices
 * there are.
 */
const shareMax = 0.005
const seenWithinMs = hourMs
/** The numbers of a worker that has not counted for this long are no longer shown. */
const staleMs = 15 * minuteMs

/** Makes a counter that is called every minute and counts as often as its share of time allows. */
export function createDeviceCounter(
  app: Pick<App, 'clock' | 'db' | 'metrics'>,
): () => Promise<void> {
  let counted: (DeviceCounts & { atMs: number }) | undefined
  let dueMs = 0
  const isFresh = (nowMs: number) => counted !== undefined && nowMs - counted.atMs < staleMs
  const gauge = (name: string, help: string, read: () => number) =>
    describe(app.metrics.meter, name, help, () =>
      isFresh(app.clock.monotonicMs()) ? read() : undefined,
    )
  gauge('seaworthy_devices', 'Registered devices.', () => counted!.registered)
  gauge('seaworthy_devices_seen', 'Devices that have checked in within the last hour.', () => {
    return counted!.seen
  })
  gauge(
    'seaworthy_devices_identity_shared',
    'Devices whose identity two machines seem to use.',
    () => counted!.identityShared,
  )
  return async () => {
    const startedMs = app.clock.monotonicMs()
    if (startedMs < dueMs) return
    const since = new Date(app.clock.now().getTime() - seenWithinMs)
    const counts = await countDevices(app.db.reader, since)
    const atMs = app.clock.monotonicMs()
    counted = { ...counts, atMs }
    dueMs = startedMs + (atMs - startedMs) / shareMax
  }
}

function describe(meter: Meter, name: string, help: string, read: () => number | undefined): void {
  meter.gauge({ name, help, merge: 'max' }, () => {
    const value = read()
    return value === undefined ? [] : [{ value }]
  })
}
