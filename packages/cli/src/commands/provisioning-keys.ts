/** `seaworthy provisioning-key …`: keys with which devices join a fleet. */
import type { Command } from 'commander'
import type { FleetView } from '@seaworthy/api/fleets'
import type { ProvisioningKeyView } from '@seaworthy/api/provisioning-keys'
import { showFleet } from '@seaworthy/api/fleets'
import {
  createProvisioningKey,
  listProvisioningKeys,
  revokeProvisioningKey,
} from '@seaworthy/api/provisioning-keys'
import { isTaken } from '@seaworthy/oci/folders'
import { base64Encode, utf8Encode } from '@seaworthy/std/bytes'
import { signProvisioningKey } from '@seaworthy/trust/enrolment'
import type { Signer } from '@seaworthy/trust/keys'
import { generateKeyPair, keyId } from '@seaworthy/trust/keys'
import type { Context } from '../context.ts'
import { createContext, withContext } from '../context.ts'
import { CliError } from '../failure.ts'
import { formatAgo } from '../output/format.ts'
import type { NamedKey } from '../keys/key-files.ts'
import { createPassphraseSource, openSigner, readNamedKeys } from '../keys/key-files.ts'
import { requireTogether } from '../option-use.ts'
import { collect, durationWithDefault, wholeNumber } from '../options.ts'
import type { CliPorts } from '../ports.ts'
import type { Connection } from '../connection.ts'
import { collectPages, withConnection } from '../connection.ts'
import { rememberFleet } from '../readers/choose.ts'
import { readRecord } from '../readers/file.ts'
import { requireSameFleet } from '../readers/record.ts'
import { requireWritable, writeDurably } from '../state/files.ts'
import { readAnchor } from '../trust/anchor.ts'
import type { Holders } from '../trust/enrolments.ts'
import { requireHolders } from '../trust/enrolments.ts'
import { requireRepository } from '../trust/repository-view.ts'
import { requireSigning } from '../trust/signing.ts'
import { addPassphraseOption } from './proposal-options.ts'

export function addProvisioningKeyCommands(program: Command, ports: CliPorts): void {
  const key = program
    .command('provisioning-key')
    .description('keys with which devices join a fleet')
  const creation = key
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
    .option('--product <name>', 'the product that the fleet must run, whatever the server says')
    .option('--channel <name>', 'the channel that it must follow, whatever the server says')
    .option('--force', 'replace the file of --agent-config, and the key in it')
    .option(
      '--sign-with <key-file>',
      "sign it with a key of the product's, repeatable: its devices are then enrolled",
      collect,
    )
  addPassphraseOption(creation).action(async (options: CreateOptions, command: Command) => {
    requireTogether<CreateOptions>(command, 'force', 'agentConfig')
    requireTogether<CreateOptions>(command, 'passphraseFile', 'signWith')
    await create(createContext(ports, command), options)
  })
  key
    .command('list')
    .description('list the keys of a fleet, without the keys')
    .requiredOption('--fleet <name>', 'the fleet')
    .action(withContext(ports, list))
  key
    .command('revoke <id>')
    .description('end a key; devices that registered with it stay')
    .action(withContext(ports, revoke))
}

interface CreateOptions {
  fleet: string
  uses: number
  expires: number
  agentConfig?: string
  product?: string
  channel?: string
  force?: boolean
  signWith?: string[]
  passphraseFile?: string[]
}

const unsigned = 'no: no secret will ever reach its devices (--sign-with)'

