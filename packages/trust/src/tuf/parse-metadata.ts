/**
 * The entry for metadata of unknown origin: bytes in, well-formed metadata out, or a coded refusal.
 */
import { parseInstant } from '@seaworthy/std/time'
import { trustError } from './codes.ts'
import { canonicalJson, isJsonObject, parseJson } from './json.ts'
import type { JsonObject, JsonValue } from './json.ts'
import { integerMax, lintMetadata } from './lint.ts'
import { defaultTufLimits, topLevelRoles } from './metadata.ts'
import type { Metadata, Profile, RoleType, SignedByType, TufLimits } from './metadata.ts'

/**
 * Reads one metadata file of the given type (specification 4). Checks only the form: no signature,
 * no version against another, no expiry. Throws `endless_data`, `metadata_malformed`,
 * `unsupported_specification`, and in the strict profile `profile_violation`.
 */
export async function parseMetadata<T extends RoleType>(
  type: T,
  bytes: Uint8Array,
  profile: Profile,
  limits: TufLimits = defaultTufLimits,
): Promise<Metadata<SignedByType[T]>> {
  // A copy is taken: the caller can no longer change what was checked.
  const own = new Uint8Array(bytes)
  const json = parseJson(own, { bytesMax: bytesMaxOf(type, limits), depthMax: limits.jsonDepthMax })
  const envelope = object(json, 'the file')
  const signatures = array(envelope['signatures'], 'signatures').map((item) => {
    const signature = object(item, 'a signature')
    return { keyid: text(signature['keyid'], 'keyid'), sig: text(signature['sig'], 'sig') }
  })
  noneTwice(
    signatures.map(({ keyid }) => keyid),
    'a key id signs twice',
  )
  const signed = object(envelope['signed'], 'signed')
  if (signed['_type'] !== type) throw malformed(`_type is not ${type}`)
  if (!/^1\.\d{1,5}(?:\.\d{1,5})?$/.test(text(signed['spec_version'], 'spec_version'))) {
    throw trustError('unsupported_specification', 'spec_version is not 1.x')
  }
  integer(signed['version'], 1, 'version')
  instant(signed['expires'])
  checkers[type](signed)
  const metadata: Metadata<SignedByType[T]> = {
    bytes: own,
    signedBytes: canonicalJson(signed),
    signatures,
    signed: signed as unknown as SignedByType[T],
  }
  if (profile === 'strict') {
    const [finding] = await lintMetadata(metadata)
    if (finding) {
      throw trustError('profile_violation', `${type}: ${finding.name}: ${finding.message}`)
    }
  }
  return metadata
}

function bytesMaxOf(type: RoleType, limits: TufLimits): number {
  switch (type) {
    case 'root':
      return limits.rootBytesMax
    case 'timestamp':
      return limits.timestampBytesMax
    case 'snapshot':
      return Math.max(limits.snapshotBytesMax, limits.statedBytesMax)
    case 'targets':
      return Math.max(limits.targetsBytesMax, limits.statedBytesMax)
  }
}

const malformed = (what: string) => trustError('metadata_malformed', what)

function object(value: JsonValue | undefined, what: string): JsonObject {
  if (!isJsonObject(value)) throw malformed(`${what} is not an object`)
  return value
}

function array(value: JsonValue | undefined, what: string): JsonValue[] {
  if (!Array.isArray(value)) throw malformed(`${what} is not a list`)
  return value
}

function text(value: JsonValue | undefined, what: string): string {
  if (typeof value !== 'string') throw malformed(`${what} is not text`)
  return value
}

function texts(value: JsonValue | undefined, what: string): string[] {
  return array(value, what).map((item) => text(item, what))
}

function integer(
  value: JsonValue | undefined,
  min: number,
  what: string,
  max = Number.MAX_SAFE_INTEGER,
): number {
  if (typeof value !== 'number' || value < min || value > max) {
    throw malformed(`${what} is not a whole number from ${min} to ${max}`)
  }
  return value
}

function instant(value: JsonValue | undefined): void {
  try {
    parseInstant(text(value, 'an instant'))
  } catch (cause) {
    throw trustError('metadata_malformed', 'an instant is not YYYY-MM-DDTHH:MM:SSZ', { cause })
  }
}

function noneTwice(names: readonly string[], what: string): void {
  if (new Set(names).size !== names.length) throw malformed(what)
}

