/** `seaworthy rollout …`: the commands that look at a rollout, steer it and tell its history. */
import type { Command } from 'commander'
import type { RolloutView } from '@seaworthy/api/rollouts'
import {
  abortRollout,
  approveRollout,
  listRollouts,
  pauseRollout,
  resumeRollout,
  showRollout,
} from '@seaworthy/api/rollouts'
import { showFleet } from '@seaworthy/api/fleets'
import type { Context } from '../../context.ts'
import { withContext } from '../../context.ts'
import { addHelpBelow } from '../../help.ts'
import { oneOf, wholeNumber } from '../../options.ts'
import { formatAgo } from '../../output/format.ts'
import type { CliPorts } from '../../ports.ts'
import { collectPages, withConnection } from '../../connection.ts'
import { addContentOptions, addSigningOptions } from '../proposal-options.ts'
import { goBack } from './back.ts'
import { cloneRollout } from './clone.ts'
import { createRolloutOf, instantOption, releaseOption } from './create.ts'
import { editRolloutOf } from './edit.ts'
import { findRolloutId } from './find-rollout.ts'
import { addPolicyOptions } from './policy-options.ts'
import {
  describeFailureCounts,
  readFailures,
  showHistory,
  showUpdates,
  updateStates,
} from './updates.ts'
import { describeProgress, describeRollout, sumWaves } from './view.ts'
import { watchRollout } from './watch.ts'
import { explainDeviceIn } from './why.ts'

export function addRolloutCommands(program: Command, ports: CliPorts): void {
  const rollout = program.command('rollout').description('move a fleet to a release, wave by wave')
  addCreateCommand(rollout, ports)
  addCloneCommand(rollout, ports)
  addReadCommands(rollout, ports)
  addWatchCommand(rollout, ports)
  addChangeCommands(rollout, ports)
  addBackCommand(rollout, ports)
}

function addCreateCommand(rollout: Command, ports: CliPorts): void {
  const create = rollout
    .command('create')
    .description('begin to move a fleet that follows rollouts to a release of its channel')
    .requiredOption('--fleet <name>', 'the fleet to move')
    .requiredOption('--release <product@version>', 'where to, for example web@2.0', releaseOption)
  addPolicyOptions(create)
    .option(
      '--start-at <instant>',
      'not before, for example 2026-05-04T08:00:00Z or …T10:00:00+02:00',
      instantOption,
    )
    .option('--dry-run', 'print the policy and what it means; change nothing')
    .action(withContext(ports, createRolloutOf))
}

function addCloneCommand(rollout: Command, ports: CliPorts): void {
  const clone = rollout
    .command('clone <rollout>')
    .description('begin a rollout like another one; options go before what that one said')
    .option('--fleet <name>', 'the fleet to move (default: the fleet of that rollout)')
    .option('--release <product@version>', 'where to (default: its release)', releaseOption)
  addPolicyOptions(clone, 'like-another')
    .option('--start-at <instant>', 'not before (default: at once)', instantOption)
    .option('--dry-run', 'print the policy and what it means; change nothing')
    .action(withContext(ports, cloneRollout))
}

function addReadCommands(rollout: Command, ports: CliPorts): void {
  rollout
    .command('list')
    .description('list rollouts, newest first')
    .option('--fleet <name>', 'only of this fleet')
    .option(
      '--state <state>',
      'only those that are active, paused, finished or aborted',
      oneOf('active', 'paused', 'finished', 'aborted'),
    )
    .action(withContext(ports, list))
  rollout
    .command('show <rollout>')
    .description('show one rollout: its waves as they stand, what happens next, its policy')
    .action(withContext(ports, show))
  rollout
    .command('updates <rollout>')
    .description('list the updates of a rollout by device')
    .option(
      '--state <state>',
      `only those that are ${updateStates.join(', ')}`,
      oneOf(...updateStates),
    )
    .option('--limit <count>', 'at most this many', wholeNumber(1, 1_000_000), 1000)
    .action(withContext(ports, showUpdates))
  rollout
    .command('history <rollout>')
    .description('show how a rollout went over time, and by which codes updates failed')
    .action(withContext(ports, showHistory))
  rollout
    .command('why <rollout> <device>')
    .description('say in one sentence why a device does or does not get the release')
    .option('--time-zone <zone>', 'for times in the sentence (default: the zone of this machine)')
    .action(withContext(ports, explainDeviceIn))
}

const watchText = `Ends with the rollout. Exit codes: 0 finished, 3 aborted, or paused because of failures; a pause by a person is waited out. \
With --json every change is one JSON object on a line of its own. A server that restarts is waited for.`

function addWatchCommand(rollout: Command, ports: CliPorts): void {
  const watch = rollout
    .command('watch <rollout>')
    .description('watch waves fill until the rollout ends')
  addHelpBelow(watch, watchText).action(withContext(ports, watchRollout))
}

