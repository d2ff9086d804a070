/** What must hold at every moment, recounted from the rows of each single update. */
import assert from 'node:assert/strict'
import type { RolloutPolicy } from '@seaworthy/fleet/rollouts'
import type { ReplicaPair } from './replica-pair.ts'

interface WaveCount {
  wave: number
  offered: number
  in_flight: number
  healthy: number
  failed: number
}

export async function checkLimits(
  pair: ReplicaPair,
  rolloutId: string,
  policy: RolloutPolicy,
): Promise<void> {
  const rollout = await pair.getRollout(rolloutId)
  const counted = await pair.select<WaveCount>(
    `select wave, count(*) filter (where attempt > 0 and code is distinct from 'already_running')::int as offered,
       count(*) filter (where ended_at is null)::int as in_flight,
       count(*) filter (where state = 'committed')::int as healthy,
       count(*) filter (where state in ('rolled_back', 'failed', 'timed_out'))::int as failed
     from updates where rollout = $1 group by wave`,
    [rolloutId],
  )
  const none = { offered: 0, in_flight: 0, healthy: 0, failed: 0 }
  for (const [index, wave] of rollout.waves.entries()) {
    const { offered, in_flight, healthy, failed } =
      counted.find(({ wave: of }) => of === index) ?? none
    assert.deepEqual(
      [wave.offeredCount, wave.inFlightCount, wave.healthyCount, wave.failedCount],
      [offered, in_flight, healthy, failed],
      `the counters of wave ${index + 1} are what its updates are`,
    )
  }
  const [peak] = await pair.select<{ most: number }>(
    `select coalesce(max(sum), 0)::int as most from (
       select sum(step) over (order by at, step, device, attempt) as sum from (
         select at, device, attempt, 1 as step from update_events where rollout = $1 and state = 'offered'
         union all
         select at, device, attempt, -1 from update_events
         where rollout = $1 and code is distinct from 'already_running'
           and state in ('committed', 'rolled_back', 'failed', 'timed_out', 'superseded')
       ) steps
     ) sums`,
    [rolloutId],
  )
  assert.ok(
    policy.inFlightMax === null || peak!.most <= policy.inFlightMax,
    `${peak!.most} updates at once, at most ${policy.inFlightMax}`,
  )
  const { perPeriod } = policy
  if (perPeriod === null) return
  const periods = await pair.select<{ count: number }>(
    `select count(*)::int as count from update_events where rollout = $1 and state = 'offered'
     group by floor(extract(epoch from at - $2::timestamptz) / $3::int)`,
    [rolloutId, rollout.startAt.toISOString(), String(perPeriod.seconds)],
  )
  for (const { count } of periods) {
    assert.ok(
      count <= perPeriod.updatesMax,
      `${count} updates in one period, at most ${perPeriod.updatesMax}`,
    )
  }
}
