/** `seaworthy rollout create`: a policy put together, said in words, and sent. */
import { InvalidArgumentError } from 'commander'
import { showFleet } from '@seaworthy/api/fleets'
import { ProblemError } from '@seaworthy/api/problems'
import { checkRollout, createRollout } from '@seaworthy/api/rollouts'
import { formatInstant } from '@seaworthy/std/time'
import type { ReplyOf } from '@seaworthy/api/route'
import type { RolloutPolicy } from '@seaworthy/fleet/rollouts'
import { describePolicy } from '@seaworthy/fleet/rollouts'
import type { Context } from '../../context.ts'
import { formatCount, harmless } from '../../output/format.ts'
import { CliError } from '../../failure.ts'
import type { Connection } from '../../connection.ts'
import { withConnection } from '../../connection.ts'
import { notPublished } from '../../trust/open-proposals.ts'
import type { Policy, PolicyOptions } from './policy-options.ts'
import { policyOf } from './policy-options.ts'
import { describeFollowUp, describeRollout } from './view.ts'

export interface CreateRolloutOptions extends PolicyOptions {
  fleet: string
  release: { product: string; version: string }
  startAt?: string
  dryRun?: boolean
}

export function releaseOption(text: string): { product: string; version: string } {
  const match = /^([a-z][a-z0-9-]{0,62})@([A-Za-z0-9][A-Za-z0-9._+-]{0,127})$/.exec(text)
  if (match === null) throw new InvalidArgumentError('Not of the form PRODUCT@VERSION.')
  return { product: match[1]!, version: match[2]! }
}

/** An instant with its zone, in the form of the HTTP API. */
export function instantOption(text: string): string {
  const isWhole = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?(Z|[+-]\d\d:\d\d)$/.test(text)
  const at = new Date(isWhole ? text : Number.NaN)
  if (Number.isNaN(at.getTime())) {
    throw new InvalidArgumentError(
      'Not an instant with a zone, such as 2026-05-04T08:00:00Z or 2026-05-04T10:00:00+02:00.',
    )
  }
  return formatInstant(at)
}

export async function createRolloutOf(
  context: Context,
  options: CreateRolloutOptions,
): Promise<void> {
  const policy = await policyOf(options)
  await withConnection(context, (connection) => beginRollout(context, connection, policy, options))
}

/** Begins the rollout, or with `dryRun` says what would be begun. */
export async function beginRollout(
  context: Context,
  connection: Connection,
  policy: Policy,
  options: Pick<CreateRolloutOptions, 'fleet' | 'release' | 'startAt' | 'dryRun'>,
): Promise<void> {
  const { product, version } = options.release
  const { client } = connection
  const fleet = await client.call(showFleet, { params: { fleet: options.fleet } })
  if (fleet.product !== product) {
    throw new CliError('usage', `the fleet ${fleet.name} runs ${fleet.product}, not ${product}`)
  }
  const body = {
    fleet: fleet.name,
    version,
    policy,
    ...(options.startAt === undefined ? {} : { startAt: options.startAt }),
  }
  const release = { product, version, channel: fleet.channel }
  if (options.dryRun === true) {
    const { waves } = await explained(connection, release, () =>
      client.call(checkRollout, { body }),
    )
    // The JSON form is what `--policy` reads.
    return context.show(policy, () => [
      `Would move the fleet ${fleet.name} to ${product}@${version}${options.startAt === undefined ? '' : `, from ${options.startAt} on`}.`,
      '',
      ...describePolicy(policy, fleet),
      '',
      ...describeTagged(policy, waves),
      'Nothing prevents it now. Nothing was begun.',
    ])
  }
  const view = await explained(connection, release, () => client.call(createRollout, { body }))
  context.show(view, () => [
    ...describeRollout(context, view, { isShort: true }),
    '',
    ...describePolicy(policy, fleet),
    '',
    ...describeFollowUp(view),
  ])
}

/** Says what a release that is not on its channel yet waits for. */
async function explained<T>(
  connection: Connection,
  release: Parameters<typeof notPublished>[1],
  call: () => Promise<T>,
): Promise<T> {
  try {
    return await call()
  } catch (error) {
    const isUnpublished = error instanceof ProblemError && error.code === 'release_not_published'
    throw isUnpublished ? await notPublished(connection, release) : error
  }
}

/** Says how many devices a wave by tag finds: a tag that no device has is most often a mistake. */
function describeTagged(
  { waves }: RolloutPolicy,
  found: ReplyOf<typeof checkRollout>['waves'],
): string[] {
  return waves.flatMap(({ members }, wave) => {
    const count = found[wave]?.taggedCount ?? null
    if (members.kind !== 'tag' || count === null) return []
    const tag = harmless(`${members.key}=${members.value}`)
    const set = ': set it with `seaworthy device set DEVICE --tag NAME=VALUE`'
    const approval =
      wave + 1 < waves.length ? `, or wave ${wave + 2} waits for a person’s approval` : ''
    const hint = count === 0 ? `${set}${approval}` : ''
    return [
      `Wave ${wave + 1}: ${formatCount(count, 'device')} of the fleet with the tag ${tag}${hint}.`,
    ]
  })
}