function addChangeCommands(rollout: Command, ports: CliPorts): void {
  const change = (name: 'pause' | 'resume' | 'abort', description: string) =>
    rollout
      .command(`${name} <rollout>`)
      .description(description)
      .option('--reason <text>', 'for people who look at it later')
      .action(
        withContext(ports, (context, id: string, options: { reason?: string }) =>
          changeState(context, name, id, options),
        ),
      )
  change('pause', 'offer no further updates; those under way finish')
  change('resume', 'continue a paused rollout; failures seen so far count as accepted')
  change('abort', 'end a rollout for good; devices that have not begun to install stay')
  addPolicyOptions(
    rollout
      .command('edit <rollout>')
      .description(
        'change the policy: all of it before the first wave opens, then gates, limits, pace and windows',
      ),
    'like-another',
  )
    .option('--start-at <instant>', 'not before; until the first wave opens', instantOption)
    .option('--reason <text>', 'for people who look at it later')
    .option('--dry-run', 'say what would change; change nothing')
    .action(withContext(ports, editRolloutOf))
  rollout
    .command('approve <rollout>')
    .description('approve that a wave may open once the wave before it has passed')
    .requiredOption('--wave <number>', 'the wave, counted from 1', wholeNumber(1, 50))
    .action(withContext(ports, approve))
}

const backText = `The version that the fleet ran before is made a release of its own, its content unchanged, and proposed for the channel. \
It gets a higher counter, because no device ever goes to a lower one; the keys of the channel decide, as for any release. \
Once it is published, devices that run the bad release are moved to it. Interrupted, or waiting for signatures: run the \
same command again, it goes on where it stands.`

function addBackCommand(rollout: Command, ports: CliPorts): void {
  const back = rollout
    .command('back <rollout>')
    .description('go back, signed, from the release of a rollout to what the fleet ran before')
    .option('--to <version>', 'the version to go back to (default: what the fleet ran before)')
    .option('--release-version <version>', 'its name when it comes again (default: VERSION-again)')
    .option('--security', 'sign it as a security release, as --emergency needs it')
  addPolicyOptions(addContentOptions(addSigningOptions(back)), {
    waves: '100%',
    bake: '0s',
  }).option('--dry-run', 'say what would be done; change nothing')
  addHelpBelow(back, backText).action(withContext(ports, goBack))
}

interface ListOptions {
  fleet?: string
  state?: RolloutView['state']
}

async function list(context: Context, filter: ListOptions): Promise<void> {
  await withConnection(context, async ({ client }) => {
    const rollouts = await collectPages((query) =>
      client.call(listRollouts, { query: { ...query, ...filter } }),
    )
    if (rollouts.length === 0 && filter.fleet !== undefined) {
      await client.call(showFleet, { params: { fleet: filter.fleet } })
    }
    const now = context.ports.clock.now()
    context.show(rollouts, () =>
      context.table<RolloutView>(
        [
          { title: 'id', text: (r) => r.id },
          { title: 'fleet', text: (r) => r.fleet, isShrinkable: true },
          { title: 'release', text: (r) => r.version, isShrinkable: true },
          { title: 'state', text: (r) => r.state },
          { title: 'progress', text: describeProgress },
          { title: 'created', text: (r) => formatAgo(r.createdAt, now), isDroppable: true },
        ],
        rollouts,
        'No rollouts: see `seaworthy rollout create --help`.',
      ),
    )
  })
}

async function show(context: Context, given: string): Promise<void> {
  await withConnection(context, async (connection) => {
    const { client } = connection
    const rolloutId = await findRolloutId(connection, given)
    const view = await client.call(showRollout, { params: { rolloutId } })
    // With --json, `rollout history` tells the failures.
    const failures =
      context.options.json || sumWaves(view).failed === 0
        ? []
        : await readFailures({ client }, rolloutId)
    context.show(view, () => [
      ...describeRollout(context, view),
      ...(failures.length === 0 ? [] : describeFailureCounts(context, failures)),
    ])
  })
}

const stateRoutes = { pause: pauseRollout, resume: resumeRollout, abort: abortRollout } as const

async function changeState(
  context: Context,
  change: keyof typeof stateRoutes,
  given: string,
  { reason }: { reason?: string },
): Promise<void> {
  await withConnection(context, async (connection) => {
    const { client } = connection
    const rolloutId = await findRolloutId(connection, given)
    if (change === 'abort') {
      await context.confirm(
        `Abort ${rolloutId} for good? A rollout to the same release is a new one.`,
      )
    }
    const view = await client.call(stateRoutes[change], {
      params: { rolloutId },
      body: reason === undefined ? {} : { reason },
    })
    context.show(view, () => describeRollout(context, view, { isShort: true }))
  })
}

async function approve(context: Context, given: string, { wave }: { wave: number }): Promise<void> {
  await withConnection(context, async (connection) => {
    const { client } = connection
    const rolloutId = await findRolloutId(connection, given)
    const view = await client.call(approveRollout, { params: { rolloutId }, body: { wave } })
    context.show(view, () => describeRollout(context, view, { isShort: true }))
  })
}
