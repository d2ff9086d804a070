/**
 * Changing a rollout that was begun: all of its policy before its first wave opens, its limits
 * while it runs. No gate opens on less than the rule that holds now, and failures are judged at
 * once by the new limits.
 */
import { Refusal } from '@seaworthy/std/refusal'
import { formatInstant } from '@seaworthy/std/time'
import { judgeFailures } from './error-budget.ts'
import { periodAfterChange, rateAfterChange } from './pace.ts'
import { describePolicyChange } from './policy-change-words.ts'
import type { RolloutRefusal } from './refusals.ts'
import type { Gate, Rate, Rollout, RolloutPolicy, Wave, WaveProgress } from './rollout.ts'
import { rolloutTime } from './rollout.ts'
import { requireNotEnded, untouchedWave } from './transitions.ts'

export interface WantedPolicy {
  /** A policy that `checkPolicy` has let pass. */
  readonly policy: RolloutPolicy
  /** The earliest start; `null` leaves it as it is. */
  readonly startAt: Date | null
  readonly reason: string | null
  /** The version that whoever asks has seen. */
  readonly policyVersion: number
  readonly by: string
}

/** How many changes, and how many lines of one, a rollout keeps. The audit log has them all. */
const changesKept = 20
const linesKept = 40

/**
 * The rollout under the wanted policy; a limit that it has passed already stops it. Throws
 * `rollout_ended`, `rollout_changed_meanwhile`, `rollout_unchanged`, `rollout_change_too_late`.
 */
export function changePolicy(rollout: Rollout, wanted: WantedPolicy, now: Date): Rollout {
  requireNotEnded(rollout)
  if (wanted.policyVersion !== rollout.policyVersion) {
    throw new Refusal<RolloutRefusal>(
      'rollout_changed_meanwhile',
      `somebody has changed the rollout: its policy is version ${rollout.policyVersion}, and yours is made of version ${wanted.policyVersion}`,
    )
  }
  const at = rolloutTime(rollout, now)
  const startAt =
    wanted.startAt === null ? rollout.startAt : new Date(Math.max(+wanted.startAt, +at))
  const lines = describePolicyChange(rollout.policy, wanted.policy)
  if (+startAt !== +rollout.startAt) {
    lines.push(`start: ${formatInstant(rollout.startAt)} → ${formatInstant(startAt)}`)
  }
  if (lines.length === 0) {
    throw new Refusal<RolloutRefusal>('rollout_unchanged', 'the rollout has this policy already')
  }
  requireInTime(rollout, wanted)
  const more = lines.length - linesKept
  const change = {
    at,
    by: wanted.by,
    reason: wanted.reason,
    lines: more <= 0 ? lines : [...lines.slice(0, linesKept), `and ${more} more`],
  }
  const changed: Rollout = {
    ...rollout,
    policy: wanted.policy,
    policyVersion: rollout.policyVersion + 1,
    policyChanges: [...rollout.policyChanges, change].slice(-changesKept),
    startAt,
    clockAt: at,
    revision: rollout.revision + 1,
  }
  const after: Rollout = {
    ...changed,
    ...(isEqual(rollout.policy.rate, wanted.policy.rate)
      ? {}
      : { rateNextMs: rateAfterChange(rollout, changed, at) }),
    ...(rollout.policy.perPeriod?.seconds === wanted.policy.perPeriod?.seconds
      ? {}
      : periodAfterChange(rollout, changed, at)),
    ...(rollout.wavesOpenCount > 0
      ? { waves: rollout.waves.map((wave, index) => underNewGate(rollout, changed, index, wave)) }
      : notBegun(rollout, changed)),
  }
  return judgeFailures(after, now) ?? after
}

/** Throws `rollout_change_too_late` for what may not change any more. */
function requireInTime(rollout: Rollout, { policy, startAt }: WantedPolicy): void {
  const { policy: before, wavesOpenCount } = rollout
  if (policy.isEmergency !== before.isEmergency) {
    throw tooLate('whether it is an emergency is decided when it is created')
  }
  if (wavesOpenCount === 0) return
  if (startAt !== null) throw tooLate('it has started')
  const isSameWaves =
    policy.waves.length === before.waves.length &&
    policy.waves.every(({ members }, index) => isEqual(members, before.waves[index]!.members))
  if (!isSameWaves) throw tooLate('its first wave is open, so its waves stay as they are')
  for (const [index, wave] of policy.waves.entries()) {
    const old = before.waves[index]!
    if (old.needsApproval && !wave.needsApproval) {
      throw tooLate(`wave ${index + 1} waits for a person: approve it instead`)
    }
    if (index < wavesOpenCount && wave.needsApproval !== old.needsApproval) {
      throw tooLate(`wave ${index + 1} is open already and can wait for nobody`)
    }
    const isPassed = index < wavesOpenCount - 1
    if (isPassed && !isSameSuccess(wave.gate, old.gate, 'with-bake')) {
      throw tooLate(
        `wave ${index + 1} has passed its gate, of which only --max-failures may change`,
      )
    }
  }
  if (policy.silentAfterSeconds !== before.silentAfterSeconds) {
    throw tooLate('its devices are counted by the time after which one is silent')
  }
  if (!isEqual(policy.attempts, before.attempts)) {
    throw tooLate('devices have had attempts already, by the number that held then')
  }
}