async function create(context: Context, options: CreateOptions): Promise<void> {
  const holders = await readNamedKeys(options.signWith ?? [])
  requireSigning(holders)
  if (holders.length > 0 && options.agentConfig === undefined) {
    throw new CliError('usage', '--sign-with needs --agent-config', {
      wayOut:
        "Name the file that is written for the devices: the key's private half is nowhere else.",
    })
  }
  await withConnection(context, async (connection) => {
    const anchor = options.agentConfig === undefined ? undefined : await requireAnchor(connection)
    if (options.agentConfig !== undefined && options.force !== true) {
      await requireNew(options.agentConfig)
    }
    if (options.agentConfig !== undefined) {
      await requireWritable(options.agentConfig, context.ports)
    }
    const target =
      options.agentConfig === undefined ? undefined : await findTarget(context, connection, options)
    const enrolmentKey =
      target === undefined || holders.length === 0
        ? undefined
        : await makeEnrolmentKey(context, connection, options, { target, holders })
    const made = await connection.client.call(createProvisioningKey, {
      params: { fleet: options.fleet },
      body: {
        uses: options.uses,
        lifetimeSeconds: Math.round(options.expires / 1000),
        ...(enrolmentKey === undefined ? {} : { enrolmentKeyId: enrolmentKey.id }),
      },
    })
    if (options.agentConfig !== undefined && anchor !== undefined && target !== undefined) {
      const config = {
        ...describeAgent(connection, target, made.key, anchor),
        ...(enrolmentKey === undefined ? {} : { enrolmentKey: enrolmentKey.text }),
      }
      await writeDurably(options.agentConfig, `${JSON.stringify(config, undefined, 2)}\n`, {
        random: context.ports.random,
      })
    }
    if (options.agentConfig !== undefined && isLoopback(connection.server.url)) {
      context.warn(
        context.paint.yellow(
          `WARNING: ${options.agentConfig} names the server ${connection.server.url}, which on any other machine is that machine itself. Write the address under which devices reach it into "server".`,
        ),
      )
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
          ['its devices run', target && `${target.product}, channel ${target.channel}`],
          ['uses', String(made.view.usesLeft)],
          ['expires', made.view.expiresAt],
          ['enrols', enrolmentKey === undefined ? unsigned : 'yes, signed by holders'],
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

type AgentTarget = Pick<FleetView, 'product' | 'channel' | 'pollSeconds'> & {
  readonly fleet: string
}

/**
 * What new devices will run, and follow for ever: asked once, and compared with what people named.
 * Where nobody has, it is the server's word, and said to be so.
 */
async function findTarget(
  context: Context,
  connection: Connection,
  named: Pick<CreateOptions, 'fleet' | 'product' | 'channel'>,
): Promise<AgentTarget> {
  const { fleet } = named
  const view = await connection.client.call(showFleet, { params: { fleet } })
  const { product, channel, pollSeconds } = view
  const record = await readRecord(connection)
  const shown = { fleet, product, channel }
  requireSameFleet(record, shown)
  const asked = { product: named.product ?? product, channel: named.channel ?? null, readers: [] }
  requireSameFleet({ fleets: new Map([[fleet, asked]]) }, shown)
  const known = record.fleets.get(fleet)
  const isNamed =
    (named.product ?? known?.product) !== undefined &&
    (named.channel ?? known?.channel ?? undefined) !== undefined
  if (isNamed) await rememberFleet(context, connection, shown)
  else {
    context.warn(
      `WARNING: that ${fleet} runs ${product} and follows ${channel} is the server's word alone. Name both, so that no server chooses what devices run: --product ${product} --channel ${channel}`,
    )
  }
  return { ...shown, pollSeconds }
}

/**
 * A key pair that the named holders sign, with which devices prove that they were enrolled. It is
 * made before the provisioning key, so that none is left over where signing fails.
 */
async function makeEnrolmentKey(
  context: Context,
  connection: Connection,
  { passphraseFile }: CreateOptions,
  {
    target: { fleet, product },
    holders,
  }: { readonly target: AgentTarget; readonly holders: readonly NamedKey[] },
): Promise<{ readonly text: string; readonly id: string }> {
  const { current } = await requireRepository(context, connection, [product])
  requireEnough(product, await requireHolders(product, current), holders)
  await context.confirm(
    `Let whoever gets this file enrol devices in the fleet ${fleet} of ${product}?`,
  )
  const passphrases = createPassphraseSource(context.ports, passphraseFile)
  const signers: Signer[] = []
  for (const holder of holders) signers.push(await openSigner(holder, passphrases))
  const { key, pkcs8 } = await generateKeyPair('ed25519')
  const certificate = await signProvisioningKey({ product, fleet, publicKey: key }, signers)
  const text = JSON.stringify({ certificate, pkcs8: base64Encode(pkcs8) })
  pkcs8.fill(0)
  return { text: base64Encode(utf8Encode(text)), id: await keyId(key) }
}

/** Refuses what no verifier would accept, before anything is made. */
function requireEnough(
  product: string,
  { keyIds, threshold }: Holders,
  holders: readonly NamedKey[],
): void {
  for (const { path, keyId: id } of holders) {
    if (keyIds.includes(id)) continue
    throw new CliError('refused', `${path} is no key of the product ${product}`, {
      wayOut: `These are: ${keyIds.map((one) => one.slice(0, 12)).join(', ')}.`,
    })
  }
  if (holders.length >= threshold) return
  throw new CliError(
    'refused',
    `${product} needs ${threshold} of its keys to enrol devices, and ${holders.length} was named`,
    { wayOut: 'Name --sign-with for as many, on the machine where these keys are.' },
  )
}

/**
 * Checks that the file is new before a key is made: a key that could not be written would be lost.
 */
async function requireNew(path: string): Promise<void> {
  if (!(await isTaken(path))) return
  throw new CliError('refused', `${path} exists already, and may hold a key that is not used yet`, {
    wayOut: 'Name another file, or replace it with --force.',
  })
}

async function requireAnchor(connection: Connection) {
  const anchor = await readAnchor(connection)
  if (anchor !== undefined) return anchor
  throw new CliError('refused', 'there is no trust root yet that a device could be anchored at', {
    wayOut: 'Run `seaworthy trust init` first.',
  })
}

function isLoopback(url: string): boolean {
  return /^(?:localhost|127(?:\.\d+){3}|\[::1\])$/.test(new URL(url).hostname)
}

/**
 * The agent's configuration: everything a new device needs, and nothing it has to take on trust
 * later.
 */
function describeAgent(
  connection: Connection,
  { product, channel, pollSeconds }: AgentTarget,
  provisioningKey: string,
  anchor: { digest: string; bytes: Uint8Array },
) {
  return {
    server: connection.server.url,
    ...(connection.server.pin === undefined ? {} : { pin: connection.server.pin }),
    root: anchor.digest,
    rootInline: base64Encode(anchor.bytes),
    provisioningKey,
    product,
    channel,
    pollSeconds,
  }
}

async function list(context: Context, { fleet }: { fleet: string }): Promise<void> {
  await withConnection(context, async ({ client }) => {
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
  await withConnection(context, async ({ client }) => {
    await client.call(revokeProvisioningKey, { params: { provisioningKeyId } })
    context.show({ revoked: provisioningKeyId }, () => [`Revoked ${provisioningKeyId}.`])
  })
}
