/** A proposal as a difference that a person can judge: what would change, and who has to agree. */
import { printable } from '@seaworthy/std/printable'
import { formatDuration, parseInstant } from '@seaworthy/std/time'
import { isTrustError } from './codes.ts'
import { canonicalJson } from './json.ts'
import { counterStepMax } from './lint.ts'
import type { KeyMap, RoleKeys, TargetFile, TargetsSigned } from './metadata.ts'
import { topLevelRoles } from './metadata.ts'
import { delegatorOf, roleKindOf } from './names.ts'
import { proposalProgress } from './proposal-sign.ts'
import type { CurrentMetadata, Proposal, ProposalDocument } from './proposal.ts'
import { channelMarks, listReleases, parseRelease } from './release.ts'

/**
 * Lines for a terminal. Nothing in them can move the cursor or hide text: what is not printable is
 * escaped.
 */
export async function describeProposal(
  proposal: Proposal,
  current: CurrentMetadata,
): Promise<string[]> {
  const lines = [`Proposal ${proposal.id}: ${proposal.title}`, `created ${proposal.createdAt}`]
  for (const document of proposal.documents) {
    lines.push('')
    for (const line of describeDocument(document, current)) lines.push(line)
  }
  lines.push('', 'Signatures')
  for (const { role, label, threshold, keyids, signedBy } of await proposalProgress(
    proposal,
    current,
  )) {
    const needed = `${signedBy.length} of ${threshold} needed`
    lines.push(`  ${role}, ${label}: ${needed}, ${keyids.length} keys may sign`)
    for (const id of signedBy) lines.push(`    signed by ${id}`)
  }
  return lines.map(printable)
}

function describeDocument({ role, signed }: ProposalDocument, current: CurrentMetadata): string[] {
  const before = role === 'root' ? current.root?.signed : current.roles.get(role)?.signed
  const lines = [
    `${role}  ${before ? `version ${before.version} -> ${signed.version}` : `new, version ${signed.version}`}`,
  ]
  const wasUntil = before ? ` (was ${before.expires})` : ''
  lines.push(`  expires ${signed.expires}${wasUntil}`)
  if (before) {
    const byMs = parseInstant(signed.expires).getTime() - parseInstant(before.expires).getTime()
    if (byMs < 0) lines.push(`  ! expires ${formatDuration(-byMs)} earlier than before`)
  }
  if (signed._type === 'root') {
    const old = before?._type === 'root' ? before : undefined
    for (const top of topLevelRoles) {
      const oldRole = old && { keys: old.keys, role: old.roles[top] }
      const ring = { keys: signed.keys, role: signed.roles[top] }
      for (const line of describeKeys(top, oldRole, ring)) lines.push(line)
    }
    return lines
  }
  const old = before?._type === 'targets' ? before : undefined
  return [
    ...lines,
    ...describeDelegations(old, signed),
    ...describeRetired(old, signed, current),
    ...describeReleases(old, signed),
  ]
}

interface Ring {
  readonly keys: KeyMap
  readonly role: RoleKeys
}

function describeKeys(name: string, before: Ring | undefined, after: Ring): string[] {
  const lines: string[] = []
  const { threshold, keyids } = after.role
  const oldIds = before?.role.keyids ?? []
  if (before?.role.threshold !== threshold) {
    const was = before ? `${before.role.threshold} -> ` : ''
    lines.push(`    threshold ${was}${threshold} of ${keyids.length} keys`)
  } else if (oldIds.length !== keyids.length) {
    lines.push(`    threshold stays ${threshold}, now of ${keyids.length} keys`)
  }
  const describe = (ring: Ring, id: string) =>
    `${id} ${Object.hasOwn(ring.keys, id) ? ring.keys[id]!.scheme : 'unknown'}`
  for (const id of keyids) {
    if (!oldIds.includes(id)) lines.push(`    + key ${describe(after, id)}`)
  }
  for (const id of oldIds) {
    if (!keyids.includes(id)) lines.push(`    - key ${describe(before!, id)}`)
  }
  return lines.length > 0 ? [`  ${name}`, ...lines] : []
}

