/**
 * The strict profile as a linter: rules that conforming metadata must follow in addition, so that
 * every client reads it alike. Runs in the repository before publishing, in the signing command,
 * and on the device.
 */
import { equalBytes } from '@seaworthy/std/bytes'
import { parseInstant } from '@seaworthy/std/time'
import { keyId, parsePublicKey } from '../keys/public-key.ts'
import { isJsonObject, wireJson } from './json.ts'
import { topLevelRoles } from './metadata.ts'
import type { AnySigned, KeyMap, Metadata, RoleKeys, TargetsSigned } from './metadata.ts'

export type FindingName =
  | 'not_wire_form'
  | 'specification_version'
  | 'integer_range'
  | 'instant_form'
  | 'no_consistent_snapshot'
  | 'key_unsupported'
  | 'keyid_not_hash'
  | 'keyid_unknown'
  | 'key_listed_twice'
  | 'key_unused'
  | 'keys_too_many'
  | 'threshold_range'
  | 'role_name'
  | 'target_path'
  | 'path_pattern'
  | 'delegation_form'
  | 'hash_missing'
  | 'length_missing'
  | 'signature_form'
  | 'mark_range'

export interface Finding {
  readonly name: FindingName
  /** The sentence for people. */
  readonly message: string
}

/** The most keys that may speak for one role: more than any organisation has key holders. */
export const keysPerRoleMax = 64
/** The most keys that one file may list, for all of its roles together. */
const keysPerFileMax = 1024
export const integerMax = 2 ** 31 - 1
/**
 * How far a counter may leap beyond the releases that are listed, or beyond the channel's own
 * highest: more than a product will ever release, and a small part of the whole range.
 */
export const counterStepMax = 2 ** 24
/**
 * The highest counter that a proposal may give a release. It is far below the last possible
 * counter, which nothing could follow. Only stolen keys sign beyond it, without a proposal; devices
 * take what was signed.
 */
export const counterMax = integerMax - counterStepMax
const roleName = /^[a-z][a-z0-9._-]*$/
const pathText = /^[A-Za-z0-9._/+-]+$/
const patternText = /^[A-Za-z0-9._/+*-]+$/

/**
 * Whether the strict profile allows it as a target path: plain characters, no empty or dot segment.
 */
function isTargetPath(path: string): boolean {
  return pathText.test(path) && hasPlainSegments(path)
}

function hasPlainSegments(path: string): boolean {
  return path.split('/').every((segment) => !['', '.', '..'].includes(segment))
}

/** All deviations from the strict profile; empty when there is none. */
export async function lintMetadata(metadata: Metadata): Promise<Finding[]> {
  const { signed, signatures } = metadata
  const findings = await lintSigned(signed)
  if (!equalBytes(metadata.bytes, wireJson({ signatures, signed }))) {
    findings.unshift({
      name: 'not_wire_form',
      message: 'the bytes are not the one canonical form of their content',
    })
  }
  for (const { keyid, sig } of signatures) {
    if (!/^[0-9a-f]{64}$/.test(keyid) || !/^(?:[0-9a-f]{2}){32,1024}$/.test(sig)) {
      findings.push({ name: 'signature_form', message: 'a signature or its key id is malformed' })
    }
  }
  return findings
}

/** The same for the signed part only: what a signer looks at before there is any signature. */
export async function lintSigned(signed: AnySigned): Promise<Finding[]> {
  const findings: Finding[] = []
  const add = (name: FindingName, message: string) => findings.push({ name, message })
  const integer = (value: number, what: string) => {
    if (!Number.isInteger(value) || value < 1 || value > integerMax) {
      add('integer_range', `${what} is not between 1 and 2^31-1`)
    }
  }
  const hashes = (value: Readonly<Record<string, string>> | undefined, names: string[]) => {
    for (const [name, length] of [
      ['sha256', 64],
      ['sha512', 128],
    ] as const) {
      const hash = value && Object.hasOwn(value, name) ? value[name] : undefined
      if (hash === undefined && !names.includes(name)) continue
      if (hash === undefined || hash.length !== length || !/^[0-9a-f]+$/.test(hash)) {
        add('hash_missing', `${name} is missing or malformed`)
      }
    }
    if (value && Object.keys(value).some((name) => name !== 'sha256' && name !== 'sha512')) {
      add('hash_missing', 'a hash other than sha256 and sha512')
    }
  }

  if (!/^1\.0\.\d{1,3}$/.test(signed.spec_version)) {
    add('specification_version', 'spec_version is not 1.0.x')
  }
  integer(signed.version, 'version')
  try {
    parseInstant(signed.expires)
  } catch {
    // It is reported as a finding like the others.
    add('instant_form', 'expires is not YYYY-MM-DDTHH:MM:SSZ')
  }
  switch (signed._type) {
    case 'root':
      if (signed.consistent_snapshot !== true) {
        add('no_consistent_snapshot', 'consistent_snapshot is not true')
      }
      for (const name of Object.keys(signed.roles)) {
        if (!(topLevelRoles as readonly string[]).includes(name)) {
          add('role_name', `${JSON.stringify(name)} is no top-level role`)
        }
      }
      await lintKeys(
        signed.keys,
        topLevelRoles.map((name) => [name, signed.roles[name]] as const),
        add,
      )
      break
    case 'timestamp':
    case 'snapshot':
      for (const [file, meta] of Object.entries(signed.meta)) {
        if (!file.endsWith('.json') || !roleName.test(file.slice(0, -5))) {
          add('role_name', `${JSON.stringify(file)} is not the file of a role`)
        }
        integer(meta.version, `the version of ${file}`)
        hashes(meta.hashes, ['sha256'])
        if (meta.length === undefined) add('length_missing', `${file} has no length`)
        else integer(meta.length, `the length of ${file}`)
      }
      break
    case 'targets':
      for (const [path, target] of Object.entries(signed.targets)) {
        if (!isTargetPath(path)) add('target_path', `${JSON.stringify(path)} is no path of ours`)
        integer(target.length, `the length of ${path}`)
        hashes(target.hashes, ['sha256', 'sha512'])
      }
      lintMarks(signed, add)
      await lintDelegations(signed, add)
      break
  }
  return findings
}

