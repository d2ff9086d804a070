/**
 * `seaworthy rollout back`: what the fleet ran before, signed again under a higher counter, and a
 * rollout from the bad release to it.
 */
import type { FleetView } from '@seaworthy/api/fleets'
import { listFleets, showFleet } from '@seaworthy/api/fleets'
import { ProblemError } from '@seaworthy/api/problems'
import type { RolloutView } from '@seaworthy/api/rollouts'
import { checkRollout, createRollout, listRollouts, showRollout } from '@seaworthy/api/rollouts'
import type { BodyOf } from '@seaworthy/api/route'
import { describePolicy } from '@seaworthy/fleet/rollouts'
import type { Context } from '../../context.ts'
import { readNamedKeys } from '../../keys/key-files.ts'
import type { Connection } from '../../connection.ts'
import { collectPages, withConnection } from '../../connection.ts'
import type { ContentOptions, ProposalOptions } from '../../trust/proposing.ts'
import { requireRepository } from '../../trust/repository-view.ts'
import { requireSigning } from '../../trust/signing.ts'
import type { WayBack } from './back-release.ts'
import { findRolloutId } from './find-rollout.ts'
import { findVersionBefore, planWayBack, publishAgain } from './back-release.ts'
import type { Policy, PolicyOptions } from './policy-options.ts'
import { policyOf } from './policy-options.ts'
import { describeFollowUp, describeRollout } from './view.ts'

export interface BackOptions extends PolicyOptions, ProposalOptions, ContentOptions {
  to?: string
  releaseVersion?: string
  security?: boolean
  dryRun?: boolean
}

export async function goBack(context: Context, given: string, options: BackOptions): Promise<void> {
  const signers = await readNamedKeys(options.signWith ?? [])
  requireSigning(signers)
  const policy = await policyOf(withoutWaiting(options))
  await withConnection(context, async (connection) => {
    const { client } = connection
    const rolloutId = await findRolloutId(connection, given, 'not-ways-back')
    const rollout = await client.call(showRollout, { params: { rolloutId } })
    const fleet = await client.call(showFleet, { params: { fleet: rollout.fleet } })
    const rollouts = await collectPages((query) =>
      client.call(listRollouts, { query: { ...query, fleet: fleet.name } }),
    )
    const known = rollouts.find((one) => one.wayBackOf === rolloutId && one.state !== 'aborted')
    if (known !== undefined) return showKnown(context, known)
    const { current } = await requireRepository(context, connection, [rollout.product])
    const before = findVersionBefore({ rollout, fleet, rollouts, current }, options.to)
    const way = planWayBack({ rollout, current, before: before.version }, options)
    describeWay(context, { rollout, way, why: before.why })
    const wanted = { fleet: fleet.name, version: way.version, policy, wayBackOf: rolloutId }
    if (options.dryRun === true) {
      await requirePossible(connection, way, wanted)
      return showPlan(context, way, policy)
    }
    await warnOthers(context, connection, rollout)
    const isPublished = await publishAgain(context, connection, {
      way,
      rollout,
      current,
      options,
      signers,
    })
    if (!isPublished) return showWaiting(context, rollout, way)
    context.say('3. Move the devices that run the bad release to it')
    const view = await createPatiently(context, connection, wanted)
    context.show({ release: way.version, rollout: view }, () => [
      ...describeRollout(context, view, { isShort: true }),
      '',
      ...describePolicy(policy),
      '',
      ...describeFollowUp(view),
    ])
  })
}

/**
 * A signed rollback is urgent: unless the options say otherwise, it is one wave that waits for
 * nothing.
 */
function withoutWaiting(options: BackOptions): PolicyOptions {
  // All are taken here: a run that continues an earlier one may need fewer, which is no mistake.
  if (options.policy !== undefined) return { ...options }
  return { waves: [{ kind: 'percent', percent: 100 }], bake: [0], ...options }
}

function describeWay(
  context: Context,
  { rollout, way, why }: { rollout: RolloutView; way: WayBack; why: string },
): void {
  const { product, version, channel, fleet } = rollout
  const { skipped } = way
  for (const line of [
    `The way back of the fleet ${fleet} from ${product}@${version} to the content of ${way.before}, ${why}`,
    ...(skipped.length === 0
      ? []
      : [
          `   (past what ${channel} lists between them: ${skipped.join(', ')}; --to chooses another)`,
        ]),
    `1. Make it a release again: ${product}@${way.version}, the same bytes under a new name`,
    `2. Publish ${way.version} on ${channel}, signed, with a counter above ${rollout.counter}: no device ever goes to a lower one`,
  ]) {
    context.say(line)
  }
}

function showPlan(context: Context, way: WayBack, policy: Policy): void {
  context.show({ before: way.before, release: way.version, policy }, () => [
    '3. Move the devices that run the bad release to it',
    '',
    ...describePolicy(policy),
    '',
    'Nothing prevents it now. Nothing was begun.',
  ])
}

/**
 * Asks the server whether it would begin the rollout. It does not know yet what is still to be
 * signed, and says so last, when nothing else prevents the rollout.
 */
async function requirePossible(
  { client }: Connection,
  way: WayBack,
  body: BodyOf<typeof checkRollout>,
): Promise<void> {
  try {
    await client.call(checkRollout, { body })
  } catch (error) {
    const isUnknown = error instanceof ProblemError && error.code === 'release_not_published'
    if (!isUnknown || way.isPublished) throw error
  }
}

function showKnown(context: Context, known: RolloutView): void {
  context.show({ release: known.version, rollout: known }, () => [
    'The way back is already under way.',
    ...describeRollout(context, known, { isShort: true }),
    '',
    ...describeFollowUp(known),
  ])
}

function showWaiting(context: Context, rollout: RolloutView, way: WayBack): void {
  context.show({ release: way.version, rollout: null }, () => [
    '',
    `Then go on with the same command: seaworthy rollout back ${rollout.id}`,
    ...(rollout.state === 'active'
      ? [`Until then it still offers ${rollout.version}: seaworthy rollout pause ${rollout.id}`]
      : []),
  ])
}

/**
 * Fleets that follow the newest release of the channel get it the moment it is published, rollout
 * or not.
 */
async function warnOthers(
  context: Context,
  { client }: Connection,
  { product, channel }: RolloutView,
): Promise<void> {
  const fleets = await collectPages<FleetView>((query) => client.call(listFleets, { query }))
  const newest = fleets.filter(
    (one) =>
      one.product === product &&
      one.channel === channel &&
      one.follow === 'newest' &&
      one.pinnedVersion === null &&
      one.updatesEnabled,
  )
  if (newest.length === 0) return
  const names = newest.map(({ name }) => name).join(', ')
  context.warn(
    context.paint.yellow(
      `WARNING: ${names} on the same channel: what follows the newest release gets this one as soon as it is published`,
    ),
  )
}

const visibleMsMax = 15_000

/** A publication takes a moment to reach every process of the server. */
async function createPatiently(
  context: Context,
  { client }: Connection,
  body: { fleet: string; version: string; policy: Policy; wayBackOf: string },
): Promise<RolloutView> {
  const { clock, sleep, signal } = context.ports
  const startedMs = clock.monotonicMs()
  for (;;) {
    try {
      return await client.call(createRollout, { body })
    } catch (error) {
      const isEarly = error instanceof ProblemError && error.code === 'release_not_published'
      if (!isEarly || clock.monotonicMs() - startedMs > visibleMsMax) throw error
      await sleep(200, signal)
    }
  }
}
