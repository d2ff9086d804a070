/**
 * The repository as this program verified it by itself, from its own anchor. Everything that is built, shown before signing or
 * compared comes from here, never from what the server says about its metadata.
 */
import type {
  Metadata,
  RootSigned,
  TargetsSigned,
  TufClient,
  TufNotice,
} from '@seaworthy/trust/tuf'
import { isTrustError, openTufClient } from '@seaworthy/trust/tuf'
import { BodyTooLongError, readBody } from '@seaworthy/std/http'
import { trustError } from '@seaworthy/trust/tuf'
import type { FetchMetadata } from '@seaworthy/trust/tuf'
import type { Context } from '../context.ts'
import { CliError } from '../failure.ts'
import { formatSpan } from '../output/format.ts'
import type { Session } from '../session.ts'
import type { Anchor } from './anchor.ts'
import { ensureAnchor, trustStore } from './anchor.ts'

export interface RepositoryView {
  anchor: Anchor
  client: TufClient
  root: Metadata<RootSigned>
  targets: Metadata<TargetsSigned>
  /** The metadata of a product's role, or `undefined` where `targets` does not delegate to it. */
  product(name: string): Promise<Metadata<TargetsSigned> | undefined>
  /** The metadata of a channel's role, or `undefined` where the product does not delegate to it. */
  channel(product: string, channel: string): Promise<Metadata<TargetsSigned> | undefined>
}

/** Refreshes from the server and verifies. `undefined` while the server has no root. */
export async function openRepository(
  context: Context,
  session: Session,
): Promise<RepositoryView | undefined> {
  const anchor = await ensureAnchor(context, session)
  if (anchor === undefined) return undefined
  const client = await openTufClient(
    { anchor: anchor.bytes, profile: 'strict' },
    {
      clock: context.ports.clock,
      store: trustStore(session.folder, context),
      fetchMetadata: fetchMetadata(session),
    },
  )
  for (const notice of await client.refresh()) context.warn(`Note: ${describeNotice(notice)}`)
  const load = async (...chain: string[]) => {
    try {
      return await client.loadRole(chain)
    } catch (error) {
      if (isTrustError(error, 'target_unknown')) return undefined
      throw error
    }
  }
  return {
    anchor,
    client,
    root: client.root(),
    targets: await client.loadRole([]),
    product: (name) => load(name),
    channel: (product, channel) => load(product, `${product}.${channel}`),
  }
}

/** As `openRepository`, for commands that need one. */
export async function requireRepository(
  context: Context,
  session: Session,
): Promise<RepositoryView> {
  const view = await openRepository(context, session)
  if (view !== undefined) return view
  throw new CliError('refused', 'the server has no trust root yet', {
    wayOut: 'Make keys with `seaworthy key create`, then run `seaworthy trust init`.',
  })
}

function fetchMetadata({ transport, server }: Session): FetchMetadata {
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
    throw new CliError('failed', `the server answers ${response.status} for ${name}`)
  }
}

function describeNotice(notice: TufNotice): string {
  switch (notice.code) {
    case 'clock_behind':
      return `the clock stands ${formatSpan(notice.byMs)} before the last verified time, which was used instead`
    case 'clock_jumped':
      return `the clock jumped by ${formatSpan(Math.abs(notice.byMs))}`
    case 'state_generation_lost':
      return 'one of the two copies of the trust state was lost; the other was used'
  }
}
