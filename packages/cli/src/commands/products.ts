/** `seaworthy product …`: what is shipped, who signs for it, and how much of it is stored. */
import type { Command } from 'commander'
import type { ProductView } from '@seaworthy/api/products'
import { setOmahaApp } from '@seaworthy/api/omaha'
import { listProducts, setProductQuota, showProduct } from '@seaworthy/api/products'
import type { ReleaseKind } from '@seaworthy/trust/tuf'
import { currentAuthority, releaseKinds } from '@seaworthy/trust/tuf'
import type { Context } from '../context.ts'
import { withContext } from '../context.ts'
import { CliError } from '../failure.ts'
import { readNamedKeys } from '../keys/key-files.ts'
import { requireName } from '../names.ts'
import { collect, oneOf, quotaOption, wholeNumber } from '../options.ts'
import { formatAgo, formatBytes, harmless } from '../output/format.ts'
import type { CliPorts } from '../ports.ts'
import { collectPages, withConnection } from '../connection.ts'
import type { ProposalOptions } from '../trust/proposing.ts'
import { propose } from '../trust/proposing.ts'
import { requireRepository } from '../trust/repository-view.ts'
import { requireSigning, signingKeys } from '../trust/signing.ts'
import { addSigningOptions } from './proposal-options.ts'
import { retireProduct } from './retire.ts'
import { authority, neverMet } from './trust.ts'

export function addProductCommands(program: Command, ports: CliPorts): void {
  const product = program.command('product').description('what is shipped')
  addSigningOptions(
    product
      .command('create <name>')
      .description('create a product: who speaks for it')
      .requiredOption('--kind <kind>', releaseKinds.join(', '), oneOf<ReleaseKind>(...releaseKinds))
      .option(
        '--key <key-file>',
        'a key that decides on channels, repeatable (default: the keys of targets); private key files also sign',
        collect,
      )
      .option('--threshold <count>', 'how many of them must sign', wholeNumber(1, 100)),
  ).action(withContext(ports, create))
  addSigningOptions(
    product
      .command('retire <name>')
      .description('end a product with its channels for good: signed by the keys of targets')
      .option('--dry-run', 'count what depends on it, and change nothing'),
  ).action(withContext(ports, retireProduct))
  product
    .command('list')
    .description('list products with their channels')
    .action(withContext(ports, list))
  product
    .command('show <name>')
    .description('show one product: who speaks for it, its channels, their newest releases')
    .action(withContext(ports, show))
  product
    .command('set <name>')
    .description('set how much a product may hold in the registry')
    .requiredOption('--quota <size>', 'such as 50GiB; none for as much as there is', quotaOption)
    .action(
      withContext(ports, (context, name: string, { quota }: { quota: number | 'none' }) =>
        setQuota(context, name, quota === 'none' ? null : quota),
      ),
    )
  product
    .command('set-omaha-app <name> <app-id>')
    .description('set the app id by which Omaha clients ask for the product')
    .action(withContext(ports, setApp))
}

async function setApp(context: Context, product: string, appId: string): Promise<void> {
  await withConnection(context, async ({ client }) => {
    const set = await client.call(setOmahaApp, { params: { product }, body: { appId } })
    context.show(set, () => [`Omaha clients ask for ${set.product} as {${harmless(set.appId)}}.`])
  })
}

async function setQuota(
  context: Context,
  product: string,
  quotaBytes: number | null,
): Promise<void> {
  await withConnection(context, async ({ client }) => {
    const set = await client.call(setProductQuota, { params: { product }, body: { quotaBytes } })
    const { usedBytes } = set.storage
    const isOver = quotaBytes !== null && usedBytes > quotaBytes
    context.show(set, () => [
      `${set.product} holds ${formatStorage(set.storage)}.`,
      ...(isOver ? ['That is more than it may: nothing is removed, and no push is taken.'] : []),
    ])
  })
}

