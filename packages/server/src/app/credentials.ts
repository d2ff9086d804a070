/** Credentials that are shown once: `sw_<id>_<secret>` for people and services, `swp_…` for provisioning. */
import { createHash, timingSafeEqual } from 'node:crypto'
import { hexEncode } from '@seaworthy/std/bytes'
import type { Random } from '@seaworthy/std/random'

const kinds = { token: 'sw', provisioning: 'swp' } as const
export type CredentialKind = keyof typeof kinds

const form = /^(swp?)_([0-9a-hjkmnp-tv-z]{26})_([0-9a-f]{64})$/

/** A new credential for `id` (`token_…` or `provisioning_…`): 256 random bits, of which the hash is kept. */
export function createCredential(
  kind: CredentialKind,
  id: string,
  random: Random,
): { text: string; secretSha256: Uint8Array } {
  const secret = hexEncode(random.bytes(32))
  return {
    text: `${kinds[kind]}_${id.slice(kind.length + 1)}_${secret}`,
    secretSha256: sha256(secret),
  }
}

export interface ParsedCredential {
  readonly kind: CredentialKind
  /** Of the row that tells whether the secret is right. */
  readonly id: string
  readonly secretSha256: Uint8Array
}

export function parseCredential(text: string): ParsedCredential | undefined {
  const match = form.exec(text)
  if (match === null) return undefined
  const kind = match[1] === 'sw' ? 'token' : 'provisioning'
  return { kind, id: `${kind}_${match[2]}`, secretSha256: sha256(match[3]!) }
}

export function isSameSecret(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b)
}

function sha256(text: string): Uint8Array {
  return createHash('sha256').update(text).digest()
}
