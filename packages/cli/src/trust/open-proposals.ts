/**
 * What open proposals explain: a role that is not there yet, and a change that somebody has
 * proposed already. The server's word is only a hint.
 */
import { ProblemError } from '@seaworthy/api/problems'
import type { ProposalView } from '@seaworthy/api/proposals'
import { listProposals } from '@seaworthy/api/proposals'
import { showRelease } from '@seaworthy/api/releases'
import type { CurrentMetadata, Proposal, ProposalIntent } from '@seaworthy/trust/tuf'
import { channelRole, delegatorOf, publicationTitle, roleKindOf } from '@seaworthy/trust/tuf'
import { CliError } from '../failure.ts'
import { harmless } from '../output/format.ts'
import type { Connection } from '../connection.ts'
import { collectPages } from '../connection.ts'

/**
 * Throws unless the repository has the role; says which proposal would make it, or what there is
 * instead.
 */
export async function requireRole(
  { client }: Pick<Connection, 'client'>,
  current: CurrentMetadata,
  role: string,
): Promise<void> {
  if (current.roles.has(role)) return
  const kind = roleKindOf(role)
  if (kind?.kind === 'channel' && !current.roles.has(kind.product)) {
    return await requireRole({ client }, current, kind.product)
  }
  const what =
    kind?.kind === 'channel'
      ? `${kind.product} has no channel ${kind.channel}`
      : `there is no product ${role}`
  const items = await listOpen(client)
  const waiting = items.find(({ roles }) => roles.some((one) => one.role === role))
  if (waiting !== undefined) {
    throw new CliError('notFound', `${what} yet: ${describeOpen(waiting)}`, {
      wayOut: goOnWith(waiting),
    })
  }
  throw new CliError('notFound', what, { wayOut: listSiblings(current, role) })
}

function listSiblings(current: CurrentMetadata, role: string): string {
  const delegator = delegatorOf(role) ?? 'targets'
  const prefix = delegator === 'targets' ? '' : `${delegator}.`
  const names = [...current.roles.keys()]
    .filter((name) => delegatorOf(name) === delegator)
    .map((name) => name.slice(prefix.length))
    .toSorted()
  const nouns = prefix === '' ? 'products' : `channels of ${delegator}`
  const create =
    prefix === ''
      ? `seaworthy product create ${role} --kind KIND`
      : `seaworthy channel create ${delegator} ${role.slice(prefix.length)} --key FILE --threshold COUNT`
  return names.length === 0
    ? `There are no ${nouns}. Create it with \`${create}\`.`
    : `The ${nouns} are: ${names.slice(0, 10).join(', ')}${names.length > 10 ? ', …' : ''}.`
}

/** Kinds of proposals of which a second one with the same title would only repeat the first. */
const onlyOnce: readonly ProposalIntent['kind'][] = [
  'product-create',
  'channel-create',
  'product-retire',
  'channel-retire',
  'publish',
  'withdraw',
]

/** Throws where an open proposal does the same: two would take signatures from each other. */
export async function refuseSecond(
  { client }: Pick<Connection, 'client'>,
  { kind, title }: Pick<Proposal, 'kind' | 'title'>,
): Promise<void> {
  if (!onlyOnce.includes(kind)) return
  const items = await listOpen(client)
  const same = items.find((one) => one.kind === kind && one.title === title)
  if (same === undefined) return
  throw new CliError('refused', `this was proposed already: ${describeOpen(same)}`, {
    wayOut: `${goOnWith(same)} Or end that one: \`seaworthy proposal reject ${same.id} --reason TEXT\`.`,
  })
}

/**
 * What is to be done before a release is on a channel: the proposal that would publish it, where
 * one waits, else the command that makes one. A release that was never made is said to be so.
 */
export async function notPublished(
  { client }: Pick<Connection, 'client'>,
  release: { readonly product: string; readonly version: string; readonly channel: string },
): Promise<CliError> {
  const { product, version, channel } = release
  const what = `${version} is not published on ${channelRole(product, channel)}`
  const title = publicationTitle(release)
  const waiting = (await listOpen(client)).find(
    (one) => one.kind === 'publish' && one.title === title,
  )
  if (waiting !== undefined) {
    return new CliError('refused', `${what} yet: ${describeOpen(waiting)}`, {
      wayOut: goOnWith(waiting),
    })
  }
  await requireRegistered({ client }, release)
  return new CliError('refused', what, {
    wayOut: `Publish it first: \`seaworthy publish ${product} ${version} --channel ${channel}\`.`,
  })
}

/** Throws where nobody has made the release, so that nobody is told to publish it. */
export async function requireRegistered(
  { client }: Pick<Connection, 'client'>,
  { product, version }: { readonly product: string; readonly version: string },
): Promise<void> {
  try {
    await client.call(showRelease, { params: { product, version } })
  } catch (cause) {
    if (!(cause instanceof ProblemError && cause.status === 404)) throw cause
    throw new CliError('notFound', `there is no release ${product} ${version}`, {
      wayOut: `See \`seaworthy release list ${product}\` for its versions.`,
      cause,
    })
  }
}

/** All of them: a page may be shorter than one asks for. */
function listOpen(client: Connection['client']): Promise<ProposalView[]> {
  return collectPages((query) => client.call(listProposals, { query: { ...query, state: 'open' } }))
}

function describeOpen({ id, title, complete }: ProposalView): string {
  const waits = complete ? 'waits to be published' : 'waits for signatures'
  return `${id} (${harmless(title)}) ${waits}`
}

function goOnWith({ id, complete }: ProposalView): string {
  return complete
    ? `Publish it with \`seaworthy proposal apply ${id}\`.`
    : `Sign it with \`seaworthy proposal sign ${id} --key FILE\`; \`seaworthy proposal show ${id}\` says who has yet to.`
}
