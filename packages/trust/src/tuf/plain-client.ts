/**
 * A plain client for any conforming repository, as the command line offers it: the folder of metadata
 * is both trust anchor (`root.json`) and cache. It has none of the device's protections of that
 * folder; what it promises is the specification's workflow, the exact bytes, the exact requests.
 */
import { trustError } from './codes.ts'
import { findTarget, refreshTrustedSet, roleFileName } from './cycle.ts'
import type { CyclePorts, FetchMetadata, MetadataCache } from './cycle.ts'
import { defaultTufLimits } from './metadata.ts'
import type { Profile, TargetFile, TufLimits } from './metadata.ts'
import { hasHashes, TrustedSet } from './trusted-set.ts'

/** Large repositories state the length of their metadata; a computer, unlike a device, has room for it. */
const limits: TufLimits = { ...defaultTufLimits, statedBytesMax: 128_000_000 }

/** The metadata folder: plain file names, percent-encoded where a role's name needs it. */
export interface MetadataFolder {
  read(name: string): Promise<Uint8Array | undefined>
  /** Replaces the file as a whole. */
  write(name: string, bytes: Uint8Array): Promise<void>
  /** Removes it if it is there. */
  remove(name: string): Promise<void>
}

export interface PlainClientOptions {
  readonly profile: Profile
  readonly now: Date
}

export interface PlainTarget {
  readonly path: string
  readonly target: TargetFile
  /** Path below the base URL, percent-encoded by segment, with the hash prefix where the repository uses it. */
  readonly urlPath: string
  /** One file name for the whole target path, percent-encoded; `.` and `..` are refused before. */
  readonly fileName: string
}

/** `init`: trusts `root` for what it is, after checking that it is a root and signed by its own keys. */
export async function initPlainClient(
  root: Uint8Array,
  options: PlainClientOptions,
  folder: MetadataFolder,
): Promise<void> {
  await startPlainSet(root, options)
  await folder.write('root.json', root)
}

function startPlainSet(root: Uint8Array, { profile, now }: PlainClientOptions) {
  return TrustedSet.fromRoot(root, { profile, startAt: now, limits })
}

/**
 * One cycle (5.1 to 5.6) over the folder. Returns a lookup of targets for `download`. Throws
 * `TrustError`s, and what the ports throw; verified files stay in the folder all the same.
 */
export async function refreshPlainClient(
  options: PlainClientOptions,
  ports: { readonly folder: MetadataFolder; readonly fetchMetadata: FetchMetadata },
): Promise<{ findTarget(path: string): Promise<PlainTarget> }> {
  const { folder } = ports
  const root = await folder.read('root.json')
  if (!root) throw trustError('state_unreadable', 'no trusted root: run init first')
  const cache: MetadataCache = {
    read: (role) => folder.read(roleFileName(role)),
    keep: (role, bytes) => folder.write(roleFileName(role), bytes),
    dropOnlineRoles: async () => {
      await folder.remove('timestamp.json')
      await folder.remove('snapshot.json')
    },
  }
  const cycle: CyclePorts = { fetchMetadata: ports.fetchMetadata, cache, limits }
  const set = await startPlainSet(root, options)
  await refreshTrustedSet(set, cycle)
  const isHashed = set.root.signed.consistent_snapshot === true
  return {
    findTarget: async (path) => {
      const found = await findTarget(set, cycle, path)
      if (!found || /^\.{0,2}$/.test(path))
        throw trustError('target_unknown', 'no role that may lists this path')
      return { path, target: found.target, ...namesOf(path, found.target, isHashed) }
    },
  }
}

function namesOf(path: string, target: TargetFile, isHashed: boolean) {
  const segments = path.split('/')
  const last = segments.pop()!
  const hash = isHashed ? `${strongestFirst(target)}.` : ''
  const urlPath = [...segments, `${hash}${last}`].map(encodeSegment).join('/')
  return { urlPath, fileName: roleFileName(path).slice(0, -'.json'.length) }
}

/** Characters that a URL path holds as they are stay as they are: not every server decodes them. */
function encodeSegment(segment: string): string {
  return encodeURIComponent(segment).replace(/%(?:2[14689A-C]|27|3[ABD]|40)/g, decodeURIComponent)
}

/** Any listed hash names the file (6.2): we take the one we also verify. */
function strongestFirst({ hashes }: TargetFile): string {
  for (const name of ['sha256', 'sha512', 'sha384']) {
    if (Object.hasOwn(hashes, name)) return hashes[name]!
  }
  throw trustError('wrong_hash', 'the target has no hash that proves anything')
}

/** 5.7.3: throws `endless_data`, `wrong_length` or `wrong_hash` unless the bytes are those signed for. */
export async function verifyTarget(bytes: Uint8Array, target: TargetFile): Promise<void> {
  if (bytes.length > target.length) {
    throw trustError('endless_data', `longer than the ${target.length} bytes signed for`)
  }
  if (bytes.length < target.length) {
    throw trustError('wrong_length', `shorter than the ${target.length} bytes signed for`)
  }
  if (!(await hasHashes(bytes, target.hashes))) {
    throw trustError('wrong_hash', 'not the content signed for')
  }
}
