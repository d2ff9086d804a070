/** Which identity providers people may sign in by, and what their groups give. Owners decide. */
import type { IdentityProviderView } from '@seaworthy/api/identity-providers'
import { needsPasskey } from '@seaworthy/fleet/access'
import { utf8Decode, utf8Encode } from '@seaworthy/std/bytes'
import { Refusal } from '@seaworthy/std/refusal'
import { formatInstant } from '@seaworthy/std/time'
import { X509Certificate } from 'node:crypto'
import type { ReadTx } from '../../db/connection.ts'
import * as db from '../../db/identity-providers.ts'
import type { GroupGrant, IdentityProviderRow } from '../../db/identity-providers.ts'
import type { RightsTx } from '../../db/rights.ts'
import { endSessionsBegunBy } from '../../db/sessions.ts'
import type { Actor, Current } from '../access/index.ts'
import type { App } from '../app.ts'
import type { PersonRefusal } from '../refusals.ts'
import { readPersonGrant } from './people.ts'
import { passkeyRoles } from './sign-in-policy.ts'

const providersMax = 20

/**
 * The page to which providers send people back: one address for each, so that what one of them
 * sends is not taken for what another one does (RFC 9700, 4.4).
 */
const returnPath = '/sign-in-return'
export const redirectUriOf = (origin: string, provider: string) =>
  `${origin}${returnPath}/${provider}`

/** What is sealed is bound to its row, so that swapping two rows opens nothing. */
function sealSecret({ masterKey }: Pick<App, 'masterKey'>, name: string, secret: string) {
  return masterKey.seal('client-secret', 1, utf8Encode(`${name} ${secret}`))
}

export function openSecret(
  { masterKey }: Pick<App, 'masterKey'>,
  { name, clientSecretSealed }: IdentityProviderRow,
): string | null {
  if (clientSecretSealed === null) return null
  const text = utf8Decode(masterKey.open('client-secret', 1, clientSecretSealed))
  if (!text.startsWith(`${name} `))
    throw new Error('a client secret is stored with another provider')
  return text.slice(name.length + 1)
}

export async function listProviders(tx: ReadTx): Promise<IdentityProviderRow[]> {
  return db.listIdentityProviders(tx)
}

/** Throws `provider_not_found`. */
export async function findProvider(tx: ReadTx, name: string): Promise<IdentityProviderRow> {
  const row = await db.getIdentityProvider(tx, name)
  if (row !== undefined) return row
  throw new Refusal<PersonRefusal>(
    'provider_not_found',
    'there is no identity provider of that name here: reload the page',
  )
}

interface WantedProvider {
  readonly kind?: IdentityProviderRow['kind'] | undefined
  readonly title: string
  readonly issuer: string
  readonly clientId: string
  readonly clientSecret?: string | null | undefined
  readonly caPem?: string | null | undefined
  readonly groupsClaim?: string | null | undefined
  readonly grants?:
    | readonly {
        readonly group: string
        readonly role: string
        readonly products?: readonly string[] | undefined
        readonly fleets?: readonly string[] | undefined
      }[]
    | undefined
}

interface JudgedProvider {
  readonly row: IdentityProviderRow
  /** The provider as it was known when it was asked. */
  readonly known: IdentityProviderRow | undefined
}

/**
 * The provider as it would be, which has answered just now. What is left out stays as it was.
 * Throws `provider_issuer_fixed`, `provider_unreachable`, `provider_unusable`,
 * `provider_answer_wrong`.
 */
export async function judgeProvider(
  app: Pick<App, 'db' | 'masterKey' | 'identityProviders' | 'clock'>,
  actor: Actor,
  name: string,
  wanted: WantedProvider,
): Promise<JudgedProvider> {
  const before = await db.getIdentityProvider(app.db.reader, name)
  const kind = wanted.kind ?? before?.kind ?? 'oidc'
  requireIssuer(before, { kind, issuer: wanted.issuer })
  const { clientSecret, caPem, groupsClaim, grants } = wanted
  requireCertificates(caPem ?? null)
  const now = app.clock.now()
  const row: IdentityProviderRow = {
    ...{ name, kind, title: wanted.title, issuer: wanted.issuer, clientId: wanted.clientId },
    clientSecretSealed:
      clientSecret === undefined
        ? (before?.clientSecretSealed ?? null)
        : clientSecret === null
          ? null
          : sealSecret(app, name, clientSecret),
    caPem: caPem === undefined ? (before?.caPem ?? null) : caPem,
    groupsClaim: groupsClaim === undefined ? (before?.groupsClaim ?? null) : groupsClaim,
    grants: grants === undefined ? (before?.grants ?? []) : grants.map(readGroupGrant),
    createdAt: before?.createdAt ?? now,
    changedAt: now,
    changedBy: actor.id,
  }
  await app.identityProviders.check(row, openSecret(app, row))
  return { row, known: before }
}

