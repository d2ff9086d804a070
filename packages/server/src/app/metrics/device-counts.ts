/** How many devices there are, counted by the leading worker from time to time. */
import { minuteMs } from '@seaworthy/std/time'
import type { DeviceCounts } from '../../db/metrics.ts'
import { countDevices } from '../../db/metrics.ts'
import type { App } from '../app.ts'
import type { Meter } from './meter.ts'

/**
 * Counting reads every row, so it may take at most this share of one core, however many devices
 * there are.
 */
const shareMax = 0.005
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
  gauge(
    'seaworthy_devices_online',
    'Devices heard of within five polls of their fleet, five minutes at least.',
    () => counted!.online,
  )
  gauge(
    'seaworthy_devices_silent',
    'Devices heard of neither within a day nor within five polls of their fleet.',
    () => counted!.silent,
  )
  gauge(
    'seaworthy_devices_failed',
    'Devices that said last that an update failed, or that they rolled it back.',
    () => counted!.failed,
  )
  gauge(
    'seaworthy_devices_identity_shared',
    'Devices whose identity two machines seem to use.',
    () => counted!.identityShared,
  )
  return async () => {
    const startedMs = app.clock.monotonicMs()
    if (startedMs < dueMs) return
    const counts = await countDevices(app.db.reader, app.clock.now())
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
