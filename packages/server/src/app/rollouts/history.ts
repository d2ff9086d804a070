/**
 * Samples for charts: of a rollout at most one a minute, and only when something changed; of a
 * fleet one every five minutes.
 */
import type { Rollout } from '@seaworthy/fleet/rollouts'
import { dayMs, minuteMs } from '@seaworthy/std/time'
import { listAllFleets } from '../../db/fleets.ts'
import type { RolloutSample, WaveSample } from '../../db/history.ts'
import {
  insertFleetSample,
  insertRolloutSamples,
  listNewestFleetSamples,
  listNewestRolloutSamples,
  thinSamples,
} from '../../db/history.ts'
import { listRecentRollouts } from '../../db/rollouts.ts'
import type { App } from '../app.ts'
import { takeFleetSample } from './updates.ts'

const rolloutSampleMs = minuteMs
const fleetSampleMs = 5 * minuteMs
/**
 * All samples of the last day are kept, of the last 30 days one an hour, and before that one a day.
 */
const wholeMs = dayMs
const hourlyMs = 30 * dayMs

export async function takeSamples(app: Pick<App, 'db' | 'clock'>): Promise<void> {
  await sampleRollouts(app)
  await sampleFleets(app)
}

async function sampleRollouts({ db, clock }: Pick<App, 'db' | 'clock'>): Promise<void> {
  const now = clock.now()
  // Rollouts that have just ended are listed too, for their last sample.
  const rollouts = await db.readSnapshot((tx) =>
    listRecentRollouts(tx, new Date(now.getTime() - dayMs)),
  )
  const newest = new Map(
    (
      await listNewestRolloutSamples(
        db.reader,
        rollouts.map(({ id }) => id),
      )
    ).map((sample) => [sample.rollout, sample]),
  )
  const samples = rollouts
    .map((rollout) => sampleOf(rollout, now))
    .filter((sample) => isDue(sample, newest.get(sample.rollout)))
  if (samples.length > 0) await db.write((tx) => insertRolloutSamples(tx, samples))
}

function isDue(sample: RolloutSample, before: RolloutSample | undefined): boolean {
  if (before === undefined) return true
  const isOldEnough = sample.at.getTime() - before.at.getTime() >= rolloutSampleMs
  return isOldEnough && !isSame(sample.waves, before.waves)
}

function isSame(a: readonly WaveSample[], b: readonly WaveSample[]): boolean {
  return a.every((wave, index) => {
    const other = b[index]
    return (
      other !== undefined &&
      wave.offered === other.offered &&
      wave.inFlight === other.inFlight &&
      wave.healthy === other.healthy &&
      wave.failed === other.failed
    )
  })
}

function sampleOf(rollout: Rollout, at: Date): RolloutSample {
  return {
    rollout: rollout.id,
    at,
    waves: rollout.waves.map((wave) => ({
      offered: wave.offeredCount,
      inFlight: wave.inFlightCount,
      healthy: wave.healthyCount,
      failed: wave.failedCount,
    })),
  }
}

async function sampleFleets({ db, clock }: Pick<App, 'db' | 'clock'>): Promise<void> {
  const newest = await listNewestFleetSamples(db.reader)
  for (const { name } of await listAllFleets(db.reader)) {
    const now = clock.now()
    if (now.getTime() - (newest.get(name)?.getTime() ?? 0) < fleetSampleMs) continue
    const sample = await takeFleetSample(db.reader, name, now)
    await db.write((tx) => insertFleetSample(tx, name, sample))
  }
}

export async function thinOldSamples({ db, clock }: Pick<App, 'db' | 'clock'>): Promise<void> {
  const nowMs = clock.now().getTime()
  const limits = {
    hourlyBefore: new Date(nowMs - wholeMs),
    dailyBefore: new Date(nowMs - hourlyMs),
  }
  await db.write((tx) => thinSamples(tx, limits))
}
