/**
 * What a rollout waits for before its next wave opens or it finishes: a stable code with its facts,
 * and the clause that tells them.
 */
import { bakedMs, isApproved, successOf } from './planner.ts'
import type { Gate, Rollout } from './rollout.ts'
import { rolloutTime } from './rollout.ts'
import { contradictionOf, countsOf, isUntried, verdictsOf } from './wave-counts.ts'
import { formatDevices, formatPercent, formatSeconds, formatWhen } from './words.ts'

/** The facts of a sentence, by name. */
export type Values = Readonly<Record<string, string | number | boolean | Date | null>>

/** What a wave still lacks to pass its gate. */
type Standing =
  | { readonly standing: 'contradictory'; readonly contradiction: string }
  | {
      readonly standing: 'share'
      readonly percent: number
      readonly successSince: Date | null
      readonly silentCount: number
    }
  | { readonly standing: 'being_counted' }
  | { readonly standing: 'nobody_heard'; readonly silentCount: number }
  | { readonly standing: 'none_healthy'; readonly membersCount: number }
  | {
      readonly standing: 'sample'
      readonly endedCount: number
      readonly neededCount: number
      readonly silentCount: number
    }

/** Waves are counted from 1. */
export type Outlook = {
  /** The wave that opens next; `null` where the rollout finishes. */
  readonly nextWave: number | null
  readonly wavesCount: number
  /**
   * The earliest instant at which it happens; `null` where that depends on a person or cannot be
   * said.
   */
  readonly nextAt: Date | null
} & (
  | { readonly nextCode: 'due' | 'starts_later' }
  | {
      readonly nextCode: 'approval_missing'
      readonly notBefore: Date | null
      /** The wave by tag before it, where no device belongs to that. */
      readonly untriedWave: number | null
    }
  | ({
      readonly nextCode: 'gate_not_passed'
      readonly needsApproval: boolean
      readonly gateWave: number
      readonly successPercentMin: number
      readonly successOf: Gate['successOf']
      readonly bakeSeconds: number
    } & Standing)
)

/** What happens next: a stable code, its facts, and the sentence that tells them. */
export interface Next {
  readonly code: Outlook['nextCode'] | Exclude<Rollout['state'], 'active'>
  readonly values: Values
  readonly sentence: string
}

/** What an active rollout waits for, and its earliest instant. */
export function nextWave(rollout: Rollout, now: Date): Outlook {
  const at = rolloutTime(rollout, now)
  const next = rollout.wavesOpenCount
  const last = next - 1
  const isLast = next === rollout.waves.length
  const needsApproval = !isLast && !isApproved(rollout, next)
  const what = { nextWave: isLast ? null : next + 1, wavesCount: rollout.waves.length }
  const missing = (notBefore: Date | null): Outlook => ({
    ...{ ...what, nextCode: 'approval_missing', notBefore, nextAt: null },
    untriedWave: isUntried(rollout, last) ? last + 1 : null,
  })
  if (last < 0) {
    const isDue = at.getTime() >= rollout.startAt.getTime()
    if (needsApproval) return missing(isDue ? null : rollout.startAt)
    return isDue
      ? { ...what, nextCode: 'due', nextAt: now }
      : { ...what, nextCode: 'starts_later', nextAt: rollout.startAt }
  }
  const { successSince } = rollout.waves[last]!
  const openMs = bakedMs(rollout, last, successSince ?? at)
  const isBaked = successSince !== null && at.getTime() >= openMs
  if (isBaked && needsApproval) return missing(null)
  // The rollout's time may be ahead of the clock: what is due in it is due now.
  const earliestAt = openMs <= at.getTime() ? now : new Date(openMs)
  const { bakeSeconds, successPercentMin, successOf: of } = rollout.policy.waves[last]!.gate
  return {
    ...what,
    nextCode: 'gate_not_passed',
    needsApproval,
    gateWave: last + 1,
    ...{ successPercentMin, successOf: of, bakeSeconds },
    nextAt: needsApproval ? null : earliestAt,
    ...standingOf(rollout, last),
  }
}

function standingOf(rollout: Rollout, wave: number): Standing {
  const contradiction = contradictionOf(rollout)
  if (contradiction !== null) return { standing: 'contradictory', contradiction }
  const { gate } = rollout.policy.waves[wave]!
  const { successSince } = rollout.waves[wave]!
  const { percent, of } = successOf(rollout, wave)
  const counts = countsOf(rollout, wave)
  const isOfMembers = gate.successOf === 'members'
  const silentCount = isOfMembers ? 0 : counts.silent
  if (percent !== null) return { standing: 'share', percent, successSince, silentCount }
  const { underWay, waiting, silent } = counts
  if (waiting === null && isOfMembers) return { standing: 'being_counted' }
  const isNobodyLeft = underWay === 0 && waiting?.max === 0 && verdictsOf(counts) === 0
  if (isNobodyLeft) return { standing: 'nobody_heard', silentCount: silent }
  if (isOfMembers) return { standing: 'none_healthy', membersCount: of }
  const heard = waiting && of + underWay + waiting.min
  const neededCount = heard === null ? gate.sampleMin : Math.min(gate.sampleMin, Math.max(heard, 1))
  return { standing: 'sample', endedCount: of, neededCount, silentCount }
}

