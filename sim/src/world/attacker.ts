/**
 * The attacker, with exactly what a scenario grants: origins to serve from, keys to sign with,
 * credentials to show. Public data the attacker has anyway. Using a key that was not granted is a
 * mistake of the scenario and throws.
 */
import { digestHex, digestOf } from '@seaworthy/oci/digests'
import { utf8Decode } from '@seaworthy/std/bytes'
import type { Signer } from '@seaworthy/trust/keys'
import {
  buildSnapshot,
  buildTimestamp,
  delegatorOf,
  expiryOf,
  formatMetadata,
  roleFileName,
  signRole,
} from '@seaworthy/trust/tuf'
import type {
  AnySigned,
  RootSigned,
  SnapshotSigned,
  TargetsSigned,
  TimestampSigned,
  TufSignature,
} from '@seaworthy/trust/tuf'
import type { SimDevice } from './device.ts'
import type { ArtifactStore } from './artifacts.ts'
import { copyArtifacts } from './artifacts.ts'
import type { World } from './world.ts'

export interface Attacker {
  readonly world: World
  /** The artifact store that victims are served from; the honest never see it. */
  readonly artifacts: ArtifactStore
  /** Copies of everything that was public at a time, by name. */
  readonly records: Map<string, ArtifactStore>
  /** Whether the server's answers are the attacker's. */
  readonly hasServer: boolean
  takeServer(): void
  /** The honest are back in charge of server and mirrors; keys that were stolen stay stolen. */
  leave(): void
  takeMirror(name: string): void
  takeKeys(role: string, count: number): void
  /** Takes a device's disk, and so its key. */
  takeDevice(name: string): void
  readonly devices: ReadonlyMap<string, SimDevice>
  keysOf(role: string): readonly Signer[]
  record(name: string): void
  /** Serves all that was recorded and nothing else. */
  replay(name: string): void
  /** The newest version of a role that is served. */
  current(role: 'root'): RootSigned
  current(role: 'snapshot'): SnapshotSigned
  current(role: 'timestamp'): TimestampSigned
  current(role: string): TargetsSigned
  /** Length and hash of a file, as metadata names it. */
  describe(bytes: Uint8Array): { length: number; hashes: { sha256: string } }
  /** Serves the metadata, signed with every key held, as the file of its role and version. */
  put(role: string, signed: AnySigned): Promise<void>
  /** The same with signatures of the attacker's choice. */
  putSigned(role: string, signed: AnySigned, signers: readonly Signer[]): Promise<void>
  /**
   * Signs a snapshot that names what is served, changed by `edit`, and a timestamp that names that.
   */
  publish(edit?: {
    snapshot?: (signed: SnapshotSigned) => SnapshotSigned
    timestamp?: (signed: TimestampSigned) => TimestampSigned
  }): Promise<void>
}

