/** Turns what somebody wants signed into a proposal on current metadata. */
import { refusalAs } from '@seaworthy/std/refusal'
import { formatInstant } from '@seaworthy/std/time'
import { keyId } from '../keys/public-key.ts'
import type { JsonObject } from './json.ts'
import { counterMax, counterStepMax } from './lint.ts'
import { expiryOf } from './lifetimes.ts'
import type { RoleType, TargetsSigned } from './metadata.ts'
import { topLevelRoles } from './metadata.ts'
import { channelRole, delegatorOf, releasePath, roleKindOf } from './names.ts'
import { proposalFormat, ringAfter, sha256Hex } from './proposal.ts'
import type {
  CurrentMetadata,
  Proposal,
  ProposalDocument,
  ProposalIntent,
  ProposalRefusal,
  PublishedContent,
} from './proposal.ts'
import { channelMarks } from './release.ts'
import {
  addRelease,
  authorityOf,
  buildRoot,
  buildTargets,
  changeRoot,
  delegateRole,
  renewRole,
  restartMarks,
  retireRole,
  withdrawRelease,
} from './repository.ts'
import type { RoleAuthority } from './repository.ts'
import { findSigners } from './threshold.ts'
import { isSameHolders } from './version-marks.ts'

/**
 * Carries out an intent on verified current metadata. Throws `intent_impossible` when it cannot be:
 * the result still has to pass `checkProposal` like any other.
 */
export async function buildProposal(
  intent: ProposalIntent,
  current: CurrentMetadata,
  input: { readonly id: string; readonly now: Date; readonly evidence?: JsonObject },
): Promise<Proposal> {
  const documents = await carryOut(intent, current, input.now)
  const base: Record<string, { version: number; sha256: string }> = {}
  for (const { role } of documents) {
    const replaced = role === 'root' ? current.root : current.roles.get(role)
    if (!replaced) continue
    base[role] = { version: replaced.signed.version, sha256: await sha256Hex(replaced.bytes) }
  }
  return {
    format: proposalFormat,
    id: input.id,
    title: titleOf(intent),
    kind: intent.kind,
    createdAt: formatInstant(input.now),
    base,
    documents,
    intent,
    evidence: input.evidence ?? {},
  }
}

/**
 * The same intent on current metadata. All signatures are gone: nobody has signed the new content.
 */
export function rebaseProposal(
  proposal: Proposal,
  current: CurrentMetadata,
  now: Date,
): Promise<Proposal> {
  const { id, evidence } = proposal
  return buildProposal(proposal.intent, current, { id, now, evidence })
}

/** The title of every proposal that publishes this release. */
export function publicationTitle({
  product,
  channel,
  version,
}: Pick<PublishedContent, 'product' | 'channel' | 'version'>): string {
  return `Publish ${product} ${version} on ${channel}`
}

function titleOf(intent: ProposalIntent): string {
  switch (intent.kind) {
    case 'trust-init':
      return 'Create the trust root'
    case 'product-create':
      return `Create product ${intent.product}`
    case 'channel-create':
      return `Create channel ${intent.channel} of ${intent.product}`
    case 'product-retire':
      return `Retire product ${intent.product}`
    case 'channel-retire':
      return `Retire channel ${intent.channel} of ${intent.product}`
    case 'publish':
      return publicationTitle(intent.content)
    case 'withdraw':
      return `Withdraw ${intent.product} ${intent.version} from ${intent.channel}`
    case 'rotate':
      return intent.restart === undefined
        ? `Change the keys of ${intent.role}`
        : `Change the keys of ${intent.role} and restart its marks`
    case 'renew':
      return `Renew ${intent.roles.join(', ')}`.slice(0, 200)
  }
}

const impossible = refusalAs<ProposalRefusal>('intent_impossible')