/** A clause that begins with what is waited for: `wave 2 of 4 opens when …`. */
export function sayOutlook(outlook: Outlook, when: (at: Date) => string): string {
  const { nextWave: wave, nextAt } = outlook
  const what = wave === null ? 'the rollout finishes' : `${sayWave({ ...outlook, wave })} opens`
  const at = nextAt && when(nextAt)
  switch (outlook.nextCode) {
    case 'due':
      return `${what} within seconds`
    case 'starts_later':
      return `${what} at ${at}`
    case 'approval_missing': {
      const start = outlook.notBefore === null ? '' : `, not before ${when(outlook.notBefore)}`
      const { untriedWave: untried } = outlook
      const why =
        untried === null ? '' : `, because no device with the tag of wave ${untried} takes part`
      return `${what} when a person has approved it${start}${why}`
    }
    case 'gate_not_passed': {
      const { gateWave, bakeSeconds, needsApproval } = outlook
      const share = formatPercent(outlook.successPercentMin)
      const whose = outlook.successOf === 'members' ? '' : `'s ended updates`
      const health =
        bakeSeconds === 0 ? 'are healthy' : `have been healthy for ${formatSeconds(bakeSeconds)}`
      const condition = `${share} of wave ${gateWave}${whose} ${health}`
      const approval = needsApproval ? ' and a person has approved it' : ''
      const earliest = at === null ? '' : `, earliest ${at}`
      return `${what} when ${condition}${approval}; ${sayStanding(outlook, when)}${earliest}`
    }
  }
}

/** `now 91 %`, `now 97 % since 13:50 CEST`, `now 3 of at least 10 have ended`. */
function sayStanding(stands: Standing, when: (at: Date) => string): string {
  switch (stands.standing) {
    case 'contradictory':
      return `nothing can be said, because its counters contradict each other (${stands.contradiction})`
    case 'share': {
      const since = stands.successSince === null ? '' : ` since ${when(stands.successSince)}`
      return `now ${formatPercent(stands.percent)}${since}${sayNotWaitedFor(stands.silentCount)}`
    }
    case 'being_counted':
      return 'its devices are being counted'
    case 'nobody_heard':
      return `nothing is known of the release, because none of its ${formatDevices(stands.silentCount)} has been heard from lately`
    case 'none_healthy':
      return `now 0 of ${formatDevices(stands.membersCount)}`
    case 'sample':
      return `now ${stands.endedCount} of at least ${stands.neededCount} have ended${sayNotWaitedFor(stands.silentCount)}`
  }
}

function sayNotWaitedFor(silent: number): string {
  if (silent === 0) return ''
  return silent === 1
    ? ', and 1 silent device is not waited for'
    : `, and ${silent} silent devices are not waited for`
}

/**
 * The earliest opening of a wave (by index) that is not open; every wave before it must bake first.
 */
export function wavesOpenAt(rollout: Rollout, wave: number, now: Date): Date | null {
  let ms: number | null = nextWave(rollout, now).nextAt?.getTime() ?? null
  for (let between = rollout.wavesOpenCount; between < wave && ms !== null; between += 1) {
    const isFree = isApproved(rollout, between + 1)
    ms = isFree ? ms + rollout.policy.waves[between]!.gate.bakeSeconds * 1000 : null
  }
  return ms === null ? null : new Date(ms)
}

export function sayWave({ wave, wavesCount }: { wave: number; wavesCount: number }): string {
  return `wave ${wave} of ${wavesCount}`
}

/** What happens next, with its sentence. */
export function describeNext(rollout: Rollout, now: Date, timeZone = 'UTC'): Next {
  const when = (at: Date) => formatWhen(at, now, timeZone)
  const { state, stopCode, stopReason, endedAt } = rollout
  switch (state) {
    case 'active': {
      const outlook = nextWave(rollout, now)
      const clause = sayOutlook(outlook, when)
      const { nextCode: code, ...values } = outlook
      return { code, values, sentence: `${clause.charAt(0).toUpperCase()}${clause.slice(1)}.` }
    }
    case 'paused':
    case 'aborted': {
      const sentence = `${state === 'paused' ? 'Paused' : 'Aborted'}: ${sayStop(rollout)}.`
      return { code: state, values: { stopCode, stopReason, ...rollout.stopValues }, sentence }
    }
    case 'finished': {
      const sentence = `Finished${endedAt === null ? '' : ` at ${when(endedAt)}`}.`
      return { code: state, values: { endedAt }, sentence }
    }
  }
}

/** Why the rollout was stopped, in a person's words or ours. */
export function sayStop({
  stopCode,
  stopReason,
}: Pick<Rollout, 'stopCode' | 'stopReason'>): string {
  if (stopCode === 'by_person') {
    return stopReason === null
      ? 'a person did it and gave no reason'
      : `a person's reason: ${stopReason}`
  }
  return stopReason ?? stopCode ?? 'no reason was kept'
}
