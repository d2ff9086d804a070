/** `seaworthy rollout edit`: another policy for a rollout that was begun. */
import { editRollout, showRollout } from '@seaworthy/api/rollouts'
import { describePolicy, describePolicyChange } from '@seaworthy/fleet/rollouts'
import type { Context } from '../../context.ts'
import { withConnection } from '../../connection.ts'
import { findRolloutId } from './find-rollout.ts'
import type { PolicyOptions } from './policy-options.ts'
import { policyOf } from './policy-options.ts'
import { describeRollout } from './view.ts'

export interface EditOptions extends PolicyOptions {
  startAt?: string
  reason?: string
  dryRun?: boolean
}

export async function editRolloutOf(
  context: Context,
  given: string,
  options: EditOptions,
): Promise<void> {
  await withConnection(context, async (connection) => {
    const { client } = connection
    const params = { rolloutId: await findRolloutId(connection, given) }
    const before = await client.call(showRollout, { params })
    const policy = await policyOf(options, before.policy)
    const { startAt, reason } = options
    if (options.dryRun === true) {
      const lines = describePolicyChange(before.policy, policy)
      // The JSON form is what `--policy` reads.
      return context.show(policy, () => [
        lines.length === 0 ? 'Nothing would change of the policy.' : 'Would change',
        ...lines.map((line) => `  ${line}`),
        ...(startAt === undefined ? [] : [`  start: ${before.startAt} → ${startAt}`]),
        '',
        ...describePolicy(policy),
        '',
        'Nothing was changed. Whether all of it can change now is found when it is tried.',
      ])
    }
    const view = await client.call(editRollout, {
      params,
      body: {
        ...{ policy, policyVersion: before.policyVersion },
        ...(startAt === undefined ? {} : { startAt }),
        ...(reason === undefined ? {} : { reason }),
      },
    })
    context.show(view, () => [
      ...describeRollout(context, view, { isShort: true }),
      '',
      'Changed',
      ...(view.policyChanges.at(-1)?.lines ?? []).map((line) => `  ${line}`),
    ])
  })
}
