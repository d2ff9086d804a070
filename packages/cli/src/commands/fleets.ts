/** `seaworthy fleet …` */
import type { Command } from 'commander'
import type { FleetView } from '@seaworthy/api/fleets'
import { createFleet, listFleets, setFleet, showFleet } from '@seaworthy/api/fleets'
import type { Context } from '../context.ts'
import { createContext } from '../context.ts'
import { CliError } from '../failure.ts'
import { formatSpan } from '../output/format.ts'
import { durationOption, onOff } from '../options.ts'
import type { CliPorts } from '../ports.ts'
import { collectPages, withSession } from '../session.ts'

export function addFleetCommands(program: Command, ports: CliPorts): void {
  const fleet = program
    .command('fleet')
    .description('sets of devices that share product, channel and policy')
  addPolicyOptions(fleet.command('create <name>').description('create a fleet'))
    .requiredOption('--product <name>', 'what its devices run')
    .requiredOption('--channel <name>', 'which signed line of it they follow')
    .action(async (name: string, options: CreateOptions, command: Command) =>
      create(createContext(ports, command), name, options),
    )
  fleet
    .command('list')
    .description('list fleets')
    .action(async (_options: object, command: Command) => list(createContext(ports, command)))
  fleet
    .command('show <name>')
    .description('show one fleet')
    .action(async (name: string, _options: object, command: Command) =>
      show(createContext(ports, command), name),
    )
  addPolicyOptions(fleet.command('set <name>').description('change the policy of a fleet'))
    .option('--unpin', 'follow the newest release of the channel again')
    .action(async (name: string, options: PolicyOptions, command: Command) =>
      set(createContext(ports, command), name, options),
    )
}

interface PolicyOptions {
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
    .option('--poll <duration>', 'how often devices ask, for example 1h', durationOption)
    .option('--pin-version <version>', 'hold the fleet at this version')
    .option('--updates <on|off>', 'off stops new assignments', onOff)
}

function policyOf({ poll, pinVersion, unpin, updates }: PolicyOptions) {
  if (pinVersion !== undefined && unpin) {
    throw new CliError('usage', '--pin-version and --unpin say opposite things')
  }
  return {
    ...(poll === undefined ? {} : { pollSeconds: Math.round(poll / 1000) }),
    ...(pinVersion === undefined ? {} : { pinnedVersion: pinVersion }),
    ...(unpin ? { pinnedVersion: null } : {}),
    ...(updates === undefined ? {} : { updatesEnabled: updates }),
  }
}

async function create(context: Context, name: string, options: CreateOptions): Promise<void> {
  const { product, channel } = options
  await withSession(context, async ({ client }) => {
    const view = await client.call(createFleet, {
      body: { name, product, channel, ...policyOf(options) },
    })
    context.show(view, () => describe(context, view))
  })
}

async function list(context: Context): Promise<void> {
  await withSession(context, async ({ client }) => {
    const fleets = await collectPages((query) => client.call(listFleets, { query }))
    context.show(fleets, () =>
      context.table<FleetView>(
        [
          { title: 'name', text: (f) => f.name },
          { title: 'product', text: (f) => f.product },
          { title: 'channel', text: (f) => f.channel },
          { title: 'devices', text: (f) => String(f.devicesCount), align: 'right' },
          { title: 'version', text: (f) => f.pinnedVersion ?? 'newest', isShrinkable: true },
          { title: 'updates', text: (f) => (f.updatesEnabled ? 'on' : 'off') },
          { title: 'poll', text: (f) => formatSpan(f.pollSeconds * 1000) },
        ],
        fleets,
      ),
    )
  })
}

async function show(context: Context, fleet: string): Promise<void> {
  await withSession(context, async ({ client }) => {
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
  await withSession(context, async ({ client }) => {
    const view = await client.call(setFleet, { params: { fleet }, body })
    context.show(view, () => describe(context, view))
  })
}

function describe(context: Context, view: FleetView): string[] {
  return context.fields([
    ['fleet', view.name],
    ['product', view.product],
    ['channel', view.channel],
    [
      'version',
      view.pinnedVersion === null ? 'newest of the channel' : `held at ${view.pinnedVersion}`,
    ],
    ['updates', view.updatesEnabled ? 'on' : 'off'],
    ['poll every', formatSpan(view.pollSeconds * 1000)],
    ['devices', String(view.devicesCount)],
    ['created', view.createdAt],
  ])
}
