/**
 * `seaworthy gateway-token …`: tokens with which a gateway registers DDI devices and speaks for
 * them.
 */
import type { Command } from 'commander'
import type { GatewayTokenView } from '@seaworthy/api/foreign-devices'
import {
  createGatewayToken,
  listGatewayTokens,
  revokeGatewayToken,
} from '@seaworthy/api/foreign-devices'
import type { Context } from '../context.ts'
import { withContext } from '../context.ts'
import { formatAgo } from '../output/format.ts'
import { wholeNumber } from '../options.ts'
import type { CliPorts } from '../ports.ts'
import { collectPages, withConnection } from '../connection.ts'

interface CreateOptions {
  fleet: string
  uses: number
  platform: string
  hardware?: string
}

export function addGatewayTokenCommands(program: Command, ports: CliPorts): void {
  const token = program
    .command('gateway-token')
    .description('tokens of gateways that speak DDI for devices behind them')
  token
    .command('create')
    .description('make a token; it is shown once')
    .requiredOption('--fleet <name>', 'the fleet of the devices behind it')
    .requiredOption('--uses <count>', 'how many devices it may register', wholeNumber(1, 1_000_000))
    .requiredOption('--platform <os/arch>', 'of the devices, for example linux/arm64')
    .option('--hardware <name>', 'of the devices, for releases that are only for some hardware')
    .action(withContext(ports, create))
  token
    .command('list')
    .description('list the tokens of a fleet, without the tokens')
    .requiredOption('--fleet <name>', 'the fleet')
    .action(withContext(ports, list))
  token
    .command('revoke <id>')
    .description('end a token; nobody speaks for the devices behind it any more')
    .action(withContext(ports, revoke))
}

async function create(context: Context, { fleet, ...body }: CreateOptions): Promise<void> {
  const { uses, platform, hardware } = body
  await withConnection(context, async ({ client }) => {
    const made = await client.call(createGatewayToken, {
      params: { fleet },
      body: { uses, platform, ...(hardware === undefined ? {} : { hardware }) },
    })
    context.show(made, () => [
      ...context.fields([
        ['gateway token', made.view.id],
        ['fleet', made.view.fleet],
        ['uses', String(made.view.usesLeft)],
        ['platform', made.view.platform],
        ['token', made.token],
      ]),
      'The token is shown this once.',
    ])
  })
}

async function list(context: Context, { fleet }: { fleet: string }): Promise<void> {
  await withConnection(context, async ({ client }) => {
    const tokens = await collectPages((query) =>
      client.call(listGatewayTokens, { params: { fleet }, query }),
    )
    const now = context.ports.clock.now()
    context.show(tokens, () =>
      context.table<GatewayTokenView>(
        [
          { title: 'id', text: (t) => t.id },
          { title: 'uses left', text: (t) => String(t.usesLeft), align: 'right' },
          { title: 'platform', text: (t) => t.platform },
          { title: 'created', text: (t) => formatAgo(t.createdAt, now), isDroppable: true },
          { title: 'by', text: (t) => t.createdBy, isShrinkable: true },
        ],
        tokens,
        'No gateway tokens yet: see `seaworthy gateway-token create --help`.',
      ),
    )
  })
}

async function revoke(context: Context, gatewayTokenId: string): Promise<void> {
  await context.confirm(`Revoke ${gatewayTokenId}? The devices behind it will not be heard.`)
  await withConnection(context, async ({ client }) => {
    await client.call(revokeGatewayToken, { params: { gatewayTokenId } })
    context.show({ revoked: gatewayTokenId }, () => [`Revoked ${gatewayTokenId}.`])
  })
}
