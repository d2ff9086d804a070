/** `seaworthy fleet …` */
import type { Command } from 'commander'
import type { FleetView } from '@seaworthy/api/fleets'
import {
  createFleet,
  listFleets,
  removeFleet,
  setFleet,
  showFleet,
  showFleetDependents,
} from '@seaworthy/api/fleets'
import type { BodyInputOf, ReplyOf } from '@seaworthy/api/route'
import { showFleetVersions } from '@seaworthy/api/updates'
import type { Context } from '../context.ts'
import { withContext } from '../context.ts'
import { CliError } from '../failure.ts'
import { drawBar, drawCurve } from '../output/bars.ts'
import { formatCount, formatMs } from '../output/format.ts'
import { durationBetween, oneOf, onOff } from '../options.ts'
import type { CliPorts } from '../ports.ts'
import type { RebootOption } from '../reboot-policy.ts'
import { describeReboot, parseReboot, rebootPolicyOf } from '../reboot-policy.ts'
import { rememberFleet, requireMemory } from '../readers/choose.ts'
import type { Connection } from '../connection.ts'
import { collectPages, withConnection } from '../connection.ts'
import type { ZoneOptions } from '../window-spans.ts'

export function addFleetCommands(program: Command, ports: CliPorts): void {
  const fleet = program
    .command('fleet')
    .description('sets of devices that share product, channel and policy')
  addPolicyOptions(fleet.command('create <name>').description('create a fleet'))
    .requiredOption('--product <name>', 'what its devices run')
    .requiredOption('--channel <name>', 'which signed line of it they follow')
    .action(withContext(ports, create))
  fleet.command('list').description('list fleets').action(withContext(ports, list))
  fleet.command('show <fleet>').description('show one fleet').action(withContext(ports, show))
  addPolicyOptions(fleet.command('set <fleet>').description('change the policy of a fleet'))
    .option('--unpin', 'follow the newest release of the channel again')
    .action(withContext(ports, set))
  fleet
    .command('remove <fleet>')
    .description('remove a fleet without devices; no other fleet ever gets its name')
    .option('--dry-run', 'say what depends on it; change nothing')
    .action(withContext(ports, remove))
  fleet
    .command('versions <fleet>')
    .description('show which versions run in a fleet, now and over time')
    .action(withContext(ports, versions))
}

interface PolicyOptions extends ZoneOptions {
  follow?: FleetView['follow']
  sharedIdentity?: FleetView['sharedIdentity']
  reboot?: RebootOption
  poll?: number
  pinVersion?: string
  unpin?: boolean
  updates?: boolean
}

interface CreateOptions extends PolicyOptions {
  product: string
  channel: string
}

function addPolicyOptions(command: Command): Command {
  return command
    .option(
      '--poll <duration>',
      'how often devices ask, for example 1h',
      durationBetween('1s', '7d'),
    )
    .option('--pin-version <version>', 'hold the fleet at this version')
    .option('--updates <on|off>', 'off stops new assignments', onOff)
    .option(
      '--follow <what>',
      'newest: the newest release of the channel; rollouts: only what rollouts offer',
      oneOf('newest', 'rollouts'),
    )
    .option(
      '--reboot <policy>',
      'when devices may restart into a release: immediate, off, "window:SPAN;SPAN" or "coordinated:slots=N,ttl=1h;SPAN", with spans such as mon-fri 22:00-04:00',
      parseReboot,
    )
    .option(
      '--shared-identity <what>',
      'when two machines seem to use one identity: tell people, or stop both until you decide',
      oneOf('tell', 'stop'),
    )
    .option('--time-zone <zone>', 'of the spans: a name, or device for its own (default: UTC)')
    .option(
      '--fallback-time-zone <zone>',
      'with --time-zone device: for devices without the tag time-zone',
    )
}

