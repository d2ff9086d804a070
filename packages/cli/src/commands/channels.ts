/** `seaworthy channel …`: the signed lines of releases that devices follow. */
import type { Command } from 'commander'
import { showProduct } from '@seaworthy/api/products'
import type { Context } from '../context.ts'
import { withContext } from '../context.ts'
import { readNamedKeys } from '../keys/key-files.ts'
import { requireName } from '../names.ts'
import { collect, wholeNumber } from '../options.ts'
import type { CliPorts } from '../ports.ts'
import { withConnection } from '../connection.ts'
import type { ProposalOptions } from '../trust/proposing.ts'
import { propose } from '../trust/proposing.ts'
import { requireRepository } from '../trust/repository-view.ts'
import { requireSigning, signingKeys } from '../trust/signing.ts'
import { requireRole } from '../trust/open-proposals.ts'
import { channelTable } from './products.ts'
import { addSigningOptions } from './proposal-options.ts'
import { retireChannel } from './retire.ts'
import { authority } from './trust.ts'

export function addChannelCommands(program: Command, ports: CliPorts): void {
  const channel = program
    .command('channel')
    .description('signed lines of a product: stable, beta, …')
  addSigningOptions(
    channel
      .command('create <product> <channel>')
      .description('create a channel: who may publish on it')
      .requiredOption(
        '--key <key-file>',
        'a key that may publish, repeatable; private key files also sign, FILE.pub only names a key',
        collect,
      )
      .requiredOption('--threshold <count>', 'how many of them must sign', wholeNumber(1, 100)),
  ).action(withContext(ports, create))
  addSigningOptions(
    channel
      .command('retire <product> <channel>')
      .description(
        "end a channel for good: signed by the product's keys, its name never comes back",
      )
      .option('--dry-run', 'count what depends on it, and change nothing'),
  ).action(withContext(ports, retireChannel))
  channel
    .command('list <product>')
    .description('list the channels of a product')
    .action(withContext(ports, list))
}

interface CreateOptions extends ProposalOptions {
  key: string[]
  threshold: number
}

async function create(
  context: Context,
  product: string,
  channel: string,
  options: CreateOptions,
): Promise<void> {
  requireName('product', product)
  requireName('channel', channel)
  const keys = await readNamedKeys(options.key)
  const signers = await readNamedKeys(options.signWith ?? [])
  requireSigning(signers)
  const own = authority('--threshold', keys, options.threshold)
  await withConnection(context, async (connection) => {
    const { current } = await requireRepository(context, connection, [product])
    await requireRole(connection, current, product)
    await propose(context, connection, {
      intent: { kind: 'channel-create', product, channel, authority: own },
      current,
      keys: signingKeys(signers, keys),
      isStrict: false,
      passphraseFiles: options.passphraseFile,
      leaveOpen: !options.apply,
    })
  })
}

async function list(context: Context, product: string): Promise<void> {
  await withConnection(context, async ({ client }) => {
    const view = await client.call(showProduct, { params: { product } })
    context.show(view.channels, () => channelTable(context, view))
  })
}
