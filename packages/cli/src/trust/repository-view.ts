/**
 * The repository as this program verified it by itself, from its own anchor. Everything that is
 * built, shown before signing or compared comes from here, never from what the server says about
 * its metadata.
 */
import type {
  CurrentMetadata,
  FetchMetadata,
  Metadata,
  RootSigned,
  TargetsSigned,
  TrustedFile,
  TufClient,
  TufNotice,
} from '@seaworthy/trust/tuf'
import {
  defaultTufLimits,
  isTrustError,
  noMetadata,
  openTufClient,
  parseMetadata,
  roleKindOf,
  trustError,
} from '@seaworthy/trust/tuf'
import { BodyTooLongError, readBody } from '@seaworthy/std/http'
import { formatInstant, parseInstant } from '@seaworthy/std/time'
import type { Context } from '../context.ts'
import { CliError } from '../failure.ts'
import { formatMs } from '../output/format.ts'
import type { Connection } from '../connection.ts'
import { requireLog } from '../connection.ts'
import type { Anchor } from './anchor.ts'
import { builtAt, ensureAnchor } from './anchor.ts'
import { trustStore, usingTrustState } from './state-store.ts'

export interface RepositoryView {
  /** `undefined` while the server has no root. */
  anchor: Anchor | undefined
  /**
   * Verified at this contact: root, `targets`, all products, and the channels of the products asked
   * for.
   */
  current: CurrentMetadata
  /** The roots from the anchor to the newest. */
  roots: readonly Metadata<RootSigned>[]
  /** Everything trusted now but the anchor, under the names a repository serves it. */
  files: readonly TrustedFile[]
}

/**
 * Refreshes from the server and verifies. Timestamp and snapshot must be fresh. Offline roles that
 * have expired are taken, with a warning, because they have to be seen to be renewed: whoever needs
 * them valid calls `requireFresh`. The channels of the products named are loaded, or those of all.
 */
export async function openRepository(
  context: Context,
  connection: Connection,
  products: readonly string[] | 'all' = 'all',
): Promise<RepositoryView> {
  requireLog(connection)
  return openVerified(context, connection, products)
}

async function openVerified(
  context: Context,
  connection: Connection,
  products: readonly string[] | 'all',
): Promise<RepositoryView> {
  const anchor = await ensureAnchor(context, connection)
  if (anchor === undefined) return { anchor, current: noMetadata, roots: [], files: [] }
  return await usingTrustState(connection.folder, () =>
    refreshWhole(context, connection, products, anchor),
  )
}

async function refreshWhole(
  context: Context,
  connection: Connection,
  products: readonly string[] | 'all',
  anchor: Anchor,
): Promise<RepositoryView> {
  const client = await openClient(context, connection, anchor)
  for (const notice of await client.refresh()) context.warn(`Note: ${describeNotice(notice)}`)
  await loadRoles(client, products)
  const now = context.ports.clock.now()
  for (const { role, expiresAt } of client.status().roles) {
    if (expiresAt.getTime() > now.getTime()) continue
    context.warn(
      context.paint.yellow(
        `WARNING: ${role} has expired at ${formatInstant(expiresAt)}: devices refuse it until it is renewed (seaworthy trust renew ${role})`,
      ),
    )
  }
  return await viewOf(client, anchor)
}

function openClient(context: Context, connection: Connection, anchor: Anchor): Promise<TufClient> {
  return openTufClient(
    { anchor: anchor.bytes, profile: 'strict', notBefore: builtAt, acceptExpiredOffline: true },
    {
      clock: context.ports.clock,
      store: trustStore(connection.folder, context),
      fetchMetadata: createMetadataFetch(connection),
    },
  )
}

async function viewOf(client: TufClient, anchor: Anchor): Promise<RepositoryView> {
  const { roots, roles } = await readTrusted(client)
  const all = [await parseMetadata('root', anchor.bytes, 'strict'), ...roots]
  return { anchor, current: { root: all.at(-1), roles }, roots: all, files: client.trustedFiles() }
}

/**
 * Like `openRepository`, but for changes to nothing but the root. They must be possible when
 * nothing else can be verified, not even the audit log, because they are how stolen, lost and
 * mistaken online keys are replaced. Only the roots are seen then, and a warning says so.
 */
export async function openForRoot(
  context: Context,
  connection: Connection,
): Promise<RepositoryView> {
  try {
    return await openVerified(context, connection, 'all')
  } catch (error) {
    if (!isTrustError(error)) throw error
    if (error.code === 'state_unreadable' || error.code === 'root_chain_broken') throw error
    const anchor = await ensureAnchor(context, connection)
    if (anchor === undefined) throw error
    const view = await usingTrustState(connection.folder, async () => {
      const client = await openClient(context, connection, anchor)
      await client.refreshRoots()
      return await viewOf(client, anchor)
    })
    context.warn(
      context.paint.yellow(
        `WARNING: what the server's online keys say cannot be verified (${error.code}: ${error.message}). The roots can, and nothing else is needed to change the root.`,
      ),
    )
    return view
  }
}

/** Opens what is needed to judge changes of these roles. */
export function openForRoles(
  context: Context,
  connection: Connection,
  roles: Iterable<string>,
): Promise<RepositoryView> {
  return [...roles].every((role) => role === 'root')
    ? openForRoot(context, connection)
    : openRepository(context, connection)
}