const checkers: Record<RoleType, (signed: JsonObject) => void> = {
  root(signed) {
    const consistent = signed['consistent_snapshot']
    if (consistent !== undefined && typeof consistent !== 'boolean') {
      throw malformed('consistent_snapshot is neither true nor false')
    }
    checkKeys(signed['keys'])
    const roles = object(signed['roles'], 'roles')
    for (const role of topLevelRoles) checkRoleKeys(object(roles[role], role))
  },
  timestamp(signed) {
    const meta = object(signed['meta'], 'meta')
    checkFileMeta(meta['snapshot.json'])
    if (Object.keys(meta).length !== 1) throw malformed('meta names more than the snapshot')
    const ours = signed['seaworthy']
    if (ours !== undefined) instant(object(ours, 'seaworthy')['signedAt'])
  },
  snapshot(signed) {
    const meta = object(signed['meta'], 'meta')
    if (!('targets.json' in meta)) throw malformed('meta lacks targets.json')
    for (const file of Object.values(meta)) checkFileMeta(file)
  },
  targets(signed) {
    for (const value of Object.values(object(signed['targets'], 'targets'))) {
      const target = object(value, 'a target')
      integer(target['length'], 0, 'length')
      checkHashes(target['hashes'])
      if (target['custom'] !== undefined) object(target['custom'], 'custom')
    }
    if (signed['seaworthy'] !== undefined) {
      const marks = object(signed['seaworthy'], 'seaworthy')
      integer(marks['counterHighest'], 0, 'counterHighest', integerMax)
      integer(marks['floorHighest'], 0, 'floorHighest', integerMax)
      if (marks['retired'] !== undefined) {
        noneTwice(texts(marks['retired'], 'retired'), 'a role is retired twice')
      }
    }
    if (signed['delegations'] !== undefined) {
      checkDelegations(object(signed['delegations'], 'delegations'))
    }
  },
}

/** A key of an unknown kind is no fault: it is opaque here, and counts for no threshold later. */
function checkKeys(value: JsonValue | undefined): void {
  for (const key of Object.values(object(value, 'keys'))) {
    const { keytype, scheme, keyval } = object(key, 'a key')
    text(keytype, 'keytype')
    text(scheme, 'scheme')
    object(keyval, 'keyval')
  }
}

function checkRoleKeys(role: JsonObject): void {
  noneTwice(texts(role['keyids'], 'keyids'), 'a key id is listed twice')
  integer(role['threshold'], 1, 'threshold')
}

function checkFileMeta(value: JsonValue | undefined): void {
  const file = object(value, 'a file of meta')
  integer(file['version'], 1, 'version')
  if (file['length'] !== undefined) integer(file['length'], 0, 'length')
  if (file['hashes'] !== undefined) checkHashes(file['hashes'])
}

function checkHashes(value: JsonValue | undefined): void {
  const hashes = Object.values(object(value, 'hashes'))
  if (hashes.length === 0) throw malformed('hashes is empty')
  for (const hash of hashes) text(hash, 'a hash')
}

function checkDelegations(delegations: JsonObject): void {
  checkKeys(delegations['keys'])
  const { roles, succinct_roles: succinct } = delegations
  if ((roles === undefined) === (succinct === undefined)) {
    throw malformed('delegations need either roles or succinct_roles')
  }
  if (succinct !== undefined) {
    const bins = object(succinct, 'succinct_roles')
    checkRoleKeys(bins)
    if (integer(bins['bit_length'], 1, 'bit_length') > 32) throw malformed('bit_length above 32')
    text(bins['name_prefix'], 'name_prefix')
    return
  }
  const names = array(roles, 'roles').map((item) => {
    const role = object(item, 'a role')
    checkRoleKeys(role)
    if (typeof role['terminating'] !== 'boolean') throw malformed('terminating is not a boolean')
    const { paths, path_hash_prefixes: prefixes } = role
    if ((paths === undefined) === (prefixes === undefined)) {
      throw malformed('a role needs either paths or path_hash_prefixes')
    }
    texts(paths ?? prefixes, 'paths')
    const name = text(role['name'], 'name')
    if (name === '' || (topLevelRoles as readonly string[]).includes(name)) {
      throw malformed('a delegated role bears a reserved name')
    }
    return name
  })
  noneTwice(names, 'a role is delegated twice')
}