/** `1.5 GiB of 50 GiB`. */
function formatStorage({ usedBytes, uploadingBytes, quotaBytes }: ProductView['storage']): string {
  const used = formatBytes(usedBytes)
  const uploading = uploadingBytes === 0 ? '' : `, ${formatBytes(uploadingBytes)} for open uploads`
  return `${used}${uploading}${quotaBytes === null ? ' (no quota)' : ` of ${formatBytes(quotaBytes)}`}`
}

interface CreateOptions extends ProposalOptions {
  kind: ReleaseKind
  key?: string[]
  threshold?: number
}

async function create(context: Context, product: string, options: CreateOptions): Promise<void> {
  requireName('product', product)
  const keys = await readNamedKeys(options.key ?? [])
  const signers = await readNamedKeys(options.signWith ?? [])
  requireSigning(signers)
  if (keys.length > 0 && options.threshold === undefined) {
    throw new CliError('usage', '--key needs --threshold', {
      wayOut: 'Say how many of these keys must sign: --threshold COUNT.',
    })
  }
  await withConnection(context, async (connection) => {
    const { current } = await requireRepository(context, connection, [product])
    const own =
      keys.length > 0
        ? authority('--threshold', keys, options.threshold!)
        : currentAuthority('targets', current)!
    const threshold = options.threshold ?? own.threshold
    if (threshold > own.keys.length) {
      throw neverMet('--threshold', threshold, own.keys.length)
    }
    await propose(context, connection, {
      intent: { kind: 'product-create', product, authority: { ...own, threshold } },
      current,
      keys: signingKeys(signers, keys),
      isStrict: false,
      passphraseFiles: options.passphraseFile,
      evidence: { kind: options.kind },
      leaveOpen: !options.apply,
    })
  })
}

async function list(context: Context): Promise<void> {
  await withConnection(context, async ({ client }) => {
    const products = await collectPages((query) => client.call(listProducts, { query }))
    const now = context.ports.clock.now()
    context.show(products, () =>
      context.table<ProductView>(
        [
          { title: 'name', text: (p) => p.name },
          { title: 'kind', text: (p) => p.kind },
          { title: 'signers', text: (p) => `${p.role.threshold} of ${p.role.keyIds.length}` },
          { title: 'expires', text: (p) => formatAgo(p.role.expiresAt, now), isDroppable: true },
          {
            title: 'channels',
            text: (p) => p.channels.map((c) => c.name).join(', ') || '-',
            isShrinkable: true,
          },
        ],
        products,
        'No products yet: see `seaworthy product create --help`.',
      ),
    )
  })
}

async function show(context: Context, product: string): Promise<void> {
  await withConnection(context, async ({ client }) => {
    const view = await client.call(showProduct, { params: { product } })
    context.show(view, () => [
      ...context.fields([
        ['product', view.name],
        ['kind', view.kind],
        ['signers', `${view.role.threshold} of ${view.role.keyIds.length}`],
        ['keys', view.role.keyIds.join(' ')],
        ['version', String(view.role.version)],
        ['expires', view.role.expiresAt],
        ['storage', formatStorage(view.storage)],
      ]),
      ...channelTable(context, view),
    ])
  })
}

/** The channels of a product, also for `channel list`. */
export function channelTable(context: Context, { channels }: ProductView): string[] {
  const now = context.ports.clock.now()
  return context.table<ProductView['channels'][number]>(
    [
      { title: 'channel', text: (c) => c.name },
      {
        title: 'newest',
        text: (c) =>
          c.newest === null ? '-' : `${c.newest.version} (counter ${c.newest.counter})`,
        isShrinkable: true,
      },
      { title: 'signers', text: (c) => `${c.role.threshold} of ${c.role.keyIds.length}` },
      { title: 'version', text: (c) => String(c.role.version), align: 'right' },
      { title: 'expires', text: (c) => formatAgo(c.role.expiresAt, now), isDroppable: true },
    ],
    channels,
    'No channels yet: see `seaworthy channel create --help`.',
  )
}
