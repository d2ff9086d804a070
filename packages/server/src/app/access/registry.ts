/**
 * Who may do what in the registry, the tokens its clients trade their credentials for, and what
 * changed there.
 */
import { permissionsOf, reachesProduct, reachesWholeProduct } from '@seaworthy/fleet/access'
import type { Spending } from '@seaworthy/std/allowance'
import { minuteMs } from '@seaworthy/std/time'
import { appendAudit } from '../../db/audit-log.ts'
import { getDevice } from '../../db/devices.ts'
import { getFleet } from '../../db/fleets.ts'
import { deleteRecordedPushes, isRecordedPush, setRecordedPush } from '../../db/recorded-pushes.ts'
import { getToken } from '../../db/tokens.ts'
import type { Actor } from './actors.ts'
import type { App } from '../app.ts'
import { openToken, registryAudience, signToken, tokenBytesMax } from './device-tokens.ts'
import type { Caller } from './identify.ts'
import { hasCredentialEnded } from './credentials.ts'
import { identify, requireNetwork } from './identify.ts'

type Deps = Pick<
  App,
  | 'budgets'
  | 'callerLog'
  | 'db'
  | 'readDeviceToken'
  | 'removedDevices'
  | 'secrets'
  | 'stoppedDevices'
>

const tokenLifetimeMs = 5 * minuteMs

type Action = 'pull' | 'push' | 'delete'

export type RegistryDecision =
  | { readonly kind: 'allowed'; readonly actor: Actor }
  /** The credential is nobody's. */
  | { readonly kind: 'unknown' }
  /** The token was not traded for this: its holder may ask for another. */
  | { readonly kind: 'not_asked' }
  | { readonly kind: 'denied' }

/**
 * Decides whether the holder of a credential may do something in a repository or, without a
 * repository, use the registry at all.
 */
export async function decideRegistryAccess(
  app: Deps,
  bearer: string,
  access: { repository: string; action: Action } | { repository: null },
  caller: Caller,
): Promise<RegistryDecision> {
  const traded = openToken(app.secrets.registryTokenKey, registryAudience, bearer, caller.now)
  const actor =
    traded === undefined
      ? await identify(app, bearer, caller)
      : await findHolder(app, traded['sub'], caller)
  if (actor === undefined) return { kind: 'unknown' }
  if (access.repository === null) return { kind: 'allowed', actor }
  // A traded token has at most what was asked for when it was traded, and never more than its
  // holder has now.
  const answer = traded && answerOf(traded['access'], access.repository, access.action)
  if (answer === 'denied' || answer === 'not_asked') return { kind: answer }
  return (await mayUse(app, actor, access.repository, access.action))
    ? { kind: 'allowed', actor }
    : { kind: 'denied' }
}

export type TradeResult =
  | {
      readonly kind: 'issued'
      readonly token: { token: string; expiresInSeconds: number; issuedAt: Date }
    }
  /** The credential is nobody's. */
  | { readonly kind: 'unknown' }
  /** A token for that many scopes would be longer than `tokenBytesMax`. */
  | { readonly kind: 'too_long'; readonly bytes: number; readonly bytesMax: number }

/** Issues a short-lived token for those scopes that the credential allows. */
export async function tradeCredential(
  app: Deps,
  secret: string,
  scopes: readonly { repository: string; actions: readonly Action[] }[],
  caller: Caller,
): Promise<TradeResult> {
  const { now } = caller
  const actor = await identify(app, secret, caller)
  if (actor === undefined) return { kind: 'unknown' }
  const access = []
  for (const { repository, actions: asked } of scopes) {
    const actions: Action[] = []
    const denied: Action[] = []
    for (const action of asked) {
      const isAllowed = await mayUse(app, actor, repository, action)
      ;(isAllowed ? actions : denied).push(action)
    }
    access.push({ repository, actions, denied })
  }
  const exp = Math.floor((now.getTime() + tokenLifetimeMs) / 1000)
  const token = signToken(app.secrets.registryTokenKey, registryAudience, {
    sub: actor.id,
    access,
    exp,
  })
  if (token.length > tokenBytesMax) {
    return { kind: 'too_long', bytes: token.length, bytesMax: tokenBytesMax }
  }
  return {
    kind: 'issued',
    token: { token, expiresInSeconds: tokenLifetimeMs / 1000, issuedAt: now },
  }
}

/**
 * What was answered for this action when the token was traded. A client that was denied it need not
 * ask again.
 */
