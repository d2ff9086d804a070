/** `seaworthy device move`: all devices that options leave, from one fleet into another. */
import type { Command } from 'commander'
import type { DeviceView } from '@seaworthy/api/devices'
import { listDevices, movedDevicesMax, moveDevices } from '@seaworthy/api/devices'
import type { FleetView } from '@seaworthy/api/fleets'
import { showFleet } from '@seaworthy/api/fleets'
import type { Context } from '../context.ts'
import { withContext } from '../context.ts'
import type { DeviceFilterOptions } from '../device-filter.ts'
import { addFilterOptions, filterOf } from '../device-filter.ts'
import { CliError } from '../failure.ts'
import { formatCount, harmless } from '../output/format.ts'
import type { CliPorts } from '../ports.ts'
import { endAsReader, requireMemory } from '../readers/choose.ts'
import { collectPages, withConnection } from '../connection.ts'
import { describeFollowed } from './fleets.ts'

export function addMoveCommand(device: Command, ports: CliPorts): void {
  addFilterOptions(
    device
      .command('move')
      .description('move the devices that the options leave from one fleet into another')
      .requiredOption('--to <fleet>', 'the fleet that they join, of the same product'),
  )
    .option('--dry-run', 'say which would move and what they would get, and move none')
    .action(withContext(ports, move))
}

interface MoveOptions extends DeviceFilterOptions {
  to: string
  dryRun?: boolean
}

async function move(
  context: Context,
  { to, dryRun = false, ...options }: MoveOptions,
): Promise<void> {
  const { fleet } = options
  if (fleet === undefined || fleet === to) {
    const why = fleet === undefined ? 'which fleet they leave' : 'two different fleets'
    throw new CliError('usage', `say ${why}: --fleet FLEET --to FLEET`, {
      wayOut: 'See `seaworthy device move --help`.',
    })
  }
  const filter = filterOf(options, context.ports.clock.now())
  await withConnection(context, async (connection) => {
    const { client } = connection
    const from = await client.call(showFleet, { params: { fleet } })
    const into = await client.call(showFleet, { params: { fleet: to } })
    const devices = await collectPages((query) =>
      client.call(listDevices, { query: { ...query, ...filter } }),
    )
    const effect = describeMove(devices, from, into)
    const ids = devices.map(({ id }) => id)
    if (dryRun || ids.length === 0) {
      const value = { isDryRun: dryRun, deviceIds: ids, from, to: into }
      context.show(value, () =>
        [
          ...effect,
          ...ids.slice(0, shownMax).map((id, i) => `  ${id}  ${devices[i]!.name ?? '-'}`),
          ...(ids.length > shownMax ? [`  … and ${ids.length - shownMax} more`] : []),
          'No device was moved.',
        ].map(harmless),
      )
      return
    }
    for (const line of effect) context.warn(harmless(line))
    await context.confirm(`Move ${formatCount(ids.length, 'device')} from ${fleet} to ${to}?`)
    await requireMemory(context, connection)
    let moved: readonly string[] = []
    let left: readonly string[] = []
    for (let at = 0; at < ids.length; at += movedDevicesMax) {
      const body = { deviceIds: ids.slice(at, at + movedDevicesMax), toFleet: to }
      const { movedIds, leftIds } = await client.call(moveDevices, { params: { fleet }, body })
      for (const id of movedIds) await endAsReader(context, connection, id, to)
      moved = moved.concat(movedIds)
      left = left.concat(leftIds)
      if (ids.length > movedDevicesMax) context.say(`Moved ${moved.length} of ${ids.length}.`)
    }
    context.show({ movedIds: moved, leftIds: left }, () => [
      `Moved ${formatCount(moved.length, 'device')} from ${fleet} to ${to}.`,
      ...(left.length === 0 ? [] : [`Not in ${fleet} any more: ${left.join(', ')}.`]),
    ])
  })
}

/** How many devices a dry run names; `--json` has all. */
const shownMax = 20

function describeMove(devices: readonly DeviceView[], from: FleetView, to: FleetView): string[] {
  const count = formatCount(devices.length, 'device')
  const running = Map.groupBy(devices, (d) => d.running?.version ?? d.unsignedVersion ?? 'nothing')
  const versions = [...running].map(([version, those]) => `${those.length} run ${version}`)
  const updating = devices.filter(({ update }) => isUnderWay(update?.state)).length
  const channel =
    from.channel === to.channel
      ? `the channel ${to.channel}, as ${from.name} does`
      : `the channel ${to.channel}, and ${from.name} follows ${from.channel}`
  return [
    `${count} would move from ${from.name} to ${to.name}${versions.length === 0 ? '' : `: ${versions.join(', ')}`}.`,
    `${to.name} follows ${channel}: ${describeFollowed(to)}${to.updatesEnabled ? '' : ', with updates off'}.`,
    ...(updating === 0
      ? []
      : [`${formatCount(updating, 'device is', 'devices are')} in the middle of an update.`]),
  ]
}

function isUnderWay(state: NonNullable<DeviceView['update']>['state'] | undefined): boolean {
  return (
    state === 'downloading' ||
    state === 'installing' ||
    state === 'restarting' ||
    state === 'watching'
  )
}