async function carryOut(
  intent: ProposalIntent,
  current: CurrentMetadata,
  now: Date,
): Promise<ProposalDocument[]> {
  const roleNow = (role: string): TargetsSigned => {
    const metadata = current.roles.get(role)
    if (!metadata) throw impossible(`there is no role ${role}`)
    return metadata.signed
  }
  const requireNew = (role: string) => {
    const isDelegated = ringAfter(role, [], current) !== undefined
    if (isDelegated || current.roles.has(role)) throw impossible(`${role} exists already`)
    if (isRetired(role, current)) {
      throw impossible(
        `${role} was retired, and its name never comes back: a device could take the new for the old; choose another name`,
      )
    }
  }
  switch (intent.kind) {
    case 'trust-init': {
      if (current.root) throw impossible('there is a root already')
      const root = await buildRoot({ expiresAt: expiryOf('root', now), roles: intent.roles })
      return [unsigned('root', root), unsigned('targets', buildTargets(expiryOf('targets', now)))]
    }
    case 'product-create': {
      const { product: role, authority } = intent
      requireNew(role)
      const expiresAt = expiryOf('targets', now)
      return [
        unsigned('targets', await delegateRole(roleNow('targets'), { role, authority, expiresAt })),
        unsigned(role, buildTargets(expiryOf(role, now))),
      ]
    }
    case 'channel-create': {
      const { product, authority } = intent
      const role = channelRole(product, intent.channel)
      requireNew(role)
      const expiresAt = expiryOf(product, now)
      return [
        unsigned(product, await delegateRole(roleNow(product), { role, authority, expiresAt })),
        unsigned(role, buildTargets(expiryOf(role, now))),
      ]
    }
    case 'product-retire':
      return [await retire(intent.product, 'targets', current, now)]
    case 'channel-retire': {
      const { product, channel } = intent
      return [await retire(channelRole(product, channel), product, current, now)]
    }
    case 'publish': {
      const { product, channel, version, floor } = intent.content
      const role = channelRole(product, channel)
      const before = roleNow(role)
      if (Object.hasOwn(before.targets, releasePath(product, channel, version))) {
        throw impossible(`${version} is on ${channel} already`)
      }
      const highest = highestCounter(product, current)
      if (highest - channelMarks(before).counterHighest > counterStepMax) {
        throw impossible(
          `another channel of ${product} has the counter ${highest}, which no product reaches: look for stolen keys, and restart that channel's marks`,
        )
      }
      if (highest >= counterMax) {
        throw impossible(
          `${product} has come to the counter ${highest}, and no release can follow one beyond ${counterMax}: look for stolen keys, and restart the marks of ${role} together with its keys`,
        )
      }
      const counter = highest + 1
      const release = {
        ...intent.content,
        counter,
        floor: floor === 0 ? Math.max(1, channelMarks(before).floorHighest) : floor,
        releasedAt: now,
      }
      return [unsigned(role, addRelease(before, release, expiryOf(role, now)))]
    }
    case 'withdraw': {
      const role = channelRole(intent.product, intent.channel)
      const path = releasePath(intent.product, intent.channel, intent.version)
      const before = roleNow(role)
      if (!Object.hasOwn(before.targets, path)) throw impossible(`${path} is not published`)
      return [unsigned(role, withdrawRelease(before, path, expiryOf(role, now)))]
    }
    case 'rotate':
      return rotate(intent, current, now)
    case 'renew':
      return intent.roles.map((role) => {
        const signed = role === 'root' ? current.root?.signed : roleNow(role)
        if (!signed) throw impossible('there is no root')
        return unsigned(role, renewRole(signed, expiryOf(role, now)))
      })
  }
}

function unsigned(role: string, signed: ProposalDocument['signed']): ProposalDocument {
  return { role, signed, signatures: [] }
}

/** Whether its delegator has signed that the role has ended for good. */
function isRetired(role: string, current: CurrentMetadata): boolean {
  const delegator = current.roles.get(delegatorOf(role) ?? '')?.signed
  return delegator?.seaworthy?.retired?.includes(role) === true
}

async function retire(
  role: string,
  delegator: string,
  current: CurrentMetadata,
  now: Date,
): Promise<ProposalDocument> {
  const before = current.roles.get(delegator)?.signed
  if (isRetired(role, current)) throw impossible(`${role} was retired already`)
  if (!before || !ringAfter(role, [], current)) throw impossible(`there is no role ${role}`)
  const below = current.roles.get(role)?.signed.delegations?.roles ?? []
  for (const name of [role, ...below.map((delegated) => delegated.name)]) {
    // What ends binds those that stay, and a signer is told of it: nobody may leave it out.
    if (!current.roles.has(name)) throw impossible(`the counters of ${name} cannot be seen`)
  }
  const channel = roleKindOf(role)?.kind === 'channel' ? current.roles.get(role)?.signed : undefined
  const { counterHighest } = channel ? channelMarks(channel) : { counterHighest: 0 }
  if (counterHighest > counterStepMax) {
    throw impossible(
      `${role} has the counter ${counterHighest}, which no product reaches, and it would bind every other channel: look for stolen keys, and restart the marks of ${role} first`,
    )
  }
  const expiresAt = expiryOf(delegator, now)
  return unsigned(delegator, await retireRole(before, { role, counterHighest }, expiresAt))
}

