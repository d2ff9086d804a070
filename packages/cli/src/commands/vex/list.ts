/** `seaworthy vex list`, `show` and `history`. */
import type { VexStatementView } from '@seaworthy/api/vex'
import { listVexStatements, showVexStatement } from '@seaworthy/api/vex'
import { collectPages, withConnection } from '../../connection.ts'
import type { Context } from '../../context.ts'
import { harmless } from '../../output/format.ts'
import { requireVulnerability } from './set.ts'
import { describeStatement, describeStatus } from './view.ts'

const statementsMax = 100_000

export interface ListOptions {
  product?: string
  release?: string
  vulnerability?: string
  state?: 'in-force' | 'reopened' | 'all'
}

export async function list(context: Context, options: ListOptions): Promise<void> {
  const { product, release: version, vulnerability, state } = options
  if (vulnerability !== undefined) requireVulnerability(vulnerability)
  const empty =
    state === 'reopened' ? 'No statement waits to be looked at again.' : 'Nothing is stated.'
  await listBy(context, { product, version, vulnerability, state }, empty)
}

export async function showHistory(
  context: Context,
  vulnerability: string,
  product: string,
  version: string,
  { component: purl }: { component?: string },
): Promise<void> {
  requireVulnerability(vulnerability)
  await listBy(
    context,
    { vulnerability, product, version, purl, state: 'all' },
    'Nothing was ever stated of it.',
  )
}

type Wanted = Partial<Record<'product' | 'version' | 'vulnerability' | 'purl', string | undefined>>

async function listBy(
  context: Context,
  wanted: Wanted & { state: ListOptions['state'] },
  whenEmpty: string,
): Promise<void> {
  const filter = Object.fromEntries(
    Object.entries(wanted).filter(([, value]) => value !== undefined),
  )
  await withConnection(context, async ({ client }) => {
    const items = await collectPages(
      (query) => client.call(listVexStatements, { query: { ...query, ...filter } }),
      statementsMax,
    )
    context.show(items, () =>
      context.table<VexStatementView>(
        [
          { title: 'statement', text: ({ id }) => id },
          { title: 'vulnerability', text: ({ vulnerability }) => vulnerability },
          { title: 'release', text: ({ product, version }) => `${product} ${version}` },
          { title: 'component', text: ({ purl }) => purl, isShrinkable: true },
          { title: 'status', text: describeStatus },
          { title: 'state', text: ({ state }) => state.replaceAll('_', ' ') },
          { title: 'by', text: (one) => harmless(one.author ?? one.reviewer), isDroppable: true },
          { title: 'stated', text: ({ statedAt }) => statedAt, isDroppable: true },
          { title: 'until', text: ({ expiresAt }) => expiresAt ?? '-' },
        ],
        items,
        whenEmpty,
      ),
    )
  })
}

export async function show(context: Context, statementId: string): Promise<void> {
  await withConnection(context, async ({ client }) => {
    const view = await client.call(showVexStatement, { params: { statementId } })
    context.show(view, () => describeStatement(context, view))
  })
}
