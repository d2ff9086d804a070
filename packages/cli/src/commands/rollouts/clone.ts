/** `seaworthy rollout clone`: a new rollout with the policy of another one. */
import { showRollout } from '@seaworthy/api/rollouts'
import type { Context } from '../../context.ts'
import { withConnection } from '../../connection.ts'
import type { CreateRolloutOptions } from './create.ts'
import { beginRollout } from './create.ts'
import { findRolloutId } from './find-rollout.ts'
import { policyOf } from './policy-options.ts'

export type CloneOptions = Partial<CreateRolloutOptions>

/** A clone is no way back, even of one: it moves every device of the fleet. */
export async function cloneRollout(
  context: Context,
  given: string,
  options: CloneOptions,
): Promise<void> {
  await withConnection(context, async (connection) => {
    const rolloutId = await findRolloutId(connection, given)
    const like = await connection.client.call(showRollout, { params: { rolloutId } })
    const policy = await policyOf(options, like.policy)
    const { product, version, fleet } = like
    await beginRollout(context, connection, policy, {
      ...options,
      fleet: options.fleet ?? fleet,
      release: options.release ?? { product, version },
    })
  })
}
