/**
 * Why a device gets what it gets: one sentence with the facts, for every state a device can be in.
 */
import { invariant, unreachable } from '@seaworthy/std/refusal'
import type { Obstacle } from '../devices/assignment.ts'
import { isRunnable, obstacleOf } from '../devices/assignment.ts'
import type { FleetPolicy } from '../fleets/index.ts'
import type { ReleaseFacts } from '../releases/index.ts'
import { isSameRelease } from '../releases/order.ts'
import { admitDevice, waveOf } from './admission.ts'
import type { AdmissionReason } from './admission.ts'
import type { FleetAnswer, FleetReason, RolloutReason } from './decision.ts'
import { chooseNext, findRelease } from './decision.ts'
import type { Hearing } from './hearing.ts'
import { isSilent, silenceOf } from './hearing.ts'
import { percentOf, placeOf } from './place.ts'
import type { CheckInFacts, Rollout, UpdateState } from './rollout.ts'
import { updateIn } from './rollout-time.ts'
import type { Asked } from './sentences.ts'
import { sayAdmission, sayUpdate } from './sentences.ts'
import type { Situation } from './situation.ts'
import { isUnderWay } from './update-states.ts'
import { formatSpan, formatWhen } from './words.ts'

/**
 * `due` means that the device is offered the release at its next check-in; the state of an update
 * stands where it says everything.
 */
export type WhyCode =
  | FleetReason
  | Exclude<RolloutReason, 'rollout' | 'under_way'>
  | UpdateState
  | 'due'

export interface Why {
  /** Stable. */
  readonly code: WhyCode
  /** One sentence with the facts; it begins with a small letter and has no full stop. */
  readonly sentence: string
  readonly rolloutId: string | null
  /** Index of the wave that takes the device in. */
  readonly wave: number | null
  /**
   * The share of the fleet, above 0 up to 100, from which a wave by percentage takes the device in.
   */
  readonly placePercent: number | null
  /**
   * The instant before which the answer does not change by itself; `null` where that is not known.
   */
  readonly earliestAt: Date | null
}

/** When the device was heard from last, and when anybody was. */
export interface Heard {
  /** `null`: never, since it was registered at `registeredAt`. */
  readonly at: Date | null
  readonly registeredAt: Date
  /** Whether it asks as often as its fleet is told to: some protocols leave that to the device. */
  readonly asksAsFleet: boolean
  readonly hearing: Hearing
}

/**
 * Explains the answer to a device, over everything that could decide it, in the order of decision.
 * `timeZone` is an IANA name that exists, for times in the sentence.
 */
export function explain(
  facts: CheckInFacts,
  situation: Situation,
  timeZone: string,
  heard: Heard | null = null,
): Why {
  const { fleet, rollouts, now } = situation
  const choice = chooseNext(facts, situation)
  if (choice.kind === 'offer') {
    return explainRollout(facts, choice.from, situation, timeZone, heard)
  }
  if (choice.rolloutId !== null) {
    const decider = rollouts.find(({ rollout }) => rollout.id === choice.rolloutId)?.rollout
    invariant(decider !== undefined, 'a rollout that decides is one of the situation')
    if (choice.reason !== 'baseline_left') {
      return explainRollout(facts, decider, situation, timeZone, heard)
    }
    return { ...ofNoWave(choice.reason, sayBaselineLeft(fleet, decider)), rolloutId: decider.id }
  }
  const hearing = isToBeOffered(choice) ? sayHeard({ now, timeZone }, fleet, heard) : ''
  return ofNoWave(choice.reason, `${sayAnswer(choice, facts, situation)}${hearing}`)
}

function ofNoWave(code: WhyCode, sentence: string): Why {
  return { code, sentence, rolloutId: null, wave: null, placePercent: null, earliestAt: null }
}

/** Explains one rollout only, which may have ended. */
export function explainRollout(
  facts: CheckInFacts,
  rollout: Rollout,
  { fleet, releases, now, zones }: Omit<Situation, 'rollouts'>,
  timeZone: string,
  heard: Heard | null = null,
): Why {
  const update = updateIn(rollout, facts)
  const asked: Asked = { facts, rollout, update, now, zones, timeZone }
  const wave = update?.wave ?? waveOf(rollout, facts)
  const said = sayRollout(asked, fleet, releases)
  const silence = isWaiting(said.code) ? saySilence(asked, fleet, heard) : ''
  const byPercent = rollout.policy.waves.some(({ members }) => members.kind === 'percent')
  return {
    ...said,
    sentence: `${said.sentence}${silence}`,
    rolloutId: rollout.id,
    wave,
    placePercent: byPercent ? percentOf(placeOf(rollout.id, facts.deviceId)) : null,
  }
}

function saySilence(
  { rollout: { policy }, now, timeZone }: Asked,
  fleet: FleetPolicy,
  heard: Heard | null,
): string {
  if (heard === null) return ''
  const at = heard.at ?? heard.registeredAt
  const silence = silenceOf(policy, fleet, heard.hearing, now)
  if (silence.afterMs === null || !isSilent(silence, at, now)) {
    return sayHeard({ now, timeZone }, fleet, heard)
  }
  return `; it has not been heard from since ${formatWhen(at, now, timeZone)}, longer than ${formatSpan(silence.afterMs / 1000)}, and a share of ended updates does not wait for it`
}

/** An offer waits for the device to ask: `; last heard 17:13 UTC, asks every 1 h`. */
function sayHeard(
  { now, timeZone }: Pick<Asked, 'now' | 'timeZone'>,
  fleet: FleetPolicy,
  heard: Heard | null,
): string {
  if (heard === null) return ''
  const last =
    heard.at === null ? 'never heard yet' : `last heard ${formatWhen(heard.at, now, timeZone)}`
  return `; ${last}${heard.asksAsFleet ? `, asks every ${formatSpan(fleet.pollSeconds)}` : ''}`
}

