/** Rollouts as the API and the audit log show them. */
import type { RolloutView } from '@seaworthy/api/rollouts'
import type { Rollout } from '@seaworthy/fleet/rollouts'
import { describeNext, membersOf, needsPerson } from '@seaworthy/fleet/rollouts'
import { formatInstant } from '@seaworthy/std/time'
import type { JsonValue } from '@seaworthy/trust/tuf'
import { instantOrNull, viewValues } from '../views.ts'

/** What the audit log tells about a rollout besides its id. */
export function describeProgress(rollout: Rollout): Readonly<Record<string, JsonValue>> {
  const sum = (pick: (wave: Rollout['waves'][number]) => number) =>
    rollout.waves.reduce((total, wave) => total + pick(wave), 0)
  return {
    fleet: rollout.fleet,
    version: rollout.version,
    state: rollout.state,
    stopCode: rollout.stopCode,
    reason: rollout.stopReason,
    wavesOpen: rollout.wavesOpenCount,
    offered: sum((wave) => wave.offeredCount),
    inFlight: sum((wave) => wave.inFlightCount),
    healthy: sum((wave) => wave.healthyCount),
    failed: sum((wave) => wave.failedCount),
  }
}

export function viewRollout(rollout: Rollout, now: Date): RolloutView {
  const next = describeNext(rollout, now)
  return {
    id: rollout.id,
    fleet: rollout.fleet,
    product: rollout.product,
    channel: rollout.channel,
    version: rollout.version,
    sha256: rollout.sha256,
    counter: rollout.counter,
    state: rollout.state,
    stopCode: rollout.stopCode,
    stopValues: rollout.stopValues,
    stopReason: rollout.stopReason,
    wayBackOf: rollout.wayBackOf,
    policy: structuredClone(rollout.policy) as RolloutView['policy'],
    policyVersion: rollout.policyVersion,
    policyChanges: rollout.policyChanges.map(({ at, by, reason, lines }) => ({
      ...{ at: formatInstant(at), by, reason },
      lines: [...lines],
    })),
    waves: rollout.waves.map((_, index) => viewWave(rollout, index)),
    next: next.sentence,
    nextCode: next.code,
    nextValues: viewValues(next.values),
    createdAt: formatInstant(rollout.createdAt),
    createdBy: rollout.createdBy,
    startAt: formatInstant(rollout.startAt),
    endedAt: instantOrNull(rollout.endedAt),
  }
}

function viewWave(rollout: Rollout, index: number): RolloutView['waves'][number] {
  const wave = rollout.waves[index]!
  return {
    number: index + 1,
    state: stateOfWave(rollout, index),
    membersCount: membersOf(rollout, index),
    silentCount: wave.silentCount,
    openedAt: instantOrNull(wave.openedAt),
    successSince: instantOrNull(wave.successSince),
    approvedAt: instantOrNull(wave.approvedAt),
    approvedBy: wave.approvedBy,
    offeredCount: wave.offeredCount,
    inFlightCount: wave.inFlightCount,
    healthyCount: wave.healthyCount,
    failedCount: wave.failedCount,
    supersededCount: wave.supersededCount,
  }
}

function stateOfWave(rollout: Rollout, index: number): RolloutView['waves'][number]['state'] {
  const { wavesOpenCount, state, waves } = rollout
  if (index < wavesOpenCount - 1 || (index < wavesOpenCount && state === 'finished'))
    return 'passed'
  if (index < wavesOpenCount) return 'open'
  const isNext = index === wavesOpenCount
  return isNext && needsPerson(rollout, index) && waves[index]!.approvedAt === null
    ? 'awaiting_approval'
    : 'waiting'
}
