/**
 * A repository in memory, whole with all its keys, that a test edits as a person would and an
 * attacker may: everything published can be replaced, every key used. Used in tests and simulations
 * only.
 */
import { generateSigner } from '../keys/signer.ts'
import type { Signer } from '../keys/signer.ts'
import { hexEncode } from '@seaworthy/std/bytes'
import type { Clock } from '@seaworthy/std/time'
import type { StateSlot, StateStore } from '../tuf/client-state.ts'
import { createTrustState, openTufClient } from '../tuf/client.ts'
import type { TufClient } from '../tuf/client.ts'
import type { FetchMetadata } from '../tuf/cycle.ts'
import { roleFileName } from '../tuf/cycle.ts'
import { expiryOf } from '../tuf/lifetimes.ts'
import type { RootSigned, SnapshotSigned, TargetsSigned, TimestampSigned } from '../tuf/metadata.ts'
import { channelRole } from '../tuf/names.ts'
import type { NewRelease, RoleAuthority } from '../tuf/repository.ts'
import {
  addRelease,
  buildRoot,
  buildSnapshot,
  buildTargets,
  buildTimestamp,
  changeRoot,
  delegateRole,
  renewRole,
  signMetadata,
  withdrawRelease,
} from '../tuf/repository.ts'

/** Roles by name; what a test puts in here is signed and served at the next `publish`. */
export interface RepositorySimulator {
  now: Date
  root: RootSigned
  snapshot: SnapshotSigned
  timestamp: TimestampSigned
  /** `targets` and all delegated roles. */
  readonly targets: Map<string, TargetsSigned>
  /** The signers of each role. They need not be those that are delegated to. */
  readonly signers: Map<string, Signer[]>
  /** Everything served, by file name: an attacker may put anything here. */
  readonly files: Map<string, Uint8Array<ArrayBuffer>>
  /** Names asked for, in order. */
  readonly requests: string[]
  readonly fetchMetadata: FetchMetadata
  /** The first root, to be pinned. */
  readonly anchor: Uint8Array<ArrayBuffer>
  /** Signs and serves the roles given, then a new snapshot and timestamp. */
  publish(...roles: string[]): Promise<void>
  /** Signs and serves the root as it stands, without a new version. */
  publishRoot(): Promise<void>
  /** Gives `role` new keys in its delegator, and publishes that. */
  rotateKeys(role: string, keyCount: number, threshold: number): Promise<void>
  addProduct(product: string): Promise<void>
  addChannel(product: string, channel: string, keyCount?: number): Promise<void>
  /** Lists a release with made-up content and publishes. */
  addRelease(
    product: string,
    channel: string,
    version: string,
    facts?: Partial<NewRelease>,
  ): Promise<void>
  withdrawRelease(product: string, channel: string, version: string): Promise<void>
}

/**
 * A repository with nothing but an empty `targets`; two of three keys sign for offline roles, one
 * for online ones.
 */
