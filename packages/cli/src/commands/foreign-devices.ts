/** `seaworthy device create|rotate|actions`: devices that speak another system's protocol. */
import type { Command } from 'commander'
import {
  cancelForeignDevice,
  createForeignDevice,
  rotateForeignDevice,
  showForeignDevice,
} from '@seaworthy/api/foreign-devices'
import type { ReplyOf } from '@seaworthy/api/route'
import type { Context } from '../context.ts'
import { withContext } from '../context.ts'
import { CliError } from '../failure.ts'
import { findDeviceId } from '../find-device.ts'
import { formatAgo, harmless } from '../output/format.ts'
import { collectPairs, oneOf, platformOption } from '../options.ts'
import type { CliPorts } from '../ports.ts'
import { withConnection } from '../connection.ts'

type Protocol = 'ddi' | 'omaha'

interface CreateOptions {
  fleet: string
  protocol: Protocol
  name?: string
  platform: string
  hardware?: string
  tag?: Record<string, string>
}

/** Adds to `seaworthy device`. */
export function addForeignDeviceCommands(device: Command, ports: CliPorts): void {
  device
    .command('create')
    .description("add a device that speaks another system's protocol; its token is shown once")
    .requiredOption('--fleet <name>', 'the fleet that it joins')
    .requiredOption(
      '--protocol <protocol>',
      'ddi (SWUpdate, RAUC) or omaha (update_engine)',
      oneOf<Protocol>('ddi', 'omaha'),
    )
    .option(
      '--name <name>',
      'what the client calls itself: controller id (needed for ddi), machine id',
    )
    .requiredOption('--platform <os/arch>', 'for example linux/arm64', platformOption)
    .option('--hardware <name>', 'for releases that are only for some hardware')
    .option('--tag <name=value>', 'a tag, repeatable', collectPairs)
    .action(withContext(ports, create))
  device
    .command('rotate <device>')
    .description('replace the token of such a device; the old one ends at once')
    .action(withContext(ports, rotate))
  device
    .command('cancel <device>')
    .description('end an action that a DDI device was asked to stop and has not stopped')
    .option('--force', 'without an answer of its client: what that still says of it is refused')
    .action(withContext(ports, cancel))
  device
    .command('actions <device>')
    .description('show what a device behind DDI says of itself and of its last actions')
    .action(withContext(ports, showActions))
}

async function create(context: Context, options: CreateOptions): Promise<void> {
  const { fleet, protocol, name, platform, hardware, tag } = options
  await withConnection(context, async ({ client }) => {
    const made = await client.call(createForeignDevice, {
      params: { fleet },
      body: {
        protocol,
        platform,
        ...(name === undefined ? {} : { externalId: name }),
        ...(hardware === undefined ? {} : { hardware }),
        ...(tag === undefined ? {} : { tags: tag }),
      },
    })
    showToken(context, made)
  })
}

async function rotate(context: Context, given: string): Promise<void> {
  await withConnection(context, async ({ client }) => {
    const deviceId = await findDeviceId({ client }, given)
    await context.confirm(`Replace the token of ${deviceId}? The device needs the new one.`)
    showToken(context, await client.call(rotateForeignDevice, { params: { deviceId }, body: {} }))
  })
}

async function cancel(
  context: Context,
  given: string,
  { force = false }: { force?: boolean },
): Promise<void> {
  if (!force) {
    throw new CliError('usage', 'its client is asked already, and answers when it polls', {
      wayOut: `Without its answer: seaworthy device cancel ${given} --force.`,
    })
  }
  await withConnection(context, async ({ client }) => {
    const deviceId = await findDeviceId({ client }, given)
    const ended = await client.call(cancelForeignDevice, { params: { deviceId }, body: {} })
    const { id, version } = ended.action
    context.show(ended, () => [
      `Ended action ${id} (${version}). At its next poll the device may be offered something else.`,
    ])
  })
}

function showToken(context: Context, made: ReplyOf<typeof createForeignDevice>): void {
  const { device, token } = made
  context.show(made, () => [
    ...context.fields([
      ['device', device.id],
      ['fleet', device.fleet],
      ['protocol', device.protocol],
      ['name', device.name ?? undefined],
      ['platform', device.platform],
      ['token', token],
    ]),
    'The token is shown this once.',
  ])
}

type Action = ReplyOf<typeof showForeignDevice>['actions'][number]

async function showActions(context: Context, given: string): Promise<void> {
  await withConnection(context, async ({ client }) => {
    const deviceId = await findDeviceId({ client }, given)
    const view = await client.call(showForeignDevice, { params: { deviceId } })
    const now = context.ports.clock.now()
    context.show(view, () => [
      ...context.fields([
        ['device', view.device.id],
        ['name', view.externalId ?? 'not used yet'],
        ['gateway', view.gatewayTokenId ?? undefined],
        ['token made by', view.tokenMadeBy ?? undefined],
        ...Object.entries(view.attributes).map(([key, value]) => [harmless(key), value] as const),
      ]),
      ...context.table<Action>(
        [
          { title: 'action', text: (a) => String(a.id), align: 'right' },
          { title: 'version', text: (a) => a.version, isShrinkable: true },
          { title: 'state', text: (a) => a.state },
          { title: 'changed', text: (a) => formatAgo(a.changedAt, now), isDroppable: true },
          { title: 'said last', text: (a) => a.messages[0] ?? '-', isShrinkable: true },
        ],
        view.actions,
        'It has not been offered anything yet.',
      ),
    ])
  })
}
