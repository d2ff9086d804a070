/**
 * Proposals: new metadata that waits for offline signatures, as one value that says what it is
 * based on and what was asked for.
 */
import { hexEncode } from '@seaworthy/std/bytes'
import { findKeyRing } from './delegations.ts'
import type { JsonObject } from './json.ts'
import type {
  ChannelMarks,
  Envelope,
  Metadata,
  RootSigned,
  RoleType,
  TargetsSigned,
  TufSignature,
} from './metadata.ts'
import { delegatorOf } from './names.ts'
import { parseMetadata } from './parse-metadata.ts'
import type { ReleaseKind } from './release.ts'
import type { RoleAuthority } from './repository.ts'
import type { KeyRing } from './threshold.ts'

export type ProposalRefusal =
  | 'proposal_malformed'
  /** Based on metadata that is no longer current: rebase it. */
  | 'proposal_outdated'
  /** The proposal breaks a rule that every signer checks on its own. */
  | 'proposal_refused'
  /** Signatures are missing. */
  | 'proposal_incomplete'
  /** The key speaks for none of the proposal's roles. */
  | 'key_not_authorised'
  /** A signature that is not by its key, or not over this proposal. */
  | 'signature_invalid'
  /**
   * What was asked for cannot be proposed: a product that does not exist, or a name that is not
   * allowed.
   */
  | 'intent_impossible'

/** A release as the publisher knows it; its counter is found when the proposal is built. */
export interface PublishedContent {
  readonly product: string
  readonly channel: string
  readonly version: string
  readonly kind: ReleaseKind
  readonly platforms: readonly string[]
  readonly hardware: readonly string[]
  readonly security: boolean
  /** The floor to sign; 0 stands for the channel's highest so far. */
  readonly floor: number
  /** Length of the OCI image index in bytes. */
  readonly length: number
  readonly sha256: string
  readonly sha512: string
}

export type ProposalIntent =
  | { readonly kind: 'trust-init'; readonly roles: Readonly<Record<RoleType, RoleAuthority>> }
  | { readonly kind: 'product-create'; readonly product: string; readonly authority: RoleAuthority }
  | {
      readonly kind: 'channel-create'
      readonly product: string
      readonly channel: string
      readonly authority: RoleAuthority
    }
  /** The end of a product with its channels, or of one channel, for good. */
  | { readonly kind: 'product-retire'; readonly product: string }
  | { readonly kind: 'channel-retire'; readonly product: string; readonly channel: string }
  | { readonly kind: 'publish'; readonly content: PublishedContent }
  | {
      readonly kind: 'withdraw'
      readonly product: string
      readonly channel: string
      readonly version: string
    }
  /**
   * Other keys or another threshold for any role, top-level or delegated. `restart` is for a
   * channel whose stolen keys drove its marks up, and needs keys of other holders.
   */
  | {
      readonly kind: 'rotate'
      readonly role: string
      readonly authority: RoleAuthority
      readonly restart?: ChannelMarks
    }
  /** The same content with a new expiry. */
  | { readonly kind: 'renew'; readonly roles: readonly string[] }

export const proposalFormat = 'seaworthy-proposal-v1'

export interface ProposalDocument {
  readonly role: string
  readonly signed: RootSigned | TargetsSigned
  readonly signatures: readonly TufSignature[]
}

export interface Proposal {
  readonly format: typeof proposalFormat
  readonly id: string
  readonly title: string
  readonly kind: ProposalIntent['kind']
  /** `YYYY-MM-DDTHH:MM:SSZ` */
  readonly createdAt: string
  /** The metadata that the documents replace. A role that is new is not in it. */
  readonly base: Readonly<Record<string, { readonly version: number; readonly sha256: string }>>
  readonly documents: readonly ProposalDocument[]
  /** What was asked for: rebasing carries it out again on current metadata. */
  readonly intent: ProposalIntent
  /** What else helps a signer to judge. Nothing in it is trusted. */
  readonly evidence: JsonObject
  readonly chain?: ProposalChain
}

export interface ProposalChain {
  /** Every root since the first. */
  readonly roots: readonly Envelope<RootSigned>[]
  /** Current targets roles that the proposal touches or is judged by. */
  readonly roles: Readonly<Record<string, Envelope<TargetsSigned>>>
}

/** The verified metadata that a proposal is built on and compared with. */
export interface CurrentMetadata {
  /** Missing only before the first root exists. */
  readonly root: Metadata<RootSigned> | undefined
  /** `targets` and delegated roles. */
  readonly roles: ReadonlyMap<string, Metadata<TargetsSigned>>
}

export const noMetadata: CurrentMetadata = { root: undefined, roles: new Map() }

/**
 * Reads current metadata from a store that is trusted to hold what was verified. Throws
 * `TrustError`.
 */
export async function readCurrentMetadata(
  root: Uint8Array,
  roles: Iterable<readonly [string, Uint8Array]>,
): Promise<CurrentMetadata> {
  const parsed = new Map<string, Metadata<TargetsSigned>>()
  for (const [role, bytes] of roles) {
    parsed.set(role, await parseMetadata('targets', bytes, 'strict'))
  }
  return { root: await parseMetadata('root', root, 'strict'), roles: parsed }
}

/** The metadata as it will be once the documents are published: they shadow what is current. */
export function signedAfter(
  documents: readonly ProposalDocument[],
  current: CurrentMetadata,
): { root: RootSigned | undefined; role(name: string): TargetsSigned | undefined } {
  const find = (role: string) => documents.find((document) => document.role === role)?.signed
  const root = find('root')
  return {
    root: root?._type === 'root' ? root : current.root?.signed,
    role: (name) => {
      const signed = find(name)
      return signed?._type === 'targets' ? signed : current.roles.get(name)?.signed
    },
  }
}

/** The keys that speak for a targets role, by the delegator as it will be. */
export function ringAfter(
  role: string,
  documents: readonly ProposalDocument[],
  current: CurrentMetadata,
): KeyRing | undefined {
  const after = signedAfter(documents, current)
  const delegator = delegatorOf(role)
  if (delegator === undefined) return undefined
  if (delegator === 'root') {
    return after.root && { keys: after.root.keys, role: after.root.roles.targets }
  }
  return findKeyRing(after.role(delegator)?.delegations, role)
}

export async function sha256Hex(bytes: Uint8Array): Promise<string> {
  return hexEncode(new Uint8Array(await crypto.subtle.digest('SHA-256', new Uint8Array(bytes))))
}
