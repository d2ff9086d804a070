/**
 * What a rollout waits for before its next wave opens or it finishes, in words and as an instant.
 */
import { bakedMs, isApproved, successOf } from './planner.ts'
import type { Rollout } from './rollout.ts'
import { rolloutTime } from './rollout-time.ts'
import { contradictionOf, countsOf, verdictsOf } from './wave-counts.ts'
import { formatDevices, formatPercent, formatSpan, formatWhen } from './words.ts'

export interface Outlook {
  /** A clause that begins with what is waited for: `wave 2 of 4 opens when …`. */
  readonly clause: string
  /**
   * The earliest instant at which it happens; `null` where that depends on a person or cannot be
   * said.
   */
  readonly earliestAt: Date | null
}

/** What an active rollout waits for, and its earliest instant. */
export function nextWave(rollout: Rollout, now: Date, timeZone: string): Outlook {
  const at = rolloutTime(rollout, now)
  const next = rollout.wavesOpenCount
  const last = next - 1
  const isLast = next === rollout.waves.length
  const what = isLast ? 'the rollout finishes' : `${nameWave(rollout, next)} opens`
  const isWaiting = !isLast && !isApproved(rollout, next)
  const approval = isWaiting ? ' and a person has approved it' : ''
  if (last < 0) {
    const isDue = at.getTime() >= rollout.startAt.getTime()
    if (isWaiting) {
      const start = isDue ? '' : `, not before ${formatWhen(rollout.startAt, now, timeZone)}`
      return { clause: `${what} when a person has approved it${start}`, earliestAt: null }
    }
    const clause = isDue
      ? `${what} within seconds`
      : `${what} at ${formatWhen(rollout.startAt, now, timeZone)}`
    return { clause, earliestAt: isDue ? now : rollout.startAt }
  }
  const { successSince } = rollout.waves[last]!
  const condition = conditionOf(rollout, last)
  const openMs = bakedMs(rollout, last, successSince ?? at)
  const isBaked = successSince !== null && at.getTime() >= openMs
  if (isBaked && isWaiting) {
    return { clause: `${what} when a person has approved it`, earliestAt: null }
  }
  // The rollout's time may be ahead of the clock: what is due in it is due now.
  const earliestAt = openMs <= at.getTime() ? now : new Date(openMs)
  const when = isWaiting ? '' : `, earliest ${formatWhen(earliestAt, now, timeZone)}`
  return {
    clause: `${what} when ${condition}${approval}; ${standOf(rollout, last, timeZone, now)}${when}`,
    earliestAt: isWaiting ? null : earliestAt,
  }
}

/** The earliest opening of a wave that is not open; every wave before it must bake first. */
export function wavesOpenAt(rollout: Rollout, wave: number, now: Date): Date | null {
  let ms: number | null = nextWave(rollout, now, 'UTC').earliestAt?.getTime() ?? null
  for (let between = rollout.wavesOpenCount; between < wave && ms !== null; between += 1) {
    const isFree = isApproved(rollout, between + 1)
    ms = isFree ? ms + rollout.policy.waves[between]!.gate.bakeSeconds * 1000 : null
  }
  return ms === null ? null : new Date(ms)
}

export function nameWave(rollout: Rollout, wave: number): string {
  return `wave ${wave + 1} of ${rollout.waves.length}`
}

/** `95 % of wave 1 have been healthy for 30 min`. */
function conditionOf(rollout: Rollout, wave: number): string {
  const { gate } = rollout.policy.waves[wave]!
  const bake = gate.bakeSeconds === 0 ? '' : ` for ${formatSpan(gate.bakeSeconds)}`
  const share = formatPercent(gate.successPercentMin)
  if (gate.successOf === 'members') {
    return `${share} of wave ${wave + 1} ${bake === '' ? 'are healthy' : `have been healthy${bake}`}`
  }
  return `${share} of wave ${wave + 1}'s ended updates ${bake === '' ? 'are healthy' : `have been healthy${bake}`}`
}

/**
 * Where the wave stands: `now 91 %`, `now 97 % since 13:50 CEST`,
 * `now 3 of at least 10 have ended`.
 */
function standOf(rollout: Rollout, wave: number, timeZone: string, now: Date): string {
  const wrong = contradictionOf(rollout)
  if (wrong !== null) {
    return `nothing can be said, because its counters contradict each other (${wrong})`
  }
  const { gate } = rollout.policy.waves[wave]!
  const { successSince } = rollout.waves[wave]!
  const { percent, of } = successOf(rollout, wave)
  const counts = countsOf(rollout, wave)
  const isOfMembers = gate.successOf === 'members'
  const silence = isOfMembers ? '' : sayNotWaitedFor(counts.silent)
  if (percent !== null) {
    const since = successSince === null ? '' : ` since ${formatWhen(successSince, now, timeZone)}`
    return `now ${formatPercent(percent)}${since}${silence}`
  }
  if (counts.waiting === null && isOfMembers) return 'its devices are being counted'
  const { underWay, waiting, silent } = counts
  const isNobodyLeft = underWay === 0 && waiting?.max === 0 && verdictsOf(counts) === 0
  if (isNobodyLeft) {
    return `nothing is known of the release, because none of its ${formatDevices(silent)} has been heard from lately`
  }
  if (isOfMembers) return `now 0 of ${formatDevices(of)}`
  const heard = waiting && of + underWay + waiting.min
  const needed = heard === null ? gate.sampleMin : Math.min(gate.sampleMin, Math.max(heard, 1))
  return `now ${of} of at least ${needed} have ended${silence}`
}

function sayNotWaitedFor(silent: number): string {
  if (silent === 0) return ''
  return silent === 1
    ? ', and 1 silent device is not waited for'
    : `, and ${silent} silent devices are not waited for`
}

/** What happens next, in one sentence with the figures. */
export function describeNext(rollout: Rollout, now: Date, timeZone = 'UTC'): string {
  switch (rollout.state) {
    case 'active': {
      const { clause } = nextWave(rollout, now, timeZone)
      return `${clause.charAt(0).toUpperCase()}${clause.slice(1)}.`
    }
    case 'paused':
      return `Paused: ${stopWords(rollout)}.`
    case 'aborted':
      return `Aborted: ${stopWords(rollout)}.`
    case 'finished':
      return `Finished${rollout.endedAt === null ? '' : ` at ${formatWhen(rollout.endedAt, now, timeZone)}`}.`
  }
}

/** Why the rollout was stopped, in a person's words or ours. */
export function stopWords(rollout: Rollout): string {
  if (rollout.stopCode === 'by_person') {
    return rollout.stopReason === null
      ? 'a person did it and gave no reason'
      : `a person's reason: ${rollout.stopReason}`
  }
  return rollout.stopReason ?? rollout.stopCode ?? 'no reason was kept'
}
