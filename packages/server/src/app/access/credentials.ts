/** Credentials that are shown once, of whose secret half the server keeps the SHA-256. */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { CredentialKind } from '@seaworthy/api/credentials'
import { formatCredential, readCredential } from '@seaworthy/api/credentials'
import { hexEncode } from '@seaworthy/std/bytes'
import type { Random } from '@seaworthy/std/random'

/**
 * A new credential for `id` (`token_…`, `device_…` and so on): 256 random bits, of which the hash
 * is kept.
 */
export function createCredential(
  kind: CredentialKind,
  id: string,
  random: Random,
): { text: string; secretSha256: Uint8Array } {
  const secret = hexEncode(random.bytes(32))
  return { text: formatCredential(kind, id, secret), secretSha256: sha256(secret) }
}

/** The hash that is stored of the code in a link. */
export function hashCode(code: string): Uint8Array {
  return sha256(code)
}

export interface ParsedCredential {
  readonly kind: CredentialKind
  /** Id of the row that tells whether the secret is right. */
  readonly id: string
  readonly secretSha256: Uint8Array
}

export function parseCredential(text: string): ParsedCredential | undefined {
  const read = readCredential(text)
  if (typeof read === 'string') return undefined
  return { kind: read.kind, id: read.id, secretSha256: sha256(read.secret) }
}

export function isSameSecret(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b)
}

/** Whether a credential was revoked or has expired. */
export function hasCredentialEnded(
  credential: { readonly revokedAt: Date | null; readonly expiresAt: Date },
  now: Date,
): boolean {
  return credential.revokedAt !== null || credential.expiresAt.getTime() <= now.getTime()
}

function sha256(text: string): Uint8Array {
  return createHash('sha256').update(text).digest()
}