function tooLate(why: string): Refusal<RolloutRefusal> {
  return new Refusal<RolloutRefusal>('rollout_change_too_late', `this cannot change now: ${why}`)
}

/**
 * A success that was noted under another condition says nothing of the new one. How long it must
 * hold may change, because the instant since which it holds stays true.
 */
function underNewGate(
  before: Rollout,
  after: Rollout,
  index: number,
  progress: WaveProgress,
): WaveProgress {
  const isSame = isSameSuccess(before.policy.waves[index]!.gate, after.policy.waves[index]!.gate)
  return isSame ? progress : { ...progress, successSince: null }
}

/**
 * Other waves are counted anew. An approval stays where the waves up to the approved one are as
 * they were when it was given.
 */
function notBegun(before: Rollout, after: Rollout): Pick<Rollout, 'waves' | 'firstPlace'> {
  const { waves: old } = before.policy
  const { waves } = after.policy
  if (isEqual(old, waves)) return { waves: before.waves, firstPlace: before.firstPlace }
  const firstOther = waves.findIndex((wave, index) => !isEqual(wave, old[index]))
  const sameCount = firstOther === -1 ? waves.length : firstOther
  return {
    firstPlace: null,
    waves: waves.map((_wave, index) => {
      if (index >= sameCount) return untouchedWave
      const { approvedAt, approvedBy } = before.waves[index]!
      return { ...untouchedWave, approvedAt, approvedBy }
    }),
  }
}

function isSameSuccess(a: Gate, b: Gate, bake?: 'with-bake'): boolean {
  return (
    a.successPercentMin === b.successPercentMin &&
    a.successOf === b.successOf &&
    a.sampleMin === b.sampleMin &&
    (bake === undefined || a.bakeSeconds === b.bakeSeconds)
  )
}

/**
 * Whether the release can come to no device sooner, on less evidence or in spite of more failures
 * than before. What cannot be compared is not stricter.
 */
export function isOnlyStricter(before: RolloutPolicy, after: RolloutPolicy): boolean {
  return (
    before.waves.length === after.waves.length &&
    before.waves.every((wave, index) => isStricterWave(wave, after.waves[index]!)) &&
    isAtMost(after.inFlightMax, before.inFlightMax) &&
    isSlowerPeriod(before.perPeriod, after.perPeriod) &&
    isSlowerRate(before.rate, after.rate) &&
    (before.windows === null || isEqual(before.windows, after.windows)) &&
    // A shorter time frees places in flight sooner, a longer one lets failures be known later.
    after.timeoutSeconds === before.timeoutSeconds &&
    after.silentAfterSeconds === before.silentAfterSeconds &&
    (after.safeMode || !before.safeMode) &&
    isAtMost(after.failuresMax, before.failuresMax) &&
    (after.onFailure === before.onFailure || after.onFailure === 'abort') &&
    isEqual(before.attempts, after.attempts) &&
    before.isEmergency === after.isEmergency
  )
}

function isStricterWave(before: Wave, after: Wave): boolean {
  const { gate: old } = before
  const { gate } = after
  return (
    isEqual(before.members, after.members) &&
    (after.needsApproval || !before.needsApproval) &&
    gate.bakeSeconds >= old.bakeSeconds &&
    gate.successPercentMin >= old.successPercentMin &&
    gate.successOf === old.successOf &&
    gate.sampleMin === old.sampleMin &&
    isAtMost(gate.failurePercentMax, old.failurePercentMax)
  )
}

/** `null` is no limit. */
function isAtMost(limit: number | null, other: number | null): boolean {
  return other === null || (limit !== null && limit <= other)
}

function isSlowerPeriod(
  before: RolloutPolicy['perPeriod'],
  after: RolloutPolicy['perPeriod'],
): boolean {
  if (before === null) return true
  if (after === null || after.seconds !== before.seconds) return false
  return after.updatesMax <= before.updatesMax
}

function isSlowerRate(before: Rate | null, after: Rate | null): boolean {
  if (before === null || isEqual(before, after)) return true
  if (after === null || before.kind !== 'constant' || after.kind !== 'constant') return false
  return after.perMinute <= before.perMinute
}

/** Compares values of JSON, whatever the order of their members. */
function isEqual(a: unknown, b: unknown): boolean {
  if (a === b) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  const left = Object.entries(a)
  const right = new Map(Object.entries(b))
  return (
    Array.isArray(a) === Array.isArray(b) &&
    left.length === right.size &&
    left.every(([name, value]) => right.has(name) && isEqual(value, right.get(name)))
  )
}