function readGroupGrant(grant: NonNullable<WantedProvider['grants']>[number]): GroupGrant {
  const { group, role, products = null, fleets = null } = grant
  return { group, role, products, fleets }
}

/** Throws `provider_issuer_fixed`: accounts are known by the names that the issuer gave them. */
function requireIssuer(
  before: IdentityProviderRow | undefined,
  { kind, issuer }: Pick<IdentityProviderRow, 'kind' | 'issuer'>,
): void {
  if (before === undefined || (before.issuer === issuer && before.kind === kind)) return
  throw new Refusal<PersonRefusal>(
    'provider_issuer_fixed',
    `${before.name} is ${before.issuer}, and accounts there are linked: add the other one under another name, or remove this one first`,
  )
}

/** Throws `provider_unusable`. */
function requireCertificates(caPem: string | null): void {
  if (caPem === null) return
  try {
    new X509Certificate(caPem)
  } catch (cause) {
    throw new Refusal<PersonRefusal>(
      'provider_unusable',
      'the CA certificate cannot be read: give it as PEM, from -----BEGIN CERTIFICATE----- on',
      { cause },
    )
  }
}

/**
 * Throws `role_unknown`, `grant_exceeds_own`, `owner_scoped`, `provider_scope_wrong`,
 * `providers_too_many`, `provider_issuer_fixed`, `provider_changed`.
 */
export async function setProvider(
  tx: RightsTx,
  actor: Current,
  { row: judged, known }: JudgedProvider,
): Promise<IdentityProviderRow> {
  const needPasskeys = await passkeyRoles(tx)
  let heavy: GroupGrant | undefined
  for (const group of judged.grants) {
    const grant = await readPersonGrant(tx, actor, { ...group, deniedBy: [] })
    if (needsPasskey(needPasskeys, grant)) heavy ??= group
  }
  if (heavy !== undefined) {
    throw new Refusal<PersonRefusal>(
      'provider_scope_wrong',
      `the group ${heavy.group} cannot give the role ${heavy.role}, which needs a passkey: give another role, or invite the person`,
    )
  }
  const others = (await db.listIdentityProviders(tx)).filter(({ name }) => name !== judged.name)
  if (others.length >= providersMax) {
    throw new Refusal<PersonRefusal>(
      'providers_too_many',
      `there are ${others.length} identity providers already, and no more may be: remove one first`,
    )
  }
  const before = await db.getIdentityProvider(tx, judged.name)
  requireIssuer(before, judged)
  // What is left out of a change stays as it was read before the provider was asked.
  if (before?.changedAt.getTime() !== known?.changedAt.getTime()) {
    throw new Refusal<PersonRefusal>(
      'provider_changed',
      'somebody changed this identity provider meanwhile: look at it again, then repeat the change',
    )
  }
  const row = { ...judged, changedAt: await tx.now() }
  await db.writeIdentityProvider(tx, row)
  return row
}

/** Throws `provider_not_found`. */
export async function removeProvider(
  tx: RightsTx,
  name: string,
): Promise<{ unlinked: number; endedSessions: number }> {
  await findProvider(tx, name)
  const now = await tx.now()
  const people = await db.listPeopleOf(tx, name)
  let endedSessions = 0
  for (const personId of people) {
    endedSessions += await endSessionsBegunBy(tx, ['provider'], { personId }, now)
  }
  await db.deleteIdentityProvider(tx, name)
  return { unlinked: people.length, endedSessions }
}

export function viewProvider(row: IdentityProviderRow, origin: string): IdentityProviderView {
  return {
    name: row.name,
    kind: row.kind,
    title: row.title,
    issuer: row.issuer,
    clientId: row.clientId,
    hasClientSecret: row.clientSecretSealed !== null,
    caPem: row.caPem,
    groupsClaim: row.groupsClaim,
    grants: row.grants.map(({ group, role, products, fleets }) => ({
      ...{ group, role },
      products: products === null ? null : [...products],
      fleets: fleets === null ? null : [...fleets],
    })),
    redirectUri: redirectUriOf(origin, row.name),
    createdAt: formatInstant(row.createdAt),
    changedAt: formatInstant(row.changedAt),
    changedBy: row.changedBy,
  }
}
