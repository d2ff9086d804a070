/** `seaworthy token …`: API tokens of people and service accounts. */
import type { Command } from 'commander'
import type { CredentialKind, CredentialText } from '@seaworthy/api/credentials'
import { readCredential } from '@seaworthy/api/credentials'
import type { TokenView } from '@seaworthy/api/tokens'
import { createToken, getToken, listTokens, refreshToken, revokeToken } from '@seaworthy/api/tokens'
import { utf8Decode } from '@seaworthy/std/bytes'
import type { Context } from '../context.ts'
import { withContext } from '../context.ts'
import { CliError } from '../failure.ts'
import { formatAgo } from '../output/format.ts'
import { collect, collectRoles, durationWithDefault, roleOption } from '../options.ts'
import { describeRoles, rolesOfTokens } from '../output/roles.ts'
import { describeOutcome, dryRunQuery } from '../output/rights-outcome.ts'
import type { CliPorts } from '../ports.ts'
import { collectPages, withConnection } from '../connection.ts'
import { requireTokenPlace, storeToken } from '../state/token.ts'
import { readFileOrInput } from '../state/files.ts'

export function addTokenCommands(program: Command, ports: CliPorts): void {
  const token = program.command('token').description('API tokens of people and service accounts')
  token
    .command('create <name>')
    .description('make a token; it is shown once, and nobody can give more than they have')
    .requiredOption('--role <role>', rolesOfTokens, roleOption)
    .option('--denied-by <role>', 'deny it what this role denies, repeatable', collectRoles)
    .option('--product <name>', 'limit it to this product, repeatable', collect)
    .option('--fleet <name>', 'limit it to this fleet, repeatable', collect)
    .option('--network <cidr>', 'let it work only from this network, repeatable', collect)
    .addOption(
      durationWithDefault('--expires <duration>', 'lifetime, for example 30d', {
        least: '1m',
        most: '366d',
        standard: '90d',
      }),
    )
    .action(withContext(ports, create))
  token
    .command('list')
    .description('list tokens, without the tokens')
    .action(withContext(ports, list))
  token
    .command('refresh')
    .description('trade the token in use for a new one of the same rights; the old one ends')
    .action(withContext(ports, refresh))
  token
    .command('identify')
    .description('say whose a token or other credential is, without using or sending it')
    .option('--file <file>', 'read it from there; without it a hidden prompt asks')
    .action(withContext(ports, identify))
  token
    .command('revoke <id>')
    .description('end a token at once, with what it has handed out')
    .option('--dry-run', 'say what would end and what stays, and change nothing')
    .action(
      withContext(ports, (context, id: string, options: { dryRun?: boolean }) =>
        revoke(context, id, options.dryRun),
      ),
    )
}

interface CreateOptions {
  role: string
  deniedBy?: string[]
  product?: string[]
  fleet?: string[]
  network?: string[]
  expires: number
}

async function create(context: Context, name: string, options: CreateOptions): Promise<void> {
  await withConnection(context, async ({ client, server }) => {
    const made = await client.call(createToken, {
      body: {
        name,
        role: options.role,
        lifetimeSeconds: Math.round(options.expires / 1000),
        ...(options.deniedBy === undefined ? {} : { deniedBy: options.deniedBy }),
        ...(options.product === undefined ? {} : { products: options.product }),
        ...(options.fleet === undefined ? {} : { fleets: options.fleet }),
        ...(options.network === undefined ? {} : { networks: options.network }),
      },
    })
    const pin = server.pin === undefined ? '' : ` --pin ${server.pin}`
    const root = server.rootDigest === undefined ? '' : ` --root sha256:${server.rootDigest}`
    const line = `seaworthy login ${server.url}${pin} --token ${made.token}${root}`
    context.show(made, () => [
      ...context.fields([
        ['token', made.view.id],
        ['role', describeRoles(made.view)],
        ['limited to', describeLimits(made.view)],
        ['expires', made.view.expiresAt],
      ]),
      'It is shown this once. Its holder runs:',
      line,
    ])
  })
}

async function list(context: Context): Promise<void> {
  await withConnection(context, async ({ client }) => {
    const tokens = await collectPages((query) => client.call(listTokens, { query }))
    const now = context.ports.clock.now()
    context.show(tokens, () =>
      context.table<TokenView>(
        [
          { title: 'id', text: (t) => t.id },
          { title: 'name', text: (t) => t.name, isShrinkable: true },
          { title: 'role', text: describeRoles },
          { title: 'limited to', text: describeLimits, isShrinkable: true },
          { title: 'expires', text: (t) => formatAgo(t.expiresAt, now) },
          { title: 'used', text: (t) => formatAgo(t.lastUsedAt, now), isDroppable: true },
        ],
        tokens,
        'No tokens.',
      ),
    )
  })
}

