/**
 * The highest version of every offline role that was verified, the highest floor of every channel,
 * and by which keys. A version outlives the snapshot: that goes when root replaces the online keys
 * (specification 5.3.11), and a thief of the new ones could otherwise show an older version of a
 * role that has not expired, with the keys that a newer one revoked. No online key has a say in a
 * mark, so none can drive it up.
 */
import { hexEncode, utf8Encode } from '@seaworthy/std/bytes'
import { maxOf } from '@seaworthy/std/numbers'
import { isTrustError, trustError } from './codes.ts'
import { findKeyRing } from './delegations.ts'
import type { Metadata, RootSigned, TargetsSigned } from './metadata.ts'
import { listReleases } from './release.ts'
import { keySetOf, verifyThreshold } from './threshold.ts'
import type { KeyRing } from './threshold.ts'

/** The keys of a role as the trusted metadata of `delegator` (`root` for `targets`) lists them. */
export interface DelegatedRing extends KeyRing {
  readonly delegator: string
}

export interface VersionMark {
  readonly version: number
  /** Digests of the distinct public keys of the ring that verified it, in order. */
  readonly keys: readonly string[]
  /** How many signatures that ring asked for. */
  readonly threshold: number
  /** The highest floor that this ring itself has signed; 0 for none. */
  readonly floor: number
}

/** The marks by the name that `markName` makes of a role and its delegator. */
export type StoredMarks = ReadonlyMap<string, readonly VersionMark[]>

/**
 * The number of rings kept; beyond it the oldest is forgotten. Only a threshold of the delegator's
 * keys makes a further ring.
 */
const ringsMax = 16

/**
 * Each delegator has marks of its own, so that one that speaks for other paths drives up nothing
 * here.
 */
function markName(role: string, delegator: string): string {
  return JSON.stringify([delegator, role])
}

async function keysOf(ring: KeyRing): Promise<string[]> {
  const keys: string[] = []
  for (const material of await keySetOf(ring)) {
    const digest = await crypto.subtle.digest('SHA-256', utf8Encode(material))
    keys.push(hexEncode(new Uint8Array(digest)))
  }
  return keys.toSorted()
}

/**
 * Whether a ring of `keys` and `threshold` has enough keys of the mark: a threshold of the mark, or
 * of the ring. Either shows that the same holders go on, whether they raise their threshold or
 * lower it. Only a ring that keeps fewer of those keys starts with a clean slate.
 */
function countsFor(
  mark: Pick<VersionMark, 'keys' | 'threshold'>,
  keys: readonly string[],
  threshold: number,
): boolean {
  const kept = mark.keys.filter((key) => keys.includes(key)).length
  return kept >= Math.min(mark.threshold, threshold)
}

/** Whether devices take `after` for a ring of the same holders, so that old marks still count. */
export async function isSameHolders(before: KeyRing, after: KeyRing): Promise<boolean> {
  const mark = { keys: await keysOf(before), threshold: before.role.threshold }
  return countsFor(mark, await keysOf(after), after.role.threshold)
}

export class VersionMarks {
  readonly #marks: Map<string, readonly VersionMark[]>
  readonly #onRaise: () => void

  /** `onRaise` is called when there is more to store. */
  constructor(stored: StoredMarks, onRaise: () => void) {
    this.#marks = new Map(stored)
    this.#onRaise = onRaise
  }

  get stored(): StoredMarks {
    return this.#marks
  }

  /** Throws `rollback` for a version below a mark that counts for `ring`. */
  async refuseOlder(role: string, ring: DelegatedRing, version: number): Promise<void> {
    const known = this.#marks.get(markName(role, ring.delegator))
    if (!known) return
    const keys = await keysOf(ring)
    for (const mark of known) {
      if (version >= mark.version || !countsFor(mark, keys, ring.role.threshold)) continue
      throw trustError(
        'rollback',
        `${role} ${version} is older than ${mark.version}, which was verified here by these keys or by others that ${ring.delegator} has named since`,
      )
    }
  }