export async function createRepositorySimulator(now: Date): Promise<RepositorySimulator> {
  const signers = new Map<string, Signer[]>()
  const targets = new Map<string, TargetsSigned>()
  const files = new Map<string, Uint8Array<ArrayBuffer>>()
  const requests: string[] = []
  let counter = 0

  const makeKeys = async (role: string, keyCount: number, threshold: number) => {
    const made: Signer[] = []
    for (let i = 0; i < keyCount; i++) {
      made.push(await generateSigner(i % 2 === 0 ? 'ed25519' : 'p256'))
    }
    signers.set(role, made)
    return { keys: made.map(({ key }) => key), threshold } satisfies RoleAuthority
  }
  const signersOf = (role: string) => signers.get(role) ?? []

  const root = await buildRoot({
    expiresAt: expiryOf('root', now),
    roles: {
      root: await makeKeys('root', 3, 2),
      targets: await makeKeys('targets', 3, 2),
      snapshot: await makeKeys('snapshot', 1, 1),
      timestamp: await makeKeys('timestamp', 1, 1),
    },
  })
  const anchor = await signMetadata(root, signersOf('root'))
  files.set('1.root.json', anchor)
  targets.set('targets', buildTargets(expiryOf('targets', now)))

  const serveOnline = async () => {
    const expiry = (role: string) => expiryOf(role, repository.now)
    const served = new Map<string, { version: number; bytes: Uint8Array }>()
    for (const [role, { version }] of targets) {
      const bytes = files.get(`${version}.${roleFileName(role)}`)
      if (bytes) served.set(role, { version, bytes })
    }
    repository.snapshot = await buildSnapshot(repository.snapshot, served, expiry('snapshot'))
    const { version } = repository.snapshot
    const bytes = await signMetadata(repository.snapshot, signersOf('snapshot'))
    files.set(`${version}.snapshot.json`, bytes)
    repository.timestamp = await buildTimestamp(
      repository.timestamp,
      { version, bytes },
      { signedAt: repository.now, expiresAt: expiry('timestamp') },
    )
    files.set('timestamp.json', await signMetadata(repository.timestamp, signersOf('timestamp')))
  }

  const repository: RepositorySimulator = {
    now,
    root,
    // stand-ins until the first `publish` below makes version 1 of both.
    snapshot: { ...(await buildSnapshot(undefined, new Map(), now)), version: 0 },
    timestamp: {
      ...(await buildTimestamp(
        undefined,
        { version: 1, bytes: anchor },
        { signedAt: now, expiresAt: now },
      )),
      version: 0,
    },
    targets,
    signers,
    files,
    requests,
    anchor,
    fetchMetadata: async (name) => {
      requests.push(name)
      return files.get(name)
    },
    publish: async (...roles) => {
      for (const role of roles) {
        const signed = targets.get(role)!
        files.set(
          `${signed.version}.${roleFileName(role)}`,
          await signMetadata(signed, signersOf(role)),
        )
      }
      await serveOnline()
    },
    publishRoot: async () => {
      const { version } = repository.root
      files.set(`${version}.root.json`, await signMetadata(repository.root, signersOf('root')))
    },
    rotateKeys: async (role, keyCount, threshold) => {
      const before = signersOf(role)
      const authority = await makeKeys(role, keyCount, threshold)
      if (['root', 'targets', 'snapshot', 'timestamp'].includes(role)) {
        repository.root = await changeRoot(repository.root, {
          expiresAt: expiryOf('root', repository.now),
          roles: { [role]: authority },
        })
        const after = signersOf('root')
        if (role === 'root') signers.set('root', [...before, ...after])
        await repository.publishRoot()
        signers.set('root', after)
        if (role === 'targets') {
          targets.set('targets', renewRole(targets.get('targets')!, expiryOf(role, repository.now)))
          await repository.publish('targets')
        } else {
          await serveOnline()
        }
        return
      }
      const delegator = role.includes('.') ? role.split('.')[0]! : 'targets'
      targets.set(
        delegator,
        await delegateRole(targets.get(delegator)!, {
          role,
          authority,
          expiresAt: expiryOf(delegator, repository.now),
        }),
      )
      targets.set(role, renewRole(targets.get(role)!, expiryOf(role, repository.now)))
      await repository.publish(delegator, role)
    },
    addProduct: async (product) => {
      targets.set(
        'targets',
        await delegateRole(targets.get('targets')!, {
          role: product,
          authority: await makeKeys(product, 2, 1),
          expiresAt: expiryOf('targets', repository.now),
        }),
      )
      targets.set(product, buildTargets(expiryOf(product, repository.now)))
      await repository.publish('targets', product)
    },
    addChannel: async (product, channel, keyCount = 3) => {
      const role = channelRole(product, channel)
      targets.set(
        product,
        await delegateRole(targets.get(product)!, {
          role,
          authority: await makeKeys(role, keyCount, Math.min(2, keyCount)),
          expiresAt: expiryOf(product, repository.now),
        }),
      )
      targets.set(role, buildTargets(expiryOf(role, repository.now)))
      await repository.publish(product, role)
    },
    addRelease: async (product, channel, version, facts = {}) => {
      const role = channelRole(product, channel)
      counter = facts.counter ?? counter + 1
      const content = new TextEncoder().encode(`${product} ${version}`)
      const hash = async (name: string) =>
        hexEncode(new Uint8Array(await crypto.subtle.digest(name, content)))
      targets.set(
        role,
        addRelease(
          targets.get(role)!,
          {
            product,
            channel,
            version,
            counter,
            floor: 1,
            kind: 'bundle',
            platforms: ['linux/amd64', 'linux/arm64'],
            hardware: [],
            security: false,
            releasedAt: repository.now,
            length: content.length,
            sha256: await hash('SHA-256'),
            sha512: await hash('SHA-512'),
            ...facts,
          },
          expiryOf(role, repository.now),
        ),
      )
      await repository.publish(role)
    },
    withdrawRelease: async (product, channel, version) => {
      const role = channelRole(product, channel)
      const path = `${product}/${channel}/${version}`
      const expiresAt = expiryOf(role, repository.now)
      targets.set(role, withdrawRelease(targets.get(role)!, path, expiresAt))
      await repository.publish(role)
    },
  }
  await repository.publish('targets')
  return repository
}

/** A device's two state files in memory. */
export function memoryStateStore(): StateStore & { readonly slots: Map<StateSlot, Uint8Array> } {
  const slots = new Map<StateSlot, Uint8Array>()
  return {
    slots,
    read: async (slot) => slots.get(slot),
    write: async (slot, bytes) => void slots.set(slot, bytes),
  }
}

/** A device that was provisioned with the repository's first root, and its client. */
export async function provisionClient(
  repository: RepositorySimulator,
  clock: Clock,
  isClockGood: () => boolean = () => false,
): Promise<{
  client: TufClient
  store: ReturnType<typeof memoryStateStore>
  reopen: () => Promise<TufClient>
}> {
  const store = memoryStateStore()
  const options = {
    anchor: repository.anchor,
    profile: 'strict',
    notBefore: repository.now,
  } as const
  await createTrustState(options, store)
  const reopen = () =>
    openTufClient(options, {
      clock,
      isClockGood,
      store,
      fetchMetadata: repository.fetchMetadata,
    })
  return { client: await reopen(), store, reopen }
}