function describeLimits({ products, fleets, networks }: TokenView): string {
  const limits = [
    ...(products ?? []),
    ...(fleets ?? []).map((fleet) => `fleet ${fleet}`),
    ...(networks ?? []).map((network) => `from ${network}`),
  ]
  return limits.length === 0 ? '-' : limits.join(', ')
}

async function refresh(context: Context): Promise<void> {
  await withConnection(context, async ({ client, folder }) => {
    await requireTokenPlace(folder, context.ports)
    const made = await client.call(refreshToken, {})
    await storeToken(folder, made.token, context.ports)
    context.show(made.view, () => [
      `The token is new and valid until ${made.view.expiresAt}; the old one has ended.`,
    ])
  })
}

/** What a credential other than an API token is, and what its owner does when it has leaked. */
const others: Readonly<Record<Exclude<CredentialKind, 'token'>, readonly [string, string]>> = {
  provisioning: ['a provisioning key', 'seaworthy provisioning-key revoke ID'],
  device: ['the token of a device of another system', 'seaworthy device rotate ID'],
  gateway: ['the token of a gateway', 'seaworthy gateway-token revoke ID'],
  fleetlock: ['a key of a fleet’s FleetLock clients', 'seaworthy reboot-lock key revoke ID'],
  session: ['the cookie of a session', 'seaworthy session revoke ID'],
  pairing: ['the secret of a command line that waits for its token', 'seaworthy token list'],
}

/** Longer than any text in which somebody found a credential and pasted it. */
const pastedBytesMax = 65_536

async function identify(context: Context, { file }: { file?: string }): Promise<void> {
  const { kind, id } = findCredential(await readPasted(context, file))
  if (kind !== 'token') {
    const [what, end] = others[kind]
    const command = end.replace('ID', id)
    context.show({ kind, id, end: command }, () => [
      ...context.fields([['id', id]]),
      `It is ${what}. Whoever found it can use it until it is ended: ${command}`,
    ])
    return
  }
  await withConnection(context, async ({ client }) => {
    const token = await client.call(getToken, { params: { tokenId: id } })
    const { holder, state } = token
    const now = context.ports.clock.now()
    context.show({ kind, ...token }, () => [
      ...context.fields([
        ['token', id],
        ['name', token.name],
        ['goes back to', holder.name === null ? holder.id : `${holder.name} (${holder.id})`],
        ['role', token.role],
        ['limited to', describeLimits(token)],
        ['made', formatAgo(token.createdAt, now)],
        ['used', formatAgo(token.lastUsedAt, now)],
        ['state', state],
      ]),
      state === 'valid'
        ? `If it leaked, end it now: seaworthy token revoke ${id}`
        : 'It is no longer valid.',
    ])
  })
}

async function readPasted(context: Context, file: string | undefined): Promise<string> {
  if (file !== undefined) {
    return utf8Decode(await readFileOrInput(context.ports, file, pastedBytesMax))
  }
  if (context.ports.prompt.isInteractive) {
    const [text] = await context.ports.prompt.askSecrets(['Token: '])
    return text!
  }
  throw new CliError('usage', 'nobody can be asked for the token', {
    wayOut: 'Name a file that holds it: --file FILE, or --file /dev/stdin.',
  })
}

/** The credential in the text. No error repeats any of that text. */
function findCredential(text: string): CredentialText {
  const found = text.match(/\bsw[a-z]?_[0-9a-z]{20,32}_[0-9a-zA-Z]+/)?.[0]
  const read = found === undefined ? 'unknown' : readCredential(found)
  if (typeof read !== 'string') return read
  throw read === 'damaged'
    ? new CliError('failed', 'this is a credential of Seaworthy, but cut or mistyped', {
        wayOut: 'Copy the whole of it: it ends with 72 digits and letters from a to f.',
      })
    : new CliError('failed', 'no credential of Seaworthy is in this text', {
        wayOut: 'Credentials begin with sw_, swp_, swd_, swg_, swf_, sws_ or swc_.',
      })
}

async function revoke(context: Context, tokenId: string, isDryRun = false): Promise<void> {
  if (!isDryRun) await context.confirm(`Revoke ${tokenId}?`)
  await withConnection(context, async ({ client }) => {
    const query = dryRunQuery(isDryRun)
    const outcome = await client.call(revokeToken, { params: { tokenId }, query })
    context.show({ revoked: isDryRun ? null : tokenId, ...outcome }, () => [
      isDryRun ? `Would revoke ${tokenId}.` : `Revoked ${tokenId}.`,
      ...describeOutcome(outcome),
    ])
  })
}
