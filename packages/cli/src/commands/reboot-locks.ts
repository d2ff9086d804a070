/** `seaworthy reboot-lock …`: who may restart at the moment, and keys for FleetLock clients. */
import type { Command } from 'commander'
import type { FleetLockKeyView, RebootLockView } from '@seaworthy/api/reboot-locks'
import {
  createFleetLockKey,
  listFleetLockKeys,
  listRebootLocks,
  releaseRebootLock,
  revokeFleetLockKey,
} from '@seaworthy/api/reboot-locks'
import type { Context } from '../context.ts'
import { withContext } from '../context.ts'
import { formatAgo, formatMs, harmless } from '../output/format.ts'
import type { CliPorts } from '../ports.ts'
import { collectPages, withConnection } from '../connection.ts'

export function addRebootLockCommands(program: Command, ports: CliPorts): void {
  const lock = program
    .command('reboot-lock')
    .description('restart slots of fleets whose restarts are coordinated')
  lock
    .command('list')
    .description('list who holds a slot of a fleet, oldest first')
    .requiredOption('--fleet <name>', 'the fleet')
    .action(withContext(ports, list))
  lock
    .command('release <id>')
    .description('take a slot from its holder, which may be in the middle of its restart')
    .requiredOption('--reason <text>', 'why, for the audit log')
    .action(withContext(ports, release))
  const key = lock.command('key').description('keys with which FleetLock clients take slots')
  key
    .command('create')
    .description('make a key; it is shown once')
    .requiredOption('--fleet <name>', 'the fleet')
    .action(withContext(ports, createKey))
  key
    .command('list')
    .description('list the keys of a fleet, without the keys')
    .requiredOption('--fleet <name>', 'the fleet')
    .action(withContext(ports, listKeys))
  key
    .command('revoke <id>')
    .description('end a key; slots taken with it stay')
    .action(withContext(ports, revokeKey))
}

interface FleetOption {
  fleet: string
}

async function list(context: Context, { fleet }: FleetOption): Promise<void> {
  await withConnection(context, async ({ client }) => {
    let slots: number | null = null
    const locks = await collectPages(async (query) => {
      const page = await client.call(listRebootLocks, { params: { fleet }, query })
      slots = page.slots
      return page
    })
    const now = context.ports.clock.now()
    context.show({ slots, locks }, () => [
      slots === null
        ? `Restarts of ${fleet} are not coordinated: there are no slots.`
        : `${locks.length} of ${slots} slots taken`,
      ...context.table<RebootLockView>(
        [
          { title: 'id', text: (l) => l.id },
          { title: 'holder', text: (l) => l.device?.name ?? l.holder, isShrinkable: true },
          { title: 'for', text: (l) => formatMs(l.ageSeconds * 1000), align: 'right' },
          { title: 'asked', text: (l) => formatAgo(l.askedAt, now), isDroppable: true },
          { title: 'given up', text: (l) => formatAgo(l.expiresAt, now), isDroppable: true },
          {
            title: 'seen',
            isDroppable: true,
            text: (l) => (l.device ? formatAgo(l.device.lastSeenAt, now) : '-'),
          },
          { title: 'update', text: (l) => l.device?.updateState ?? '-' },
        ],
        locks,
        'Nobody holds one.',
      ),
    ])
  })
}

async function release(
  context: Context,
  rebootLockId: string,
  { reason }: { reason: string },
): Promise<void> {
  await context.confirm(`Take ${rebootLockId} from its holder?`)
  await withConnection(context, async ({ client }) => {
    const view = await client.call(releaseRebootLock, {
      params: { rebootLockId },
      body: { reason },
    })
    context.show(view, () => [`The slot of ${harmless(view.holder)} in ${view.fleet} is free.`])
  })
}

async function createKey(context: Context, { fleet }: FleetOption): Promise<void> {
  await withConnection(context, async ({ client, server }) => {
    const made = await client.call(createFleetLockKey, { params: { fleet } })
    const { host } = new URL(server.url)
    context.show(made, () => [
      ...context.fields([
        ['FleetLock key', made.view.id],
        ['fleet', made.view.fleet],
        ['key', made.key],
        ['base URL', `https://fleetlock:${made.key}@${host}/fleetlock/`],
      ]),
      `The key is shown this once. The group of the clients is ${fleet}.`,
    ])
  })
}

async function listKeys(context: Context, { fleet }: FleetOption): Promise<void> {
  await withConnection(context, async ({ client }) => {
    const keys = await collectPages((query) =>
      client.call(listFleetLockKeys, { params: { fleet }, query }),
    )
    const now = context.ports.clock.now()
    context.show(keys, () =>
      context.table<FleetLockKeyView>(
        [
          { title: 'id', text: (k) => k.id },
          { title: 'created', text: (k) => formatAgo(k.createdAt, now) },
          { title: 'by', text: (k) => k.createdBy, isShrinkable: true },
        ],
        keys,
        'No FleetLock keys yet: see `seaworthy reboot-lock --help`.',
      ),
    )
  })
}

async function revokeKey(context: Context, fleetLockKeyId: string): Promise<void> {
  await context.confirm(`Revoke ${fleetLockKeyId}?`)
  await withConnection(context, async ({ client }) => {
    await client.call(revokeFleetLockKey, { params: { fleetLockKeyId } })
    context.show({ revoked: fleetLockKeyId }, () => [`Revoked ${fleetLockKeyId}.`])
  })
}