function describeDelegations(before: TargetsSigned | undefined, after: TargetsSigned): string[] {
  const lines: string[] = []
  const oldRoles = before?.delegations?.roles ?? []
  const newRoles = after.delegations?.roles ?? []
  for (const role of newRoles) {
    const old = oldRoles.find(({ name }) => name === role.name)
    const paths = (role.paths ?? role.path_hash_prefixes ?? []).join(' ')
    if (!old) lines.push(`  + delegates ${paths} to ${role.name}`)
    else if (paths !== (old.paths ?? old.path_hash_prefixes ?? []).join(' ')) {
      lines.push(`  ! ${role.name} now speaks for ${paths}`)
    }
    const ring = { keys: after.delegations!.keys, role }
    const oldRing = old && { keys: before!.delegations!.keys, role: old }
    for (const line of describeKeys(role.name, oldRing, ring)) lines.push(line)
  }
  for (const { name } of oldRoles) {
    if (!newRoles.some((role) => role.name === name)) {
      lines.push(`  - no longer delegates to ${name}`)
    }
  }
  if (after.delegations?.succinct_roles) lines.push('  ! delegates to bins')
  return lines
}

function describeRetired(
  before: TargetsSigned | undefined,
  after: TargetsSigned,
  current: CurrentMetadata,
): string[] {
  const was = before?.seaworthy?.retired ?? []
  return (after.seaworthy?.retired ?? []).flatMap((role) => {
    if (was.includes(role)) return []
    const channels = [...current.roles].filter(
      ([name]) =>
        roleKindOf(name)?.kind === 'channel' && (name === role || delegatorOf(name) === role),
    )
    const counts = channels
      .map(
        ([name, { signed }]) =>
          `      releases of ${name}: ${listReleases(signed).releases.length}`,
      )
      .toSorted()
    return [
      `  ! retires ${role} for good: no device takes a release of it any more, and its name never comes back`,
      ...counts,
    ]
  })
}

function describeReleases(before: TargetsSigned | undefined, after: TargetsSigned): string[] {
  const lines: string[] = []
  const old = before?.targets ?? {}
  for (const [path, target] of Object.entries(after.targets)) {
    const was = Object.hasOwn(old, path) ? old[path] : undefined
    if (was && canonicalJson(was).toHex() === canonicalJson(target).toHex()) continue
    lines.push(`  ${was ? '! changes' : '+'} release ${path}`)
    for (const line of describeTarget(path, target)) lines.push(line)
  }
  for (const [path, target] of Object.entries(old)) {
    if (Object.hasOwn(after.targets, path)) continue
    lines.push(`  - release ${path}`)
    for (const line of describeTarget(path, target)) lines.push(line)
  }
  if (before) {
    const [was, is] = [channelMarks(before), channelMarks(after)]
    if (is.counterHighest < was.counterHighest || is.floorHighest < was.floorHighest) {
      lines.push(
        `  ! restarts the marks: counter ${was.counterHighest} -> ${is.counterHighest}, floor ${was.floorHighest} -> ${is.floorHighest}`,
      )
      for (const { path, counter } of listReleases(after).releases) {
        if (counter < is.floorHighest || counter >= was.floorHighest) continue
        lines.push(`  ! revives release ${path}, counter ${counter}: devices may take it again`)
      }
    }
    if (is.counterHighest - was.counterHighest > counterStepMax) {
      lines.push(`  ! leaps from counter ${was.counterHighest} to ${is.counterHighest}`)
    }
    if (is.floorHighest > was.floorHighest) {
      lines.push(`  ! raises the floor from ${was.floorHighest} to ${is.floorHighest}`)
      for (const { path, counter } of listReleases(after).releases) {
        if (counter >= is.floorHighest || counter < was.floorHighest) continue
        lines.push(`  ! ends release ${path}, counter ${counter}: no device takes it from then on`)
      }
    }
  }
  return lines
}

function describeTarget(path: string, target: TargetFile): string[] {
  const lines = [`      sha256 ${target.hashes['sha256'] ?? 'missing'}, ${target.length} bytes`]
  try {
    const release = parseRelease(path, target)
    const hardware = release.hardware.length > 0 ? `, hardware ${release.hardware.join(' ')}` : ''
    return [
      `      ${release.kind} for ${release.platforms.join(' ')}${hardware}`,
      `      counter ${release.counter}, floor ${release.floor}${release.security ? ', security' : ''}`,
      ...lines,
    ]
  } catch (error) {
    if (!isTrustError(error, 'release_malformed')) throw error
    return [`      ! ${error.message}`, ...lines]
  }
}