type Add = (name: FindingName, message: string) => void

/**
 * The marks of a channel outlive the releases that set them, but no release sets a floor above its
 * own counter, and none is that far above those that stay listed.
 */
function lintMarks({ seaworthy, targets }: TargetsSigned, add: Add): void {
  if (!seaworthy) return
  const { counterHighest, floorHighest } = seaworthy
  let listedHighest = 0
  for (const target of Object.values(targets)) {
    const facts = target.custom?.['seaworthy']
    const counter = isJsonObject(facts) ? facts['counter'] : undefined
    if (typeof counter === 'number') listedHighest = Math.max(listedHighest, counter)
  }
  if (floorHighest > counterHighest) {
    add('mark_range', `the floor ${floorHighest} is above every counter ever listed`)
  }
  if (counterHighest > Math.min(integerMax, listedHighest + counterStepMax)) {
    add('mark_range', `the highest counter ${counterHighest} is far above every listed release`)
  }
}

async function lintDelegations({ delegations }: TargetsSigned, add: Add): Promise<void> {
  if (!delegations) return
  if (!delegations.roles) {
    add('delegation_form', 'succinct roles are not used')
    return
  }
  for (const role of delegations.roles) {
    if (!roleName.test(role.name)) add('role_name', `${JSON.stringify(role.name)} as a role`)
    if (!role.paths || role.paths.length === 0) {
      add('delegation_form', `${role.name} is not delegated by paths`)
    }
    for (const pattern of role.paths ?? []) {
      if (!patternText.test(pattern) || !hasPlainSegments(pattern)) {
        add('path_pattern', `${JSON.stringify(pattern)} as a pattern`)
      }
    }
  }
  const roles = delegations.roles.map((role) => [role.name, role] as const)
  await lintKeys(delegations.keys, roles, add)
}

async function lintKeys(
  keys: KeyMap,
  roles: readonly (readonly [string, RoleKeys])[],
  add: Add,
): Promise<void> {
  const count = Object.keys(keys).length
  const crowded = roles.filter(([, { keyids }]) => keyids.length > keysPerRoleMax)
  for (const [name, { keyids }] of crowded) {
    add('keys_too_many', `${name} has ${keyids.length} keys, more than ${keysPerRoleMax}`)
  }
  if (count > keysPerFileMax) {
    add('keys_too_many', `${count} keys are listed, more than ${keysPerFileMax}`)
  }
  // Too many keys are not checked one by one: a hostile file would keep its reader busy.
  if (crowded.length > 0 || count > keysPerFileMax) return
  const materials = new Map<string, string>()
  for (const [id, key] of Object.entries(keys)) {
    try {
      materials.set(id, parsePublicKey(key).material)
    } catch {
      // It is reported as a finding like the others.
      add('key_unsupported', `the key ${id} is not an Ed25519 or P-256 key in our form`)
      continue
    }
    if (id !== (await keyId(key))) add('keyid_not_hash', `${id} is not the hash of its key`)
  }
  const used = new Set<string>()
  for (const [name, role] of roles) {
    const seen = new Set<string>()
    for (const id of role.keyids) {
      used.add(id)
      const material = materials.get(id)
      if (!Object.hasOwn(keys, id)) add('keyid_unknown', `${name} names a key that is not there`)
      else if (material !== undefined && seen.has(material)) {
        add('key_listed_twice', `${name} lists the same key twice`)
      }
      if (material !== undefined) seen.add(material)
    }
    if (!Number.isInteger(role.threshold) || role.threshold < 1 || role.threshold > seen.size) {
      add('threshold_range', `${name}: ${role.threshold} of ${seen.size} keys`)
    }
  }
  for (const id of Object.keys(keys)) {
    if (!used.has(id)) add('key_unused', `the key ${id} belongs to no role`)
  }
}
