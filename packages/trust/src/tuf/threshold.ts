/** Counts who has signed: distinct public keys, never key ids and never signatures. */
import { isSignedBy, readForeignKey, whyKeyIsUnusable } from '../keys/public-key.ts'
import { trustError } from './codes.ts'
import type { KeyMap, RoleKeys, TufSignature } from './metadata.ts'

/** The keys of a role, as the role above it lists them. */
export interface KeyRing {
  readonly keys: KeyMap
  readonly role: RoleKeys
}

/**
 * The key ids of `ring` with a valid signature over `signedBytes`, one for each distinct public
 * key. A key id that the role does not list, or whose key we cannot use, never counts.
 */
export async function findSigners(
  ring: KeyRing,
  signedBytes: Uint8Array<ArrayBuffer>,
  signatures: readonly TufSignature[],
): Promise<string[]> {
  const byMaterial = new Map<string, string>()
  for (const { keyid, sig } of signatures) {
    if (!ring.role.keyids.includes(keyid) || !Object.hasOwn(ring.keys, keyid)) continue
    const key = await readForeignKey(ring.keys[keyid])
    if (!key || byMaterial.has(key.material)) continue
    if (await isSignedBy(key, signedBytes, sig)) byMaterial.set(key.material, keyid)
  }
  return [...byMaterial.values()]
}

/** Throws `signature_threshold` unless at least `threshold` distinct keys of `ring` have signed. */
export async function verifyThreshold(
  ring: KeyRing,
  metadata: {
    readonly signedBytes: Uint8Array<ArrayBuffer>
    readonly signatures: readonly TufSignature[]
  },
  roleName: string,
): Promise<void> {
  const { threshold } = ring.role
  const signers = await findSigners(ring, metadata.signedBytes, metadata.signatures)
  if (!Number.isInteger(threshold) || threshold < 1 || signers.length < threshold) {
    throw trustError(
      'signature_threshold',
      `${roleName} is signed by ${signers.length} of the ${threshold} keys it needs${await describeUnusable(ring)}`,
    )
  }
}

const unusableShown = 3

/**
 * Explains keys that we cannot use: otherwise a signature by one would look as if it were missing.
 */
async function describeUnusable({ keys, role }: KeyRing): Promise<string> {
  const reasons: string[] = []
  for (const id of role.keyids) {
    const why = Object.hasOwn(keys, id) ? await whyKeyIsUnusable(keys[id]) : undefined
    if (why !== undefined) reasons.push(`the key ${id.slice(0, 16)} cannot be used: ${why}`)
  }
  const rest = reasons.length - unusableShown
  const more = rest > 0 ? [`and ${rest} more like it`] : []
  return [...reasons.slice(0, unusableShown), ...more].map((text) => `; ${text}`).join('')
}

/**
 * The public keys of a role, comparable: a rotation is a change of this set (specification 5.3.11).
 */
export async function keySetOf(ring: KeyRing): Promise<Set<string>> {
  const set = new Set<string>()
  for (const id of ring.role.keyids) {
    const key = Object.hasOwn(ring.keys, id) ? await readForeignKey(ring.keys[id]) : undefined
    set.add(key?.material ?? `keyid:${id}`)
  }
  return set
}
