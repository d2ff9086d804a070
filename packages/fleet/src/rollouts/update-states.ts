/** The states of an update: which may follow which, and in which counter of its wave each is. */
import type { SignedSequence } from '../devices/statements.ts'
import type { UpdateEnd } from './update-ends.ts'
import { isEnd, updateEnds } from './update-ends.ts'
import type { Activity, Update, UpdateState } from './rollout.ts'

const work = ['downloading', 'installing', 'restarting', 'watching'] as const
/**
 * What may follow an end after which the release does not run: another attempt, or the device is
 * found to run it after all.
 */
const afterFailure = ['offered', 'committed'] as const

/**
 * A device may have to fetch, install or restart again, so states of work follow each other in any
 * order.
 */
export const updateTransitions: Readonly<Record<UpdateState, readonly UpdateState[]>> = {
  offered: [...work, ...updateEnds],
  downloading: [...work, ...updateEnds],
  installing: [...work, ...updateEnds],
  restarting: [...work, ...updateEnds],
  watching: [...work, ...updateEnds],
  committed: [],
  rolled_back: afterFailure,
  failed: afterFailure,
  timed_out: afterFailure,
  superseded: afterFailure,
}

type UpdateIn<State extends UpdateState> = {
  [state in State]: Update & { readonly state: state }
}[State]
export type UnderWayState = Exclude<UpdateState, UpdateEnd>
export type EndedUpdate = UpdateIn<UpdateEnd>
/** An update that has ended, and whose release the device does not run. */
export type LostUpdate = UpdateIn<Exclude<UpdateEnd, 'committed'>>

export function hasEnded(update: Update): update is EndedUpdate {
  return isEnd(update.state)
}

export function isUnderWay<U extends Pick<Update, 'state'>>(
  update: U,
): update is U & { readonly state: UnderWayState } {
  return !isEnd(update.state)
}

/**
 * The device's code while it has made the release ready and waits for permission to restart into
 * it.
 */
const waitingCode = 'waiting_for_restart'

/** Whether the release is ready on the device, and nothing of it runs yet. */
export function isWaitingForRestart(update: {
  readonly state: string
  readonly code?: string | null | undefined
}): boolean {
  return isWork(update.state) && update.code === waitingCode
}

/** Whether the update is not yet so far that it would have to be undone on the device. */
export function canBeSuperseded(update: Pick<Update, 'state' | 'code'>): boolean {
  const { state } = update
  return state === 'offered' || state === 'downloading' || isWaitingForRestart(update)
}

/**
 * Whether the update was given up for a reason that is not the device's: it uses up no attempt, and
 * the device waits for another offer. A device that says itself that it has gone beyond the release
 * has used its attempt, or it could have offers without end by saying so and taking it back.
 */
export function isGivenUp({ state, code }: Pick<Update, 'state' | 'code'>): boolean {
  return state === 'superseded' && code !== 'newer'
}

type Counter = 'inFlightCount' | 'healthyCount' | 'failedCount' | 'supersededCount'

/** Which counter of its wave an update in that state is in. */
export function counterOf(state: UpdateState): Counter {
  if (state === 'committed') return 'healthyCount'
  if (state === 'superseded') return 'supersededCount'
  return state === 'offered' || isWork(state) ? 'inFlightCount' : 'failedCount'
}

export function isWork(state: string): state is (typeof work)[number] {
  return (work as readonly string[]).includes(state)
}

/** What a device says, as decisions take it. `saidSequence` is the statement that told an end. */
export function readActivity(
  update: {
    readonly state: Activity['state']
    readonly sha256?: string | undefined
    readonly code?: string | undefined
  },
  saidSequence: SignedSequence,
): Activity {
  const { state, sha256 = null, code = null } = update
  return state === 'rolled_back' || state === 'failed'
    ? { state, sha256, code, saidSequence }
    : { state, sha256, code }
}