export function createAttacker(world: World): Attacker {
  const keys = new Map<string, readonly Signer[]>()
  const records = new Map<string, ArtifactStore>()
  const devices = new Map<string, SimDevice>()
  let artifacts: ArtifactStore | undefined
  let hasServer = false

  const ownArtifacts = () => (artifacts ??= copyArtifacts(world.artifacts))
  const read = (role: string): AnySigned => {
    const { metadata } = ownArtifacts()
    const file = roleFileName(role)
    const names = role === 'timestamp' ? [file] : versionsOf(metadata.keys(), file)
    const bytes = metadata.get(names.at(-1) ?? '')
    if (bytes === undefined) throw new Error(`nothing is served of ${role}`)
    return (JSON.parse(utf8Decode(bytes)) as { signed: AnySigned }).signed
  }

  const attacker: Attacker = {
    world,
    records,
    get artifacts() {
      return ownArtifacts()
    },
    get hasServer() {
      return hasServer
    },
    takeServer() {
      hasServer = true
      for (const role of ['snapshot', 'timestamp']) {
        keys.set(role, world.repository.signers.get(role) ?? [])
      }
      world.server.artifacts = ownArtifacts()
      world.server.assign = () => null
    },
    leave() {
      hasServer = false
      world.server.artifacts = world.artifacts
      world.server.assign = undefined
      for (const mirror of world.mirrors.values()) mirror.artifacts = world.artifacts
      artifacts = undefined
    },
    takeMirror(name) {
      const mirror = world.mirrors.get(name)
      if (mirror === undefined) throw new Error(`there is no mirror ${name}`)
      mirror.artifacts = ownArtifacts()
    },
    takeDevice(name) {
      const device = world.devices.get(name)
      if (device === undefined) throw new Error(`there is no device ${name}`)
      devices.set(name, device)
    },
    devices,
    takeKeys(role, count) {
      const all = world.repository.signers.get(role) ?? []
      if (all.length < count) throw new Error(`${role} has only ${all.length} keys`)
      keys.set(role, all.slice(0, count))
    },
    keysOf: (role) => keys.get(role) ?? [],
    record(name) {
      records.set(name, copyArtifacts(world.artifacts))
    },
    replay(name) {
      const recorded = records.get(name)
      if (recorded === undefined) throw new Error(`nothing was recorded as ${name}`)
      for (const kind of ['metadata', 'targets', 'content'] as const) {
        ownArtifacts()[kind].clear()
        for (const [key, bytes] of recorded[kind]) ownArtifacts()[kind].set(key, bytes)
      }
    },
    current: ((role: string) => read(role)) as Attacker['current'],
    describe: (bytes) => ({
      length: bytes.length,
      hashes: { sha256: digestHex(digestOf(bytes)) },
    }),
    put: (role, signed) => attacker.putSigned(role, signed, attacker.keysOf(role)),
    async putSigned(role, signed, signers) {
      const signatures: TufSignature[] = []
      for (const signer of signers) signatures.push(await signRole(signed, signer))
      const file = roleFileName(role)
      const name = role === 'timestamp' ? file : `${signed.version}.${file}`
      ownArtifacts().metadata.set(name, formatMetadata({ signed, signatures }))
    },
    async publish(edit = {}) {
      const now = world.time.now()
      const { metadata } = ownArtifacts()
      const before = read('snapshot') as SnapshotSigned
      const named = new Map<string, { version: number; bytes: Uint8Array }>()
      for (const file of Object.keys(before.meta)) {
        const name = versionsOf(metadata.keys(), file).at(-1)!
        named.set(file.slice(0, -'.json'.length), {
          version: Number.parseInt(name, 10),
          bytes: metadata.get(name)!,
        })
      }
      const built = await buildSnapshot(before, named, expiryOf('snapshot', now))
      const snapshot = edit.snapshot?.(built) ?? built
      await attacker.put('snapshot', snapshot)
      const bytes = metadata.get(`${snapshot.version}.snapshot.json`)!
      const timestamp = await buildTimestamp(
        read('timestamp') as TimestampSigned,
        { version: snapshot.version, bytes },
        { signedAt: now, expiresAt: expiryOf('timestamp', now) },
      )
      await attacker.put('timestamp', edit.timestamp?.(timestamp) ?? timestamp)
    },
  }
  return attacker
}

/** Names of that role's files, by rising version. */
function versionsOf(names: Iterable<string>, file: string): string[] {
  return [...names]
    .filter((name) => /^\d+\./.test(name) && name.slice(name.indexOf('.') + 1) === file)
    .toSorted((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10))
}

/** Throws unless enough keys are held to speak for `role`; attacks that need them call it. */
export function requireThreshold(attacker: Attacker, role: string): void {
  const delegator = delegatorOf(role) ?? 'root'
  const named =
    delegator === 'root'
      ? attacker.current('root').roles[role as 'targets'].threshold
      : attacker.current(delegator).delegations?.roles?.find(({ name }) => name === role)?.threshold
  if (attacker.keysOf(role).length < (named ?? Infinity)) {
    throw new Error(`the attacker does not speak for ${role}`)
  }
}