function policyOf(options: PolicyOptions) {
  const { poll, pinVersion, unpin, updates, follow, sharedIdentity } = options
  const reboot = rebootPolicyOf(options.reboot, options)
  if (pinVersion !== undefined && unpin) {
    throw new CliError('usage', '--pin-version and --unpin say opposite things')
  }
  return {
    ...(poll === undefined ? {} : { pollSeconds: Math.round(poll / 1000) }),
    ...(pinVersion === undefined ? {} : { pinnedVersion: pinVersion }),
    ...(unpin ? { pinnedVersion: null } : {}),
    ...(updates === undefined ? {} : { updatesEnabled: updates }),
    ...(follow === undefined ? {} : { follow }),
    ...(reboot === undefined ? {} : { reboot }),
    ...(sharedIdentity === undefined ? {} : { sharedIdentity }),
  }
}

async function create(context: Context, name: string, options: CreateOptions): Promise<void> {
  const { product, channel } = options
  await withConnection(context, async (connection) => {
    const body = { name, product, channel, ...policyOf(options) }
    const view = await makeFleet(context, connection, body)
    context.show(view, () => describe(context, view))
  })
}

/** Creates the fleet, and remembers it as the one of that name. */
export async function makeFleet(
  context: Context,
  connection: Connection,
  body: BodyInputOf<typeof createFleet>,
): Promise<FleetView> {
  await requireMemory(context, connection)
  const view = await connection.client.call(createFleet, { body })
  const { name, product, channel } = body
  await rememberFleet(context, connection, { fleet: name, product, channel })
  return view
}

async function list(context: Context): Promise<void> {
  await withConnection(context, async ({ client }) => {
    const fleets = await collectPages((query) => client.call(listFleets, { query }))
    context.show(fleets, () =>
      context.table<FleetView>(
        [
          { title: 'name', text: (f) => f.name },
          { title: 'product', text: (f) => f.product },
          { title: 'channel', text: (f) => f.channel },
          { title: 'devices', text: (f) => String(f.devicesCount), align: 'right' },
          { title: 'version', text: shortVersion, isShrinkable: true },
          { title: 'updates', text: (f) => (f.updatesEnabled ? 'on' : 'off') },
          { title: 'poll', text: (f) => formatMs(f.pollSeconds * 1000), isDroppable: true },
        ],
        fleets,
        'No fleets yet: see `seaworthy fleet create --help`.',
      ),
    )
  })
}

async function show(context: Context, fleet: string): Promise<void> {
  await withConnection(context, async ({ client }) => {
    const view = await client.call(showFleet, { params: { fleet } })
    context.show(view, () => describe(context, view))
  })
}

async function set(context: Context, fleet: string, options: PolicyOptions): Promise<void> {
  const body = policyOf(options)
  if (Object.keys(body).length === 0) {
    throw new CliError('usage', 'nothing to change was given', {
      wayOut: 'See `seaworthy fleet set --help`.',
    })
  }
  await withConnection(context, async ({ client }) => {
    const view = await client.call(setFleet, { params: { fleet }, body })
    context.show(view, () => describe(context, view))
  })
}

async function remove(
  context: Context,
  fleet: string,
  { dryRun }: { dryRun?: boolean },
): Promise<void> {
  await withConnection(context, async ({ client }) => {
    const params = { fleet }
    const dependents = await client.call(showFleetDependents, { params })
    const lines = describeDependents(context, dependents)
    const isFree = dependents.devicesCount === 0 && dependents.rolloutIds.length === 0
    if (dryRun === true) {
      return context.show(dependents, () => [
        ...lines,
        isFree
          ? `Nothing prevents it. The name ${fleet} would never be used again. Nothing was changed.`
          : 'It cannot be removed while it has devices or rollouts under way. Nothing was changed.',
      ])
    }
    // What prevents it is refused by the server, without a question before.
    if (isFree) {
      for (const line of lines) context.say(line)
      await context.confirm(`Remove the fleet ${fleet} for good? Its name is never used again.`)
    }
    await client.call(removeFleet, { params })
    context.show({ removed: fleet }, () => [`The fleet ${fleet} is removed.`])
  })
}

