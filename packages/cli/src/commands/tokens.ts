/** `seaworthy token …`: API tokens of people and service accounts. */
import type { Command } from 'commander'
import type { TokenView } from '@seaworthy/api/tokens'
import { createToken, listTokens, refreshToken, revokeToken, roleName } from '@seaworthy/api/tokens'
import type { Context } from '../context.ts'
import { createContext } from '../context.ts'
import { formatAgo } from '../output/format.ts'
import { collect, durationWithDefault, oneOf } from '../options.ts'
import type { CliPorts } from '../ports.ts'
import { collectPages, tokenPath, withSession } from '../session.ts'
import { writeDurably } from '../state/files.ts'

type Role = TokenView['role']

export function addTokenCommands(program: Command, ports: CliPorts): void {
  const token = program.command('token').description('API tokens of people and service accounts')
  token
    .command('create <name>')
    .description('make a token; it is shown once, and nobody can give more than they have')
    .requiredOption('--role <role>', roleName.options.join(', '), oneOf<Role>(...roleName.options))
    .option('--product <name>', 'limit it to this product, repeatable', collect)
    .option('--fleet <name>', 'limit it to this fleet, repeatable', collect)
    .addOption(
      durationWithDefault('--expires <duration>', 'lifetime, for example 30d', {
        least: '1m',
        most: '366d',
        standard: '90d',
      }),
    )
    .action(async (name: string, options: CreateOptions, command: Command) =>
      create(createContext(ports, command), name, options),
    )
  token
    .command('list')
    .description('list tokens, without the tokens')
    .action(async (_options: object, command: Command) => list(createContext(ports, command)))
  token
    .command('refresh')
    .description('trade the token in use for a new one of the same rights; the old one ends')
    .action(async (_options: object, command: Command) => refresh(createContext(ports, command)))
  token
    .command('revoke <id>')
    .description('end a token at once')
    .action(async (id: string, _options: object, command: Command) =>
      revoke(createContext(ports, command), id),
    )
}

interface CreateOptions {
  role: Role
  product?: string[]
  fleet?: string[]
  expires: number
}

async function create(context: Context, name: string, options: CreateOptions): Promise<void> {
  await withSession(context, async ({ client, server }) => {
    const made = await client.call(createToken, {
      body: {
        name,
        role: options.role,
        lifetimeSeconds: Math.round(options.expires / 1000),
        ...(options.product === undefined ? {} : { products: options.product }),
        ...(options.fleet === undefined ? {} : { fleets: options.fleet }),
      },
    })
    const pin = server.pin === undefined ? '' : ` --pin ${server.pin}`
    const root = server.rootDigest === undefined ? '' : ` --root sha256:${server.rootDigest}`
    const line = `seaworthy login ${server.url}${pin} --token ${made.token}${root}`
    context.show(made, () => [
      ...context.fields([
        ['token', made.view.id],
        ['role', made.view.role],
        ['expires', made.view.expiresAt],
      ]),
      'It is shown this once. Its holder runs:',
      line,
    ])
  })
}

async function list(context: Context): Promise<void> {
  await withSession(context, async ({ client }) => {
    const tokens = await collectPages((query) => client.call(listTokens, { query }))
    const now = context.ports.clock.now()
    context.show(tokens, () =>
      context.table<TokenView>(
        [
          { title: 'id', text: (t) => t.id },
          { title: 'name', text: (t) => t.name, isShrinkable: true },
          { title: 'role', text: (t) => t.role },
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

function describeLimits({ products, fleets }: TokenView): string {
  const limits = [...(products ?? []), ...(fleets ?? []).map((fleet) => `fleet ${fleet}`)]
  return limits.length === 0 ? '-' : limits.join(', ')
}

async function refresh(context: Context): Promise<void> {
  await withSession(context, async ({ client, folder }) => {
    const made = await client.call(refreshToken, {})
    await writeDurably(tokenPath(folder), `${made.token}\n`, { random: context.ports.random })
    context.show(made.view, () => [
      `The token is new and valid until ${made.view.expiresAt}; the old one has ended.`,
    ])
  })
}

async function revoke(context: Context, tokenId: string): Promise<void> {
  await context.confirm(`Revoke ${tokenId}?`)
  await withSession(context, async ({ client }) => {
    await client.call(revokeToken, { params: { tokenId } })
    context.show({ revoked: tokenId }, () => [`Revoked ${tokenId}.`])
  })
}
