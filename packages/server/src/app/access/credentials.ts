/**
 * Credentials that are shown once: `sw_<id>_<secret>` for people and services, `swp_…` for
 * provisioning, `swd_…` for a device that speaks another system's protocol, `swg_…` for a gateway
 * of such devices, `swf_…` for FleetLock clients of a fleet, `sws_…` in the cookie of a session,
 * `swc_…` for a command line that waits for its token.
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import { hexEncode } from '@seaworthy/std/bytes'
import type { Random } from '@seaworthy/std/random'

const kinds = {
  token: 'sw',
  provisioning: 'swp',
  device: 'swd',
  gateway: 'swg',
  fleetlock: 'swf',
  session: 'sws',
  pairing: 'swc',
} as const
export type CredentialKind = keyof typeof kinds

const kindsByPrefix = new Map<string, CredentialKind>(
  (Object.keys(kinds) as CredentialKind[]).map((kind) => [kinds[kind], kind]),
)
const form = /^(sw[pdgfsc]?)_([0-9a-hjkmnp-tv-z]{26})_([0-9a-f]{64})$/

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
  return {
    text: `${kinds[kind]}_${id.slice(kind.length + 1)}_${secret}`,
    secretSha256: sha256(secret),
  }
}

/** What is stored of the code in a link. */
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
  const match = form.exec(text)
  const kind = match === null ? undefined : kindsByPrefix.get(match[1]!)
  if (match === null || kind === undefined) return undefined
  return { kind, id: `${kind}_${match[2]}`, secretSha256: sha256(match[3]!) }
}

export function isSameSecret(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b)
}

function sha256(text: string): Uint8Array {
  return createHash('sha256').update(text).digest()
}
