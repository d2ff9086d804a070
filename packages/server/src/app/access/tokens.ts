/** API tokens: made, refreshed, revoked. */
import type { AccessRefusal, Grant, RoleNames, Scope } from '@seaworthy/fleet/access'
import {
  checkGrant,
  copyScope,
  coversGrant,
  coversNetworks,
  coversScope,
  isNetwork,
} from '@seaworthy/fleet/access'
import type { TokenFacts, TokenView } from '@seaworthy/api/tokens'
import type { Allowance } from '@seaworthy/std/allowance'
import { spend } from '@seaworthy/std/allowance'
import { Refusal } from '@seaworthy/std/refusal'
import { newId } from '@seaworthy/std/ids'
import { formatInstant, hourMs, secondMs } from '@seaworthy/std/time'
import type { ReadTx, WriteTx } from '../../db/connection.ts'
import { readClock } from '../../db/connection.ts'
import type { RightsTx } from '../../db/rights.ts'
import * as db from '../../db/tokens.ts'
import type { TokenRow } from '../../db/tokens.ts'
import { getToken, getTokenHolder, insertToken, revokeToken } from '../../db/tokens.ts'
import type { Actor } from './actors.ts'
import type { Current } from './current-actors.ts'
import type { EndedWithMaker } from './handed-out.ts'
import { endHandedOut, listStaying, requireRoomFor } from './handed-out.ts'
import { grantOf, holderBehind } from './actors.ts'
import type { Ports } from '../app.ts'
import { createCredential } from './credentials.ts'
import { readGrant, requireRoleOfTokens } from './role-names.ts'
import { TooOftenRefusal } from '../worker/index.ts'
import type { ServerRefusal } from '../refusals.ts'
import type { Page, PageQuery } from '../paging.ts'
import { instantOrNull } from '../views.ts'
import { listById } from '../paging.ts'

interface TokenFrame {
  readonly name: string
  readonly networks: readonly string[] | null
  readonly lifetimeMs: number
}
export interface NewToken extends TokenFrame, RoleNames, Scope {}

/** The token that a new one replaces. */
interface Replaced {
  readonly id: string
  readonly line: string
  readonly refreshesUsedUntil: Date
}

export interface IssuedToken {
  readonly row: TokenRow
  /** Shown once, stored nowhere. */
  readonly token: string
}

/**
 * What denies its maker something denies it to the token, too. Throws `role_unknown`,
 * `role_not_for_tokens`, `grant_exceeds_own`, `network_malformed`, `handed_out_too_many`.
 */
export async function createToken(
  tx: WriteTx,
  ports: Pick<Ports, 'random'>,
  actor: Current,
  wanted: NewToken,
  now: Date,
): Promise<IssuedToken> {
  requireRoleOfTokens(wanted.role)
  const own = grantOf(actor)
  const grant = await readGrant(tx, {
    ...wanted,
    deniedBy: [...wanted.deniedBy, ...own.deniedBy],
  })
  checkGrant(own, grant)
  checkNetworks(actor, wanted.networks)
  const holder = holderBehind(actor)
  await requireRoomForToken(tx, holder, now)
  return issueToken(tx, ports, { ...wanted, ...grant, createdBy: actor.id, holder }, now)
}

/** Throws `handed_out_too_many`. */
export async function requireRoomForToken(tx: ReadTx, holder: string, now: Date): Promise<void> {
  requireRoomFor('tokens', await db.countWorkingTokens(tx, holder, now))
}

/**
 * Guards where a token may be used from: nowhere that its maker may not be. Throws
 * `network_malformed`, `grant_exceeds_own`.
 */
function checkNetworks(actor: Actor, wanted: readonly string[] | null): void {
  const malformed = wanted?.find((text) => !isNetwork(text))
  if (malformed !== undefined) {
    throw new Refusal<ServerRefusal>(
      'network_malformed',
      `${malformed} is no network: write its first address and the length of its prefix, such as 192.0.2.0/24, or one address`,
    )
  }
  const own = actor.kind === 'token' ? actor.token.networks : null
  if (coversNetworks(own, wanted)) return
  throw new Refusal<AccessRefusal>(
    'grant_exceeds_own',
    `the token of this request works from ${own!.join(', ')} only: give networks within these`,
  )
}

/**
 * Issues a token without any check: the first start gives the first one to whoever reads its
 * output.
 */
export async function issueToken(
  tx: WriteTx,
  { random }: Pick<Ports, 'random'>,
  wanted: TokenFrame & Grant & { createdBy: string; holder: string; replaces?: Replaced },
  now: Date,
): Promise<IssuedToken> {
  const id = newId('token', now, random)
  const credential = createCredential('token', id, random)
  const row: TokenRow = {
    id,
    name: wanted.name,
    role: wanted.role,
    deniedBy: wanted.deniedBy,
    customRoles: wanted.customRoles,
    products: wanted.products,
    fleets: wanted.fleets,
    networks: wanted.networks,
    secretSha256: credential.secretSha256,
    createdAt: now,
    createdBy: wanted.createdBy,
    expiresAt: new Date(now.getTime() + wanted.lifetimeMs),
    lastUsedAt: null,
    revokedAt: null,
    refreshedFrom: wanted.replaces?.id ?? null,
    line: wanted.replaces?.line ?? id,
    holder: wanted.holder,
    refreshesUsedUntil: wanted.replaces?.refreshesUsedUntil ?? null,
  }
  await insertToken(tx, row)
  return { row, token: credential.text }
}

