/** `seaworthy product …` */
import type { Command } from 'commander'
import type { ProductView } from '@seaworthy/api/products'
import { listProducts, showProduct } from '@seaworthy/api/products'
import type { Context } from '../context.ts'
import { createContext } from '../context.ts'
import { formatAgo } from '../output/format.ts'
import type { CliPorts } from '../ports.ts'
import { collectPages, withSession } from '../session.ts'

export function addProductCommands(program: Command, ports: CliPorts): void {
  const product = program.command('product').description('what is shipped')
  product
    .command('list')
    .description('list products with their channels')
    .action(async (_options: object, command: Command) => list(createContext(ports, command)))
  product
    .command('show <name>')
    .description('show one product: who speaks for it, its channels, their newest releases')
    .action(async (name: string, _options: object, command: Command) =>
      show(createContext(ports, command), name),
    )
}

async function list(context: Context): Promise<void> {
  await withSession(context, async ({ client }) => {
    const products = await collectPages((query) => client.call(listProducts, { query }))
    const now = context.ports.clock.now()
    context.show(products, () =>
      context.table<ProductView>(
        [
          { title: 'name', text: (p) => p.name },
          { title: 'kind', text: (p) => p.kind },
          { title: 'signers', text: (p) => `${p.role.threshold} of ${p.role.keyIds.length}` },
          { title: 'expires', text: (p) => formatAgo(p.role.expiresAt, now) },
          {
            title: 'channels',
            text: (p) => p.channels.map((c) => c.name).join(', ') || '-',
            isShrinkable: true,
          },
        ],
        products,
      ),
    )
  })
}

async function show(context: Context, product: string): Promise<void> {
  await withSession(context, async ({ client }) => {
    const view = await client.call(showProduct, { params: { product } })
    context.show(view, () => [
      ...context.fields([
        ['product', view.name],
        ['kind', view.kind],
        ['signers', `${view.role.threshold} of ${view.role.keyIds.length}`],
        ['keys', view.role.keyIds.join(' ')],
        ['version', String(view.role.version)],
        ['expires', view.role.expiresAt],
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
      { title: 'expires', text: (c) => formatAgo(c.role.expiresAt, now) },
    ],
    channels,
  )
}
