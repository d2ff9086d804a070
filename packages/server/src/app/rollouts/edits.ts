/** A person changes the policy of a rollout that was begun. */
import type { Rollout, WantedPolicy } from '@seaworthy/fleet/rollouts'
import {
  changePolicy,
  checkPolicy,
  describePolicy,
  isOnlyStricter,
} from '@seaworthy/fleet/rollouts'
import { formatInstant } from '@seaworthy/std/time'
import type { JsonValue } from '@seaworthy/trust/tuf'
import type { WriteTx } from '../../db/connection.ts'
import { countFleetDevices } from '../../db/fleets.ts'
import type { Current } from '../access/index.ts'
import type { App } from '../app.ts'
import type { GuardedEffect } from '../approvals/index.ts'
import { togetherMs } from '../approvals/index.ts'
import { changeRollout, digestOfPolicy, lockRollout } from './rollouts.ts'

export type WantedEdit = Omit<WantedPolicy, 'by'>

/**
 * Throws `rollout_not_found`, `out_of_scope`, `rollout_policy_invalid`, `rollout_ended`,
 * `rollout_changed_meanwhile`, `rollout_unchanged`, `rollout_change_too_late`.
 */
export async function editRollout(
  app: Pick<App, 'zones'>,
  tx: WriteTx,
  actor: Current,
  id: string,
  wanted: WantedEdit,
): Promise<Rollout> {
  checkPolicy(wanted.policy, app.zones)
  return changeRollout(tx, actor, id, (rollout, now) =>
    changePolicy(rollout, { ...wanted, by: actor.id }, now),
  )
}

/**
 * What the change would bring to devices, as the rules for approvals judge it; `null` where it only
 * makes the rollout slower or stricter. Throws what `editRollout` throws.
 */
export async function editEffect(
  app: Pick<App, 'zones'>,
  tx: WriteTx,
  actor: Current,
  id: string,
  wanted: WantedEdit,
): Promise<GuardedEffect<'release'> | null> {
  checkPolicy(wanted.policy, app.zones)
  const before = await lockRollout(tx, actor, id)
  const now = await tx.now()
  const after = changePolicy(before, { ...wanted, by: actor.id }, now)
  const isSooner = after.startAt.getTime() < before.startAt.getTime()
  if (isOnlyStricter(before.policy, after.policy) && !isSooner) return null
  const { fleet, product, version, sha256, counter } = before
  // Nobody knows how many devices the fleet has when it starts.
  const isFar = after.startAt.getTime() > now.getTime() + togetherMs
  return {
    kind: 'release',
    devicesMax: isFar ? null : await countFleetDevices(tx, fleet),
    words: [
      `Would change the rollout ${id} of ${product}@${version} in the fleet ${fleet}:`,
      ...after.policyChanges.at(-1)!.lines.map((line) => `  ${line}`),
      'The policy would then be:',
      ...describePolicy(after.policy),
    ],
    inputs: { sha256, counter, policyVersion: before.policyVersion },
    needs: { permission: 'rollout:write', fleet: { name: fleet, product } },
  }
}

/** What the audit log tells of a change. */
export function describeEdit(after: Rollout): Readonly<Record<string, JsonValue>> {
  const change = after.policyChanges.at(-1)
  return {
    fleet: after.fleet,
    version: after.version,
    state: after.state,
    stopCode: after.stopCode,
    wavesOpen: after.wavesOpenCount,
    startAt: formatInstant(after.startAt),
    policyVersion: after.policyVersion,
    policySha256: digestOfPolicy(after.policy),
    changes: [...(change?.lines ?? [])],
    reason: change?.reason ?? null,
  }
}