function describeDependents(
  context: Context,
  dependents: ReplyOf<typeof showFleetDependents>,
): string[] {
  const { devicesCount, rolloutIds } = dependents
  return context.fields([
    ['devices', String(devicesCount)],
    ['rollouts under way', rolloutIds.length === 0 ? 'none' : rolloutIds.join(', ')],
    ['provisioning keys', `${dependents.provisioningKeysCount}, revoked with it`],
    ['gateway tokens', `${dependents.gatewayTokensCount}, revoked with it`],
    ['reboot lock keys', `${dependents.rebootLockKeysCount}, revoked with it`],
    ['variables and secrets', `${dependents.settingsCount}, deleted with it`],
  ])
}

type Spread = ReplyOf<typeof showFleetVersions>['now']

async function versions(context: Context, fleet: string): Promise<void> {
  await withConnection(context, async ({ client }) => {
    const reply = await client.call(showFleetVersions, { params: { fleet } })
    context.show(reply, () => describeSpread(context, reply.now, reply.history))
  })
}

const spreadBarWidth = 24
const curveWidth = 24

/** A bar for now and a curve over time for each version, most frequent first. */
function describeSpread(context: Context, now: Spread, history: readonly Spread[]): string[] {
  const percent = (count: number) =>
    now.devicesCount === 0 ? 0 : Math.round((count / now.devicesCount) * 1000) / 10
  const countIn = (spread: Spread, version: string | null) =>
    spread.versions.find((one) => one.version === version)?.count ?? 0
  const most = history.reduce((max, { devicesCount }) => Math.max(max, devicesCount), 1)
  const [first] = history
  return [
    `${formatCount(now.devicesCount, 'device')}, ${now.seenCount} of them not silent (heard of within a day or 5 polls)`,
    ...context.table<Spread['versions'][number]>(
      [
        { title: 'version', text: (v) => v.version ?? 'nothing signed', isShrinkable: true },
        { title: 'devices', text: (v) => String(v.count), align: 'right' },
        { title: 'share', text: (v) => `${percent(v.count)} %`, align: 'right' },
        {
          title: 'now',
          text: ({ count }) =>
            drawBar([{ count, character: '#' }], now.devicesCount, spreadBarWidth),
        },
        {
          title: 'over time',
          isDroppable: true,
          text: ({ version }) =>
            drawCurve(
              history.map((spread) => countIn(spread, version)),
              most,
              curveWidth,
            ),
        },
      ],
      now.versions.toSorted((a, b) => b.count - a.count),
      'No device has said yet what it runs.',
    ),
    ...(first === undefined ? [] : [`Over time: since ${first.at}.`]),
  ]
}

function shortVersion({ follow, pinnedVersion, baselineVersion }: FleetView): string {
  if (follow === 'newest') return pinnedVersion ?? 'newest'
  return `rollouts (${baselineVersion ?? 'no baseline'})`
}

/** What the devices of the fleet take, in words. */
export function describeFollowed({ follow, pinnedVersion, baselineVersion }: FleetView): string {
  if (follow === 'rollouts') {
    return baselineVersion === null
      ? 'what rollouts bring; none has finished yet'
      : `what rollouts bring; ${baselineVersion} for devices that join`
  }
  return pinnedVersion === null ? 'newest of the channel' : `held at ${pinnedVersion}`
}

function describe(context: Context, view: FleetView): string[] {
  return context.fields([
    ['fleet', view.name],
    ['product', view.product],
    ['channel', view.channel],
    ['follows', view.follow],
    ['version', describeFollowed(view)],
    ['restarts', describeReboot(view.reboot)],
    ['updates', view.updatesEnabled ? 'on' : 'off'],
    [
      'shared identity',
      view.sharedIdentity === 'stop'
        ? 'stops both machines'
        : 'is reported, and both machines go on',
    ],
    ['poll every', formatMs(view.pollSeconds * 1000)],
    ['devices', String(view.devicesCount)],
    ['created', view.createdAt],
  ])
}