/** The highest counter ever listed on any channel of the product, retired ones included; or 0. */
export function highestCounter(product: string, current: CurrentMetadata): number {
  let highest = 0
  for (const [role, { signed }] of current.roles) {
    const kind = roleKindOf(role)
    const isOurs = kind?.kind === 'channel' || kind?.kind === 'product'
    if (!isOurs || kind.product !== product) continue
    highest = Math.max(highest, channelMarks(signed).counterHighest)
  }
  return highest
}

async function rotate(
  { role, authority, restart }: ProposalIntent & { readonly kind: 'rotate' },
  current: CurrentMetadata,
  now: Date,
): Promise<ProposalDocument[]> {
  const delegator = role === 'root' ? 'root' : delegatorOf(role)
  const documents: ProposalDocument[] = []
  if (delegator === 'root') {
    if (!current.root) throw impossible('there is no root')
    const roles = { [role]: authority }
    const expiresAt = expiryOf('root', now)
    documents.push(unsigned('root', await changeRoot(current.root.signed, { expiresAt, roles })))
  } else {
    const before = delegator === undefined ? undefined : current.roles.get(delegator)?.signed
    if (!before || delegator === undefined || !ringAfter(role, [], current)) {
      throw impossible(`there is no role ${role}`)
    }
    const expiresAt = expiryOf(delegator, now)
    documents.push(unsigned(delegator, await delegateRole(before, { role, authority, expiresAt })))
  }
  const metadata = current.roles.get(role)
  const ring = ringAfter(role, documents, current)
  if (restart !== undefined) {
    const before = ringAfter(role, [], current)
    if (roleKindOf(role)?.kind !== 'channel' || !metadata || !before || !ring) {
      throw impossible(`${role} is no channel, and only the marks of a channel are restarted`)
    }
    if (await isSameHolders(before, ring)) {
      throw impossible(
        `${role} keeps as many of its keys as a threshold asks for, so its marks stay: replace them all`,
      )
    }
    const was = channelMarks(metadata.signed)
    const isLower =
      restart.counterHighest <= was.counterHighest &&
      restart.floorHighest <= was.floorHighest &&
      restart.floorHighest <= restart.counterHighest
    if (!isLower) {
      throw impossible(
        `the marks of ${role} are counter ${was.counterHighest} and floor ${was.floorHighest}; a restart lowers them, and no floor is above its counter`,
      )
    }
    const expiresAt = expiryOf(role, now)
    documents.push(unsigned(role, restartMarks(metadata.signed, restart, expiresAt)))
    return documents
  }
  if (metadata && ring) {
    const { signedBytes, signatures } = metadata
    const remaining = await findSigners(ring, signedBytes, signatures)
    if (remaining.length < ring.role.threshold) {
      documents.push(unsigned(role, renewRole(metadata.signed, expiryOf(role, now))))
    }
  }
  return documents
}

/**
 * The keys that speak for `role` now, for `--add` and `--remove`; `undefined` when there is no such
 * role.
 */
export function currentAuthority(
  role: string,
  current: CurrentMetadata,
): RoleAuthority | undefined {
  const { root } = current
  if ((topLevelRoles as readonly string[]).includes(role)) {
    return root && authorityOf(root.signed.keys, root.signed.roles[role as RoleType])
  }
  const ring = ringAfter(role, [], current)
  return ring && authorityOf(ring.keys, ring.role)
}

/**
 * The authority with some keys added and some removed. Throws `intent_impossible` where that makes
 * no sense.
 */
export async function changeAuthority(
  authority: RoleAuthority,
  change: {
    readonly add: RoleAuthority['keys']
    /** Key ids. */
    readonly remove: readonly string[]
    readonly threshold?: number
  },
): Promise<RoleAuthority> {
  const keys = new Map<string, RoleAuthority['keys'][number]>()
  for (const key of authority.keys) keys.set(await keyId(key), key)
  for (const id of change.remove) {
    if (!keys.delete(id)) throw impossible(`the key ${id} is not among the role's keys`)
  }
  for (const key of change.add) {
    const id = await keyId(key)
    if (keys.has(id)) throw impossible(`the key ${id} is among the role's keys already`)
    keys.set(id, key)
  }
  const threshold = change.threshold ?? authority.threshold
  if (threshold < 1 || threshold > keys.size) {
    throw impossible(`a threshold of ${threshold} with ${keys.size} keys`)
  }
  return { keys: [...keys.values()], threshold }
}
