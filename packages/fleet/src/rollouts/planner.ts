/**
 * What a rollout should do next by itself, as steps. Once they are applied, planning again plans
 * nothing.
 */
import { unreachable } from '@seaworthy/std/refusal'
import { judgeFailures } from './error-budget.ts'
import type { Rollout } from './rollout.ts'
import { rolloutTime } from './rollout.ts'
import { withdraw } from './transitions.ts'
import { contradictionOf, countsOf, membersMaxOf, needsPerson, verdictsOf } from './wave-counts.ts'

export type Step =
  | { readonly kind: 'open_wave'; readonly wave: number }
  /** The wave's success condition holds, or holds no longer. */
  | { readonly kind: 'note_success'; readonly wave: number }
  | { readonly kind: 'lose_success'; readonly wave: number }
  /** A failure gate, the error budget or safe mode stops the rollout. */
  | { readonly kind: 'stop' }
  | { readonly kind: 'withdraw' }
  | { readonly kind: 'finish' }

/** What a plan must know besides the rollout. */
export interface PlanFacts {
  /** Whether its release, with that sha256 and counter, is in the signed metadata now. */
  readonly isReleaseSigned: boolean
  /**
   * Whether its devices were counted since they can be heard again (`hearing.ts`): no gate is met
   * by an older count.
   */
  readonly isCountCurrent: boolean
}

/** Plans every step that is due now, in order; none when nothing is. */
export function planRollout(rollout: Rollout, now: Date, known: PlanFacts): Step[] {
  const steps: Step[] = []
  let planned = rollout
  for (;;) {
    const step = nextStep(planned, now, known)
    if (step === null) return steps
    steps.push(step)
    planned = applyStep(planned, step, now)
  }
}

/** The rollout after the step, which must have been planned for it as it is. */
export function applyStep(rollout: Rollout, step: Step, now: Date): Rollout {
  const at = rolloutTime(rollout, now)
  const changed = { ...rollout, clockAt: at, revision: rollout.revision + 1 }
  switch (step.kind) {
    case 'open_wave': {
      const progress = { ...rollout.waves[step.wave]!, openedAt: at }
      const waves = rollout.waves.with(step.wave, progress)
      return { ...changed, waves, wavesOpenCount: step.wave + 1 }
    }
    case 'note_success':
    case 'lose_success': {
      const successSince = step.kind === 'note_success' ? at : null
      const progress = { ...rollout.waves[step.wave]!, successSince }
      return { ...changed, waves: rollout.waves.with(step.wave, progress) }
    }
    case 'stop':
      return judgeFailures(rollout, now) ?? rollout
    case 'withdraw':
      return withdraw(rollout, now)
    case 'finish':
      return { ...changed, state: 'finished', endedAt: at }
    default:
      return unreachable(step)
  }
}

/**
 * Whether as many of the wave's devices are healthy as its gate demands; for how long is another
 * question.
 */
function isSuccess(rollout: Rollout, wave: number): boolean {
  const { percent } = successOf(rollout, wave)
  return percent !== null && percent >= rollout.policy.waves[wave]!.gate.successPercentMin
}

/**
 * The wave's share of healthy devices by its gate; `null` while it cannot be said. Both parts of
 * the share are of one set, which is taken to be as large as it may be, so that no gate opens too
 * early. Nothing can be said of a wave that has devices but no verdict. A wave without devices has
 * nobody to wait for; the one after a wave by tag then waits for a person (`needsPerson`).
 */
export function successOf(
  rollout: Rollout,
  wave: number,
): { healthy: number; of: number; percent: number | null } {
  const { gate } = rollout.policy.waves[wave]!
  const counts = countsOf(rollout, wave)
  const { healthy, failed, underWay, accepted, waiting } = counts
  const members = membersMaxOf(counts)
  const isOfMembers = gate.successOf === 'members'
  const of = isOfMembers ? (members ?? 0) - accepted : healthy + failed
  const unknown = { healthy, of, percent: null }
  const isAll = underWay === 0 && waiting?.max === 0
  if (isOfMembers ? members === null : of < gate.sampleMin && !isAll) return unknown
  if (verdictsOf(counts) === 0 && members !== 0) return unknown
  return { healthy, of, percent: of === 0 ? 100 : (healthy / of) * 100 }
}

/**
 * Whether a gate would be met if devices that were offered something since the last count no longer
 * stood in it.
 */
export function isCountMissing(rollout: Rollout): boolean {
  const wave = rollout.wavesOpenCount - 1
  const progress = rollout.waves[wave]
  if (rollout.state !== 'active' || progress === undefined) return false
  const { waiting } = countsOf(rollout, wave)
  if (waiting === null || waiting.min === waiting.max || isSuccess(rollout, wave)) return false
  const counted = { ...progress, waitingCount: waiting.min, movedSinceCount: 0 }
  return isSuccess({ ...rollout, waves: rollout.waves.with(wave, counted) }, wave)
}

function nextStep(
  rollout: Rollout,
  now: Date,
  { isReleaseSigned, isCountCurrent }: PlanFacts,
): Step | null {
  if (rollout.state !== 'active' && rollout.state !== 'paused') return null
  if (!isReleaseSigned) return { kind: 'withdraw' }
  if (rollout.state === 'paused') return null
  if (judgeFailures(rollout, now) !== null) return { kind: 'stop' }
  if (contradictionOf(rollout) !== null) return null
  const at = rolloutTime(rollout, now)
  const wave = rollout.wavesOpenCount - 1
  if (wave < 0) {
    const isDue = at.getTime() >= rollout.startAt.getTime()
    return isDue && isApproved(rollout, 0) ? { kind: 'open_wave', wave: 0 } : null
  }
  const { successSince } = rollout.waves[wave]!
  const holds = isSuccess(rollout, wave)
  if (!holds) return successSince === null ? null : { kind: 'lose_success', wave }
  if (!isCountCurrent) return null
  if (successSince === null) return { kind: 'note_success', wave }
  if (at.getTime() < bakedMs(rollout, wave, successSince)) return null
  if (wave === rollout.policy.waves.length - 1) return { kind: 'finish' }
  return isApproved(rollout, wave + 1) ? { kind: 'open_wave', wave: wave + 1 } : null
}

export function bakedMs(rollout: Rollout, wave: number, successSince: Date): number {
  return successSince.getTime() + rollout.policy.waves[wave]!.gate.bakeSeconds * 1000
}

export function isApproved(rollout: Rollout, wave: number): boolean {
  return !needsPerson(rollout, wave) || rollout.waves[wave]!.approvedAt !== null
}