/** Like `openRepository`, but for commands that make no sense without a root. */
export async function requireRepository(
  context: Context,
  connection: Connection,
  products: readonly string[] | 'all' = 'all',
): Promise<RepositoryView & { anchor: Anchor }> {
  return requireAnchored(await openRepository(context, connection, products))
}

/** Throws while the server has no root. */
export function requireAnchored(view: RepositoryView): RepositoryView & { anchor: Anchor } {
  const { anchor } = view
  if (anchor !== undefined) return { ...view, anchor }
  throw new CliError('refused', 'the server has no trust root yet', {
    wayOut: 'Make keys with `seaworthy key create`, then run `seaworthy trust init`.',
  })
}

/** Throws `freeze` when root, targets or one of the roles named has expired. */
export function requireFresh(
  context: Context,
  { current }: RepositoryView,
  roles: readonly string[],
): void {
  const now = context.ports.clock.now()
  const all = [['root', current.root] as const, ...current.roles]
  for (const [role, metadata] of all) {
    if (metadata === undefined || !['root', 'targets', ...roles].includes(role)) continue
    if (parseInstant(metadata.signed.expires).getTime() > now.getTime()) continue
    throw trustError(
      'freeze',
      `${role} ${metadata.signed.version} has expired at ${metadata.signed.expires}`,
    )
  }
}

async function loadRoles(client: TufClient, wanted: readonly string[] | 'all'): Promise<void> {
  const products = delegatedNames(await readTrusted(client), 'targets')
  for (const product of products) {
    // Searching for a release that cannot exist leads through the product's own role and so loads
    // it.
    await client.findTarget(`${product}/-/-`).catch((error: unknown) => {
      if (!isTrustError(error, 'target_unknown')) throw error
    })
  }
  const trusted = await readTrusted(client)
  for (const product of products) {
    if (wanted !== 'all' && !wanted.includes(product)) continue
    for (const role of delegatedNames(trusted, product)) {
      const kind = roleKindOf(role)
      if (kind?.kind === 'channel') await client.loadChannel(kind.product, kind.channel)
    }
  }
}

interface TrustedBytes {
  /** The roots after the anchor. */
  roots: Metadata<RootSigned>[]
  /** `targets` and delegated roles. */
  roles: ReadonlyMap<string, Metadata<TargetsSigned>>
}

async function readTrusted(client: TufClient): Promise<TrustedBytes> {
  const roots: Metadata<RootSigned>[] = []
  const roles = new Map<string, Metadata<TargetsSigned>>()
  for (const { name, bytes } of client.trustedFiles()) {
    const role = /^(?:\d+\.)?(.+)\.json$/.exec(name)?.[1] ?? ''
    const kind = roleKindOf(role)?.kind
    if (kind === 'root') roots.push(await parseMetadata('root', bytes, 'strict'))
    if (kind === 'targets' || kind === 'product' || kind === 'channel') {
      roles.set(role, await parseMetadata('targets', bytes, 'strict'))
    }
  }
  return { roots, roles }
}

function delegatedNames({ roles }: TrustedBytes, role: string): string[] {
  return roles.get(role)?.signed.delegations?.roles?.map(({ name }) => name) ?? []
}

/**
 * Fetches every root since the first: those before our anchor come from the server, for signers
 * whose anchor is older.
 */
export async function fetchRootHistory(
  connection: Connection,
  view: RepositoryView,
): Promise<Metadata<RootSigned>[]> {
  const fetch = createMetadataFetch(connection)
  const earlier: Metadata<RootSigned>[] = []
  const anchorVersion = view.roots[0]?.signed.version ?? 1
  for (let version = 1; version < anchorVersion; version++) {
    const bytes = await fetch(`${version}.root.json`, defaultTufLimits.rootBytesMax)
    if (bytes === undefined) throw trustError('metadata_missing', `root ${version} is not served`)
    earlier.push(await parseMetadata('root', bytes, 'strict'))
  }
  return [...earlier, ...view.roots]
}

/** Metadata from the server's own repository. */
export function createMetadataFetch({ transport, server }: Connection): FetchMetadata {
  return async (name, bytesMax) => {
    const response = await transport({ method: 'GET', url: `${server.url}/tuf/${name}` })
    if (response.status === 200) {
      try {
        return await readBody(response, bytesMax)
      } catch (cause) {
        if (!(cause instanceof BodyTooLongError)) throw cause
        throw trustError('endless_data', `${name} is longer than ${bytesMax} bytes`, { cause })
      }
    }
    for await (const _ of response.body) break
    if (response.status === 404) return undefined
    throw new CliError('failed', `the server answers ${response.status} for ${name}`, {
      wayOut: 'Try again; if it stays so, ask whoever runs the server for its log.',
    })
  }
}

function describeNotice(notice: TufNotice): string {
  switch (notice.code) {
    case 'clock_behind':
      return `the clock stands ${formatMs(notice.byMs)} before the last verified time, which was used instead`
    case 'clock_jumped':
      return `the clock jumped by ${formatMs(Math.abs(notice.byMs))}`
    case 'state_generation_lost':
      return 'one of the two copies of the trust state was lost; the other was used'
  }
}
