/**
 * The attacker of the demo and of the break-in tests, who has everything that the server has (its
 * database, its master key, all online keys, its TLS key) and serves what they like. Offline keys
 * are not part of it.
 */
import { createHash } from 'node:crypto'
import { mediaTypes } from '@seaworthy/oci/manifests'
import type { Possessions } from '@seaworthy/server/possessions'
import { utf8Encode } from '@seaworthy/std/bytes'
import { maxOf, minOf } from '@seaworthy/std/numbers'
import { dayMs, parseInstant } from '@seaworthy/std/time'
import { generateSigner } from '@seaworthy/trust/keys'
import type { SnapshotSigned, TargetsSigned, TimestampSigned } from '@seaworthy/trust/tuf'
import {
  addRelease,
  buildSnapshot,
  buildTimestamp,
  channelRole,
  listReleases,
  parseMetadata,
  releasePath,
  signMetadata,
} from '@seaworthy/trust/tuf'

export const attacks = [
  'unsigned-release',
  'older-metadata',
  'older-release',
  'forged-clock',
] as const
export type ThiefAttack = (typeof attacks)[number]

export function isAttack(text: string): text is ThiefAttack {
  return (attacks as readonly string[]).includes(text)
}

/** What was taken: the online keys, and the metadata of every version of every role. */
export interface Loot extends Pick<Possessions, 'onlineKeys' | 'metadata'> {
  readonly product: string
  readonly channel: string
}

export interface ForgedAssignment {
  readonly targetPath: string
  readonly sha256: string
}

export interface StolenRepository {
  /** Files served under `/tuf/`, by name. */
  readonly files: ReadonlyMap<string, Uint8Array>
  /** What every device is told to run. */
  readonly assignment: ForgedAssignment | null
}

/** Opens what was stolen; nothing is forged yet. */
export function createForger(loot: Loot, now: () => Date) {
  const role = channelRole(loot.product, loot.channel)
  const files = new Map(loot.metadata.map((row) => [`${row.version}.${row.role}.json`, row.bytes]))
  const versionsOf = (name: string) =>
    loot.metadata.filter((row) => row.role === name).toSorted((a, b) => a.version - b.version)
  const newestOf = (name: string) => {
    const row = versionsOf(name).at(-1)
    if (row === undefined) throw new Error(`the database has no metadata of ${name}`)
    return row
  }
  files.set('timestamp.json', newestOf('timestamp').bytes)
  let snapshot: SnapshotSigned | undefined
  let timestamp: TimestampSigned | undefined

  /**
   * Names `file` as the channel's metadata, in a snapshot and a timestamp signed by the genuine
   * online keys, which claim to have been signed at `signedAt`.
   */
  async function republish(
    file: { version: number; bytes: Uint8Array },
    signedAt = now(),
  ): Promise<void> {
    snapshot ??= (await parseMetadata('snapshot', newestOf('snapshot').bytes, 'strict')).signed
    timestamp ??= (await parseMetadata('timestamp', newestOf('timestamp').bytes, 'strict')).signed
    const expiresAt = new Date(signedAt.getTime() + dayMs)
    snapshot = await buildSnapshot(snapshot, new Map([[role, file]]), expiresAt)
    const bytes = await signMetadata(snapshot, loot.onlineKeys.snapshot)
    files.set(`${snapshot.version}.snapshot.json`, bytes)
    timestamp = await buildTimestamp(
      timestamp,
      { version: snapshot.version, bytes },
      { signedAt, expiresAt },
    )
    files.set('timestamp.json', await signMetadata(timestamp, loot.onlineKeys.timestamp))
  }

  async function readChannel(): Promise<TargetsSigned> {
    return (await parseMetadata('targets', newestOf(role).bytes, 'strict')).signed
  }

  /**
   * The time when the first role that no online key can renew expires: no device believes a later
   * time.
   */
  async function firstOfflineExpiry(): Promise<Date> {
    const root = await parseMetadata('root', newestOf('root').bytes, 'strict')
    const others = await Promise.all(
      ['targets', loot.product, role].map((name) =>
        parseMetadata('targets', newestOf(name).bytes, 'strict'),
      ),
    )
    const expiries = [root, ...others].map(({ signed }) => parseInstant(signed.expires).getTime())
    return new Date(minOf(expiries))
  }

  const forgers: Record<ThiefAttack, () => Promise<ForgedAssignment | null>> = {
    /** A release that nobody signed, in channel metadata signed by a key of the attacker's own. */
    async 'unsigned-release'() {
      const channel = await readChannel()
      const content = utf8Encode(JSON.stringify({ mediaType: mediaTypes.index }))
      const sha256 = createHash('sha256').update(content).digest('hex')
      const known = listReleases(channel).releases
      const version = '99.0.0'
      const forged = addRelease(
        channel,
        {
          product: loot.product,
          channel: loot.channel,
          version,
          counter:
            maxOf(
              known.map((release) => release.counter),
              0,
            ) + 1,
          floor: 1,
          kind: 'bundle',
          platforms: ['linux/amd64', 'linux/arm64'],
          hardware: [],
          security: true,
          releasedAt: now(),
          length: content.length,
          sha256,
          sha512: createHash('sha512').update(content).digest('hex'),
        },
        new Date(now().getTime() + 30 * dayMs),
      )
      const bytes = await signMetadata(forged, [await generateSigner('ed25519')])
      files.set(`${forged.version}.${role}.json`, bytes)
      await republish({ version: forged.version, bytes })
      return { targetPath: releasePath(loot.product, loot.channel, version), sha256 }
    },
    /** The channel's metadata from before the newest release, genuine and signed at its time. */
    async 'older-metadata'() {
      const older = versionsOf(role).at(-2)
      if (older === undefined) throw new Error('the channel has no older metadata')
      await republish(older)
      return null
    },
    /**
     * Everything as the owners left it, with an order to run the oldest release that is still
     * listed.
     */
    async 'older-release'() {
      const [oldest] = listReleases(await readChannel()).releases.toSorted(
        (a, b) => a.counter - b.counter,
      )
      if (oldest === undefined) throw new Error('the channel lists no release')
      return { targetPath: oldest.path, sha256: oldest.sha256 }
    },
    /**
     * Everything as the owners left it, under a timestamp from the future: the latest time that a
     * device could believe.
     */
    async 'forged-clock'() {
      const expiresAt = await firstOfflineExpiry()
      await republish(newestOf(role), new Date(expiresAt.getTime() - 1000))
      return null
    },
  }

  return {
    files: files as ReadonlyMap<string, Uint8Array>,
    forge: (attack: ThiefAttack) => forgers[attack](),
  }
}