function answerOf(granted: unknown, repository: string, action: Action) {
  const entries = Array.isArray(granted)
    ? (granted as { repository?: unknown; actions?: unknown; denied?: unknown }[])
    : []
  const lists = (actions: unknown) => Array.isArray(actions) && actions.includes(action)
  const ofRepository = entries.filter((entry) => entry.repository === repository)
  if (ofRepository.some(({ actions }) => lists(actions))) return 'granted'
  return ofRepository.some(({ denied }) => lists(denied)) ? 'denied' : 'not_asked'
}

/** The holder of a traded token, if the credential it was traded for still stands. */
async function findHolder(
  app: Deps,
  id: unknown,
  { address, now }: Caller,
): Promise<Actor | undefined> {
  if (typeof id !== 'string') return undefined
  if (id.startsWith('device_')) {
    const isGone = app.removedDevices.has(id) || app.stoppedDevices.has(id)
    return isGone ? undefined : { kind: 'device', id }
  }
  const token = await getToken(app.db.reader, id)
  if (token === undefined || hasCredentialEnded(token, now)) return undefined
  await requireNetwork(app, token, address)
  return { kind: 'token', id, token }
}

/**
 * A token pushes and pulls within its role and scope, and a push needs the whole product; a device
 * pulls only from the repository of its own fleet's product (V4).
 */
async function mayUse(
  app: Pick<App, 'db'>,
  actor: Actor,
  repository: string,
  action: Action,
): Promise<boolean> {
  switch (actor.kind) {
    case 'token':
      return (
        permissionsOf(actor.token).includes(`registry:${action}`) &&
        (action === 'pull' ? reachesProduct : reachesWholeProduct)(actor.token, repository)
      )
    case 'device': {
      if (action !== 'pull') return false
      const device = await getDevice(app.db.reader, actor.id)
      const fleet = device && (await getFleet(app.db.reader, device.fleet))
      return fleet?.product === repository
    }
    case 'person':
    // Browsers do not use the registry, whose clients send no cookies.
    case 'provisioning-key':
    case 'anonymous':
      return false
  }
}

/**
 * Spends one of the changes that one line of tokens may make: each is an entry of the log that all
 * share, and a tag can be moved back and forth for ever. A whole registry may be copied at once; a
 * day of builds that all push something new comes nowhere near.
 */
export async function spendRegistryChange(
  { budgets }: Pick<App, 'budgets'>,
  actor: Actor,
): Promise<Spending> {
  return budgets.spend('registry-changes', spenderOf(actor))
}

/** Whose budget an actor spends: tokens that were refreshed spend that of their whole line. */
export function spenderOf(actor: Actor): string {
  return actor.kind === 'token' ? actor.token.line : actor.id
}

const changeActions = {
  manifest_put: 'registry.push',
  manifest_deleted: 'registry.delete-manifest',
  tag_deleted: 'registry.delete-tag',
  blob_deleted: 'registry.delete-blob',
} as const

export interface RegistryChange {
  readonly kind: keyof typeof changeActions
  readonly actor: Actor
  readonly repository: string
  /** The digest of what changed, a tag, or both for a push by tag. */
  readonly facts: { readonly digest: string; readonly tag?: string } | { readonly tag: string }
  /** A push after which the store is as it was. */
  readonly isRepeated?: boolean
}

/**
 * Writes an entry of the audit log with all of the facts. A repeated push that changed nothing gets
 * no second entry; one whose first entry could not be written gets it then.
 */
export async function recordRegistryChange(
  app: Pick<App, 'db'>,
  change: RegistryChange,
): Promise<void> {
  const { kind, actor, repository, facts, isRepeated = false } = change
  const subject = 'digest' in facts ? `${repository}@${facts.digest}` : `${repository}:${facts.tag}`
  const push =
    kind === 'manifest_put' && 'digest' in facts
      ? { repository, tag: facts.tag, digest: facts.digest }
      : undefined
  if (push !== undefined && isRepeated && (await isRecordedPush(app.db.reader, push))) return
  await app.db.write(async (tx) => {
    if (push !== undefined) await setRecordedPush(tx, push)
    else await deleteRecordedPushes(tx, { repository, ...facts })
    await appendAudit(tx, {
      actor: actor.id,
      action: changeActions[kind],
      subject,
      outcome: 'done',
      detail: { repository, ...facts },
    })
  })
}