  /**
   * The highest floor that counts for `ring`; 0 for none. What stolen keys have signed ends with
   * them, so no ring takes over the floor of another, as it does its version.
   */
  async floorFor(role: string, ring: DelegatedRing): Promise<number> {
    const known = this.#marks.get(markName(role, ring.delegator)) ?? []
    const keys = await keysOf(ring)
    const counting = known.filter((mark) => countsFor(mark, keys, ring.role.threshold))
    return maxOf(
      counting.map(({ floor }) => floor),
      0,
    )
  }

  /**
   * Takes over a floor of which an earlier version of this program wrote no keys: every ring known
   * so far may have signed it. One floor too many costs the owners new keys; one too few lets an
   * older release back in.
   */
  adoptFloor(role: string, delegator: string, floor: number): void {
    const name = markName(role, delegator)
    const known = this.#marks.get(name) ?? []
    if (known.every((mark) => mark.floor >= floor)) return
    this.#marks.set(
      name,
      known.map((mark) => ({ ...mark, floor: Math.max(mark.floor, floor) })),
    )
    this.#onRaise()
  }

  /**
   * Raises the mark of a version that `ring` has verified, whether it has expired or not, and of
   * the floor that it signs. The version overtakes what every earlier ring has signed, so their
   * marks rise with it: a ring that returns cannot bring an older version back.
   */
  async raise(role: string, ring: DelegatedRing, version: number, floor: number): Promise<void> {
    const name = markName(role, ring.delegator)
    const known = this.#marks.get(name) ?? []
    const keys = await keysOf(ring)
    const { threshold } = ring.role
    const own = known.filter(
      (other) => other.threshold === threshold && other.keys.join() === keys.join(),
    )
    const highest = maxOf(
      own.map((other) => other.floor),
      floor,
    )
    const mark = { version, keys, threshold, floor: highest }
    if (
      known.every((other) => other.version >= version) &&
      known.some((other) => isCoveredBy(mark, other))
    ) {
      return
    }
    const raised = known.map((other) => ({
      ...other,
      version: Math.max(other.version, version),
    }))
    const others = raised.filter((other) => !isCoveredBy(other, mark))
    this.#marks.set(name, [...others, mark].slice(-ringsMax))
    this.#onRaise()
  }
}

/** Whether `other` refuses everything that `mark` does. */
function isCoveredBy(mark: VersionMark, other: VersionMark): boolean {
  return (
    mark.version <= other.version &&
    mark.floor <= other.floor &&
    mark.threshold >= other.threshold &&
    mark.keys.every((key) => other.keys.includes(key))
  )
}

/**
 * Raises the marks by what an earlier version of this program has stored: the roles that can be
 * reached from `root` and still have their thresholds. A role that does not is fetched again later,
 * and proves nothing here.
 */
export async function learnMarks(
  marks: VersionMarks,
  root: RootSigned,
  parseStored: (role: string) => Promise<Metadata<TargetsSigned> | undefined>,
): Promise<void> {
  const toVisit: { role: string; ring: DelegatedRing }[] = [
    { role: 'targets', ring: { delegator: 'root', keys: root.keys, role: root.roles.targets } },
  ]
  const visited = new Set<string>()
  for (let next = toVisit.pop(); next !== undefined; next = toVisit.pop()) {
    const { role, ring } = next
    if (visited.has(markName(role, ring.delegator))) continue
    visited.add(markName(role, ring.delegator))
    try {
      const stored = await parseStored(role)
      if (!stored) continue
      await verifyThreshold(ring, stored, role)
      const { version, delegations } = stored.signed
      await marks.raise(role, ring, version, listReleases(stored.signed).floor)
      for (const { name } of delegations?.roles ?? []) {
        toVisit.push({
          role: name,
          ring: { ...findKeyRing(delegations, name)!, delegator: role },
        })
      }
    } catch (error) {
      if (!isTrustError(error)) throw error
    }
  }
}
