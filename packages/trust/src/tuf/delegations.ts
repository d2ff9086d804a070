/** Which delegated roles may speak for a target path, in which order (specification 4.5, 5.6.7). */
import { utf8Encode } from '@seaworthy/std/bytes'
import type { DelegatedRole, Delegations, SuccinctRoles } from './metadata.ts'
import type { KeyRing } from './threshold.ts'

/** A delegation that applies to a path. */
export interface MatchingDelegation {
  readonly name: string
  readonly terminating: boolean
  readonly ring: KeyRing
}

/**
 * The delegations of one role that apply to `path`, in order of appearance, none after a
 * terminating one.
 */
export async function matchDelegations(
  delegations: Delegations | undefined,
  path: string,
): Promise<MatchingDelegation[]> {
  if (!delegations) return []
  const { keys, roles, succinct_roles: succinct } = delegations
  if (succinct) {
    const name = binName(succinct, await sha256(path))
    return [{ name, terminating: false, ring: { keys, role: succinct } }]
  }
  const hash = roles?.some((role) => role.path_hash_prefixes) ? await sha256(path) : undefined
  const matching: MatchingDelegation[] = []
  for (const role of roles ?? []) {
    if (!appliesTo(role, path, hash?.toHex())) continue
    matching.push({ name: role.name, terminating: role.terminating, ring: { keys, role } })
    if (role.terminating) break
  }
  return matching
}

/**
 * The keys that `delegations` names for the role `name`, or `undefined` when it does not delegate
 * to it.
 */
export function findKeyRing(
  delegations: Delegations | undefined,
  name: string,
): KeyRing | undefined {
  const role = delegations?.roles?.find((candidate) => candidate.name === name)
  return delegations && role ? { keys: delegations.keys, role } : undefined
}

async function sha256(path: string): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest('SHA-256', utf8Encode(path)))
}

/** TAP 15: the bin is the first `bit_length` bits of the path's SHA-256. */
function binName({ bit_length: bits, name_prefix: prefix }: SuccinctRoles, hash: Uint8Array) {
  const first = ((hash[0]! << 24) | (hash[1]! << 16) | (hash[2]! << 8) | hash[3]!) >>> 0
  const bin = Math.floor(first / 2 ** (32 - bits))
  const width = (2 ** bits - 1).toString(16).length
  return `${prefix}-${bin.toString(16).padStart(width, '0')}`
}

function appliesTo(role: DelegatedRole, path: string, hash: string | undefined): boolean {
  if (role.path_hash_prefixes) {
    return role.path_hash_prefixes.some((prefix) => hash!.startsWith(prefix))
  }
  return (role.paths ?? []).some((pattern) => matchesPattern(path, pattern))
}

/** PATHPATTERN: segment by segment, as a shell's glob; no wildcard crosses a `/`. */
export function matchesPattern(path: string, pattern: string): boolean {
  const segments = path.split('/')
  const patterns = pattern.split('/')
  return (
    segments.length === patterns.length && segments.every((s, i) => matchesGlob(s, patterns[i]!))
  )
}

/**
 * Matches as Python's `fnmatch` does: `*`, `?`, `[set]`, `[!set]`. The time is at most proportional
 * to the product of the lengths.
 */
function matchesGlob(text: string, glob: string): boolean {
  const characters = Array.from(text)
  const tokens = tokenizeGlob(glob)
  let at = 0
  let token = 0
  let starToken = -1
  let starAt = 0
  while (at < characters.length) {
    const current = tokens[token]
    if (current === '*') {
      starToken = token++
      starAt = at
    } else if (typeof current === 'function' && current(characters[at]!)) {
      at++
      token++
    } else if (starToken >= 0) {
      token = starToken + 1
      at = ++starAt
    } else {
      return false
    }
  }
  while (tokens[token] === '*') token++
  return token === tokens.length
}

type GlobToken = '*' | ((character: string) => boolean)

function tokenizeGlob(glob: string): GlobToken[] {
  const characters = Array.from(glob)
  const tokens: GlobToken[] = []
  for (let i = 0; i < characters.length; i++) {
    const c = characters[i]!
    if (c === '*') {
      tokens.push('*')
    } else if (c === '?') {
      tokens.push(() => true)
    } else if (c === '[') {
      const negated = characters[i + 1] === '!'
      const from = i + (negated ? 2 : 1)
      // A `]` in first place stands for itself.
      const end = characters.indexOf(']', from + 1)
      if (end < 0) {
        tokens.push((character) => character === '[')
      } else {
        const isInSet = readSet(characters.slice(from, end))
        tokens.push((character) => isInSet(character) !== negated)
        i = end
      }
    } else {
      tokens.push((character) => character === c)
    }
  }
  return tokens
}

function readSet(characters: readonly string[]): (character: string) => boolean {
  const ranges: [number, number][] = []
  for (let i = 0; i < characters.length; i++) {
    const low = characters[i]!.codePointAt(0)!
    const isRange = characters[i + 1] === '-' && i + 2 < characters.length
    ranges.push([low, isRange ? characters[i + 2]!.codePointAt(0)! : low])
    if (isRange) i += 2
  }
  return (character) => {
    const point = character.codePointAt(0)!
    return ranges.some(([low, high]) => low <= point && point <= high)
  }
}