function isToBeOffered({ reason }: FleetAnswer): boolean {
  return reason === 'newest' || reason === 'pinned' || reason === 'baseline'
}

/** Whether it is still to be offered the release. */
function isWaiting(code: WhyCode): boolean {
  const waiting: readonly WhyCode[] = [
    'due',
    'wave_not_open',
    'not_started',
    'paused',
    'window_closed',
    'in_flight_max',
    'period_max',
    'rate',
    'safe_mode',
    'cancel_pending',
    'restart_not_allowed',
  ]
  return waiting.includes(code)
}

type Said = Pick<Why, 'code' | 'sentence' | 'earliestAt'>

function sayRollout(asked: Asked, fleet: FleetPolicy, releases: readonly ReleaseFacts[]): Said {
  const { facts, rollout, update, now, zones } = asked
  if (update !== null && (isUnderWay(update) || update.state === 'committed')) {
    return { code: update.state, sentence: sayUpdate(asked, update), earliestAt: null }
  }
  const still = (code: WhyCode, sentence: string): Said => ({ code, sentence, earliestAt: null })
  const obstacle = obstacleOf(facts, fleet)
  if (obstacle !== null) return still(obstacle, sayObstacle(obstacle, facts, fleet))
  const admission = admitDevice(rollout, facts, now, zones)
  const isOver = rollout.state === 'aborted' || rollout.state === 'finished'
  const isThere =
    admission.kind === 'refused' && ['already_running', 'not_newer'].includes(admission.reason)
  if (!isOver && !isThere) {
    const release = findRelease(rollout, releases)
    if (release === null) {
      return still(
        'release_withdrawn',
        `nothing: release ${rollout.version} of the rollout is not in the signed metadata of ${rollout.product}/${rollout.channel}`,
      )
    }
    if (!isRunnable(release, facts, fleet)) {
      return still(
        'no_release_for_platform',
        `nothing: release ${rollout.version} is not for ${nameMachine(facts)}`,
      )
    }
  }
  if (admission.kind === 'admitted') {
    return still(
      'due',
      `due: wave ${admission.wave + 1} of ${rollout.waves.length} is open and takes it in; it is offered ${rollout.version} at its next check-in`,
    )
  }
  return { code: codeOf(admission.reason), ...sayAdmission(asked, admission.reason) }
}

function codeOf(reason: AdmissionReason): WhyCode {
  // An update under way has been told by its state before.
  return reason === 'under_way' ? 'offered' : reason
}

function sayObstacle(obstacle: Obstacle, { running }: CheckInFacts, fleet: FleetPolicy): string {
  switch (obstacle) {
    case 'updates_disabled':
      return `nothing: updates of the fleet ${fleet.name} are switched off`
    case 'other_product':
      return `nothing: it runs ${running?.product ?? 'nothing'}, and the fleet ${fleet.name} is of ${fleet.product}`
    default:
      return unreachable(obstacle)
  }
}

function sayBaselineLeft({ baseline }: FleetPolicy, to: Rollout): string {
  return `nothing: the fleet is going back from its baseline ${baseline?.version ?? ''} to ${to.version}`
}

function sayAnswer(
  { release, reason }: FleetAnswer,
  facts: CheckInFacts,
  { fleet, releases }: Situation,
): string {
  const channel = `${fleet.product}/${fleet.channel}`
  const runs = nameRunning(facts, releases)
  const version = release?.version ?? ''
  switch (reason) {
    case 'newest':
      return `due: it is offered ${version}, the newest release of ${channel}, at its next check-in`
    case 'pinned':
      return `due: it is offered ${version}, which the fleet is held at, at its next check-in`
    case 'baseline':
      return `due: no rollout serves it now, so it is offered ${version}, the baseline of the fleet, at its next check-in`
    case 'up_to_date':
      return `up to date: it runs ${runs}`
    case 'no_release_for_platform':
      return `nothing: ${channel} has no release for ${nameMachine(facts)}`
    case 'pinned_version_not_published':
      return `nothing: the fleet is held at ${fleet.pinnedVersion ?? ''}, which is not published on ${channel}`
    case 'not_newer':
      return `nothing: it has reached ${runs}, and what the fleet offers is not newer`
    case 'rolled_back_before':
      return `nothing: it has rolled back from what the fleet offers (${facts.activity.code ?? 'no code given'}) and is not offered that again`
    case 'no_rollout':
      return `nothing: the fleet ${fleet.name} follows rollouts, and there is none and no baseline`
    case 'release_withdrawn':
      return `nothing: the fleet's baseline ${fleet.baseline?.version ?? ''} is not in the signed metadata of ${channel}`
    case 'updates_disabled':
    case 'other_product':
      return sayObstacle(reason, facts, fleet)
    default:
      return unreachable(reason)
  }
}

/** `1.3.0`, or the counter where the release is not listed. */
function nameRunning(
  { running, committedCounter }: CheckInFacts,
  releases: readonly ReleaseFacts[],
): string {
  if (running === null) {
    return committedCounter === 0 ? 'no release' : `the release with counter ${committedCounter}`
  }
  const known = releases.find((release) => isSameRelease(release, running))
  return known?.version ?? `the release with counter ${running.counter}`
}

function nameMachine({ platform, hardware }: CheckInFacts): string {
  return hardware === null ? platform : `${platform} on ${hardware}`
}
