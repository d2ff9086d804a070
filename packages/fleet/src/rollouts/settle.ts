/**
 * What the server does under the lock of a fleet's rollouts, as one pure function. For each device
 * in order, it takes what the report says of the device's updates, then judges at once whether
 * failures stop a rollout, and only then makes an offer. Limits, safe mode and gates are exact
 * because nothing else changes a rollout's counters.
 */
import { alreadyThere } from './already-there.ts'
import type { Answer } from './decision.ts'
import { chooseNext } from './decision.ts'
import { recordOffer } from './offers.ts'
import { judgeFailures } from './error-budget.ts'
import type { CheckInFacts, Rollout, Update } from './rollout.ts'
import { updateIn } from './rollout.ts'
import type { Situation } from './situation.ts'
import type { SupersedeCode } from './updates.ts'
import { advanceUpdate, moveCounters, supersedeUpdate, timeOutUpdate } from './updates.ts'

/** One write of an update: `before` is `null` for the first of a device in a rollout. */
export interface UpdateChange {
  readonly deviceId: string
  readonly rolloutId: string
  readonly before: Update | null
  readonly after: Update
}

export interface Settled {
  /** The rollouts that changed, as they are now. */
  readonly rollouts: readonly Rollout[]
  /** The changes in the order in which they happened; a device may have several. */
  readonly changes: readonly UpdateChange[]
  /** What each device is answered, by device. */
  readonly answers: ReadonlyMap<string, Answer>
  /** All updates of each device as they are now, by device. */
  readonly updates: ReadonlyMap<string, readonly Update[]>
}

/** The rollouts were read under lock; so were the `updates` of each of `batch`. */
export function settleRollouts(situation: Situation, batch: readonly CheckInFacts[]): Settled {
  const { rollouts, now } = situation
  const ranked = [...rollouts]
  // It is the situation as each change of `ranked` leaves it.
  const current: Situation = { ...situation, rollouts: ranked }
  const changes: UpdateChange[] = []
  const answers = new Map<string, Answer>()
  const updates = new Map<string, readonly Update[]>()

  const replace = (rollout: Rollout) => {
    const index = ranked.findIndex((known) => known.rollout.id === rollout.id)
    ranked[index] = { rollout, release: ranked[index]!.release }
  }
  const record = (facts: CheckInFacts, rollout: Rollout, after: Update): CheckInFacts => {
    const before = updateIn(rollout, facts)
    changes.push({ deviceId: facts.deviceId, rolloutId: rollout.id, before, after })
    const others = facts.updates.filter((update) => update.rolloutId !== rollout.id)
    return { ...facts, updates: [...others, after] }
  }
  const move = (facts: CheckInFacts, rollout: Rollout, after: Update): CheckInFacts => {
    const moved = moveCounters(rollout, updateIn(rollout, facts), after)
    replace(judgeFailures(moved, now) ?? moved)
    return record(facts, rollout, after)
  }

  for (const read of batch) {
    let facts: CheckInFacts = { ...read, updates: updates.get(read.deviceId) ?? read.updates }
    for (const { rollout } of [...ranked]) {
      const update = updateIn(rollout, facts)
      const after =
        (update === null ? null : advanceUpdate(update, rollout, facts, now)) ??
        alreadyThere(rollout, facts, now)
      if (after !== null) facts = move(facts, rollout, after)
    }
    const choice = chooseNext(facts, current)
    if (choice.kind === 'answer') {
      const { kind: _, ...answer } = choice
      answers.set(facts.deviceId, answer)
    } else {
      const { overtakes, from, release, wave } = choice
      if (overtakes !== null) {
        const overtaken = ranked.find(({ rollout }) => rollout.id === overtakes.rolloutId)!.rollout
        const after = supersedeUpdate(overtakes, overtaken, 'overtaken', now)
        if (after !== null) facts = move(facts, overtaken, after)
      }
      const granted = recordOffer(from, facts, wave, now)
      replace(granted.rollout)
      facts = record(facts, from, granted.update)
      const { attempt, rolloutId } = granted.update
      answers.set(facts.deviceId, { release, reason: 'rollout', rolloutId, attempt })
    }
    updates.set(facts.deviceId, facts.updates)
  }
  const known = new Set(rollouts.map(({ rollout }) => rollout))
  return {
    rollouts: ranked.flatMap(({ rollout }) => (known.has(rollout) ? [] : [rollout])),
    changes,
    answers,
    updates,
  }
}

/**
 * Why an update ends without a report that ends it: its deadline has passed, or it has lost its
 * purpose.
 */
export type End =
  | { readonly kind: 'timed_out' }
  | { readonly kind: 'superseded'; readonly code: SupersedeCode }

/**
 * Ends those of a rollout's updates, read under lock, that can end; failures are judged after each.
 */
export function endUpdates(
  rollout: Rollout,
  updates: readonly Update[],
  end: End,
  now: Date,
): { rollout: Rollout; changes: readonly UpdateChange[] } {
  const changes: UpdateChange[] = []
  let current = rollout
  for (const before of updates) {
    const after =
      end.kind === 'timed_out'
        ? timeOutUpdate(before, current, now)
        : supersedeUpdate(before, current, end.code, now)
    if (after === null) continue
    changes.push({ deviceId: before.deviceId, rolloutId: rollout.id, before, after })
    const moved = moveCounters(current, before, after)
    current = judgeFailures(moved, now) ?? moved
  }
  return { rollout: current, changes }
}