/**
 * A token may be refreshed a few times at once, as after it was shown by mistake, and then once an
 * hour: each time makes a row and an entry of the log, and the least role may do it. The new token
 * inherits what is left of the allowance.
 */
const refreshes: Allowance = { burst: 4, everyMs: hourMs }

/** Answers what the line has spent after one more refresh. Throws `refreshes_too_often`. */
function requireRefreshable(token: TokenRow, now: Date): Date {
  const spending = spend(token.refreshesUsedUntil?.getTime() ?? 0, refreshes, now.getTime())
  if (spending.isAllowed) return new Date(spending.usedUntilMs)
  const seconds = Math.ceil(spending.waitMs / secondMs)
  throw new TooOftenRefusal<ServerRefusal>(
    'refreshes_too_often',
    `the token was refreshed too often: it can be refreshed again from ${formatInstant(new Date(now.getTime() + spending.waitMs))}; until then it works as it is`,
    seconds,
  )
}

/** Throws `refreshes_too_often` where `refreshToken` would. */
export async function checkRefresh(tx: ReadTx, actor: Actor): Promise<void> {
  if (actor.kind === 'token') requireRefreshable(actor.token, await readClock(tx))
}

/**
 * Issues a token with the same rights for the same length of time; the old token ends at once.
 * Throws `refreshes_too_often`.
 */
export async function refreshToken(
  tx: RightsTx,
  ports: Pick<Ports, 'random'>,
  actor: Current,
  now: Date,
): Promise<IssuedToken> {
  if (actor.kind !== 'token') {
    throw new Refusal<AccessRefusal>('permission_denied', 'only a token can be refreshed')
  }
  const { token } = actor
  const refreshesUsedUntil = requireRefreshable(token, now)
  if (!(await revokeToken(tx, token.id, now))) throw notFound()
  const lifetimeMs = token.expiresAt.getTime() - token.createdAt.getTime()
  const replaces = { id: token.id, line: token.line, refreshesUsedUntil }
  return issueToken(tx, ports, { ...token, createdBy: token.id, replaces, lifetimeMs }, now)
}

/** Throws `token_not_found`, `out_of_scope`. */
export async function showToken(
  tx: ReadTx,
  actor: Actor,
  tokenId: string,
  now: Date,
): Promise<TokenFacts> {
  const token = await getToken(tx, tokenId)
  if (token === undefined) throw notFound()
  if (!coversScope(grantOf(actor), token)) {
    throw new Refusal<AccessRefusal>(
      'out_of_scope',
      `${tokenId} reaches products or fleets that the token of this request does not reach`,
    )
  }
  return {
    ...viewToken(token),
    state: token.revokedAt !== null ? 'revoked' : token.expiresAt <= now ? 'expired' : 'valid',
    revokedAt: instantOrNull(token.revokedAt),
    holder: await getTokenHolder(tx, tokenId),
  }
}

/**
 * Revokes a token with all that it has handed out; only an actor that may grant it may revoke it.
 * Throws `token_not_found`, `out_of_scope`.
 */
export async function endToken(
  tx: RightsTx,
  actor: Current,
  tokenId: string,
  now: Date,
): Promise<{ ended: EndedWithMaker; stays: Awaited<ReturnType<typeof listStaying>> }> {
  const token = await getToken(tx, tokenId)
  if (token === undefined) throw notFound()
  if (!coversGrant(grantOf(actor), token)) {
    throw new Refusal<AccessRefusal>(
      'out_of_scope',
      `${tokenId} reaches further than the token of this request: only somebody who could give it may revoke it`,
    )
  }
  if (!(await revokeToken(tx, tokenId, now))) throw notFound()
  const ended = await endHandedOut(tx, tokenId, null, now)
  return { ended, stays: await listStaying(tx, tokenId, now) }
}

function notFound(): Refusal<ServerRefusal> {
  return new Refusal<ServerRefusal>('token_not_found', 'no such token, or it was revoked before')
}

export function viewToken(row: TokenRow): TokenView {
  return {
    id: row.id,
    name: row.name,
    role: row.role,
    deniedBy: [...row.deniedBy],
    ...copyScope(row),
    networks: row.networks === null ? null : [...row.networks],
    createdAt: formatInstant(row.createdAt),
    createdBy: row.createdBy,
    expiresAt: formatInstant(row.expiresAt),
    lastUsedAt: instantOrNull(row.lastUsedAt),
  }
}

/** Lists the tokens that still work and reach no further than the actor, by id. */
export async function listTokens(
  tx: ReadTx,
  actor: Actor,
  query: PageQuery,
  now: Date,
): Promise<Page<TokenView>> {
  const { products, fleets } = grantOf(actor)
  return listById(query, (part) => db.listTokens(tx, { ...part, now, products, fleets }), viewToken)
}
