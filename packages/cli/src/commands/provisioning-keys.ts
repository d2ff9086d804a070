/** `seaworthy provisioning-key …`: what devices join a fleet with. */
import { lstat } from 'node:fs/promises'
import type { Command } from 'commander'
import type { ProvisioningKeyView } from '@seaworthy/api/fleets'
import {
  createProvisioningKey,
  listProvisioningKeys,
  revokeProvisioningKey,
  showFleet,
} from '@seaworthy/api/fleets'
import { base64Encode } from '@seaworthy/std/bytes'
import type { Context } from '../context.ts'
import { createContext } from '../context.ts'
import { CliError } from '../failure.ts'
import { formatAgo } from '../output/format.ts'
import { durationWithDefault, wholeNumber } from '../options.ts'
import type { CliPorts } from '../ports.ts'
import type { Session } from '../session.ts'
import { collectPages, withSession } from '../session.ts'
import { isMissing, writeDurably } from '../state/files.ts'
import { readAnchor } from '../trust/anchor.ts'

export function addProvisioningKeyCommands(program: Command, ports: CliPorts): void {
  const key = program
    .command('provisioning-key')
    .description('keys with which devices join a fleet')
  key
    .command('create')
    .description('make a key; it is shown once')
    .requiredOption('--fleet <name>', 'the fleet that devices join with it')
    .option('--uses <count>', 'how many devices may register', wholeNumber(1, 1_000_000), 1)
    .addOption(
      durationWithDefault('--expires <duration>', 'lifetime, for example 7d', {
        least: '1m',
        most: '365d',
        standard: '7d',
      }),
    )
    .option('--agent-config <file>', 'also write a ready agent.json, key and trust anchor included')
    .option('--force', 'replace the file of --agent-config, and the key in it')
    .action(async (options: CreateOptions, command: Command) =>
      create(createContext(ports, command), options),
    )
  key
    .command('list')
    .description('list the keys of a fleet, without the keys')
    .requiredOption('--fleet <name>', 'the fleet')
    .action(async (options: { fleet: string }, command: Command) =>
      list(createContext(ports, command), options.fleet),
    )
  key
    .command('revoke <id>')
    .description('end a key; devices that registered with it stay')
    .action(async (id: string, _options: object, command: Command) =>
      revoke(createContext(ports, command), id),
    )
}

interface CreateOptions {
  fleet: string
  uses: number
  expires: number
  agentConfig?: string
  force?: boolean
}

async function create(context: Context, options: CreateOptions): Promise<void> {
  await withSession(context, async (session) => {
    const anchor = options.agentConfig === undefined ? undefined : await requireAnchor(session)
    if (options.agentConfig !== undefined && options.force !== true) {
      await requireNew(options.agentConfig)
    }
    const made = await session.client.call(createProvisioningKey, {
      params: { fleet: options.fleet },
      body: { uses: options.uses, lifetimeSeconds: Math.round(options.expires / 1000) },
    })
    if (options.agentConfig !== undefined && anchor !== undefined) {
      const config = await describeAgent(session, options.fleet, made.key, anchor)
      await writeDurably(options.agentConfig, `${JSON.stringify(config, undefined, 2)}\n`, {
        random: context.ports.random,
      })
    }
    context.show(
      {
        ...made,
        ...(options.agentConfig === undefined ? {} : { agentConfig: options.agentConfig }),
      },
      () => [
        ...context.fields([
          ['provisioning key', made.view.id],
          ['fleet', made.view.fleet],
          ['uses', String(made.view.usesLeft)],
          ['expires', made.view.expiresAt],
          ['key', options.agentConfig === undefined ? made.key : undefined],
          ['agent configuration', options.agentConfig],
        ]),
        options.agentConfig === undefined
          ? 'The key is shown this once.'
          : `Put the file at /etc/seaworthy/agent.json on ${made.view.usesLeft === 1 ? 'the device' : 'each device'}. It holds the key: keep it secret until it is used.`,
      ],
    )
  })
}

/**
 * Checks that the file is new before a key is made, which nobody would have if it could not be
 * written.
 */
async function requireNew(path: string): Promise<void> {
  const isThere = await lstat(path).then(
    () => true,
    (error: unknown) => {
      if (isMissing(error)) return false
      throw error
    },
  )
  if (!isThere) return
  throw new CliError('refused', `${path} exists already, and may hold a key that is not used yet`, {
    wayOut: 'Name another file, or replace it with --force.',
  })
}

async function requireAnchor(session: Session) {
  const anchor = await readAnchor(session)
  if (anchor !== undefined) return anchor
  throw new CliError('refused', 'there is no trust root yet that a device could be anchored at', {
    wayOut: 'Run `seaworthy trust init` first.',
  })
}

/**
 * The agent's configuration: everything a new device needs, and nothing it has to take on trust
 * later.
 */
async function describeAgent(
  session: Session,
  fleet: string,
  provisioningKey: string,
  anchor: { digest: string; bytes: Uint8Array },
) {
  const { product, channel, pollSeconds } = await session.client.call(showFleet, {
    params: { fleet },
  })
  return {
    server: session.server.url,
    ...(session.server.pin === undefined ? {} : { pin: session.server.pin }),
    root: anchor.digest,
    rootInline: base64Encode(anchor.bytes),
    provisioningKey,
    product,
    channel,
    pollSeconds,
  }
}

async function list(context: Context, fleet: string): Promise<void> {
  await withSession(context, async ({ client }) => {
    const keys = await collectPages((query) =>
      client.call(listProvisioningKeys, { params: { fleet }, query }),
    )
    const now = context.ports.clock.now()
    context.show(keys, () =>
      context.table<ProvisioningKeyView>(
        [
          { title: 'id', text: (k) => k.id },
          { title: 'uses left', text: (k) => String(k.usesLeft), align: 'right' },
          { title: 'expires', text: (k) => formatAgo(k.expiresAt, now) },
          { title: 'created', text: (k) => formatAgo(k.createdAt, now), isDroppable: true },
          { title: 'by', text: (k) => k.createdBy, isShrinkable: true },
        ],
        keys,
        'No provisioning keys yet: see `seaworthy provisioning-key create --help`.',
      ),
    )
  })
}

async function revoke(context: Context, provisioningKeyId: string): Promise<void> {
  await context.confirm(`Revoke ${provisioningKeyId}?`)
  await withSession(context, async ({ client }) => {
    await client.call(revokeProvisioningKey, { params: { provisioningKeyId } })
    context.show({ revoked: provisioningKeyId }, () => [`Revoked ${provisioningKeyId}.`])
  })
}
