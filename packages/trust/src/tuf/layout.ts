/**
 * The shape of our own tree: `targets` only delegates to products, a product only to its channels,
 * a channel only lists releases. In such a tree every client finds the same single role for every
 * path.
 */
import { isTrustError } from './codes.ts'
import type { TargetsSigned } from './metadata.ts'
import { roleKindOf } from './names.ts'
import { channelMarks, parseRelease } from './release.ts'

export interface LayoutFinding {
  readonly name:
    | 'role_place'
    | 'target_place'
    | 'delegation_place'
    | 'release'
    | 'counter_twice'
    | 'high_water'
    | 'retired'
  readonly message: string
}

/** The one pattern by which a delegated role of ours is reached. */
export function layoutPattern(role: string): string | undefined {
  const kind = roleKindOf(role)
  if (kind?.kind === 'product') return `${kind.product}/*/*`
  if (kind?.kind === 'channel') return `${kind.product}/${kind.channel}/*`
  return undefined
}

/** Deviations of a delegating role, `targets` or a product's. */
export function lintDelegator(role: string, signed: TargetsSigned): LayoutFinding[] {
  const findings: LayoutFinding[] = []
  if (Object.keys(signed.targets).length > 0) {
    findings.push({ name: 'target_place', message: `${role} lists targets itself` })
  }
  const retired = signed.seaworthy?.retired ?? []
  for (const name of retired) {
    if (isBelow(role, name)) continue
    findings.push({ name: 'retired', message: `${role} says of ${name} that it is retired` })
  }
  for (const child of signed.delegations?.roles ?? []) {
    if (retired.includes(child.name)) {
      const message = `${role} delegates to ${child.name}, which is retired for good`
      findings.push({ name: 'retired', message })
    }
    if (!isBelow(role, child.name)) {
      findings.push({ name: 'role_place', message: `${role} delegates to ${child.name}` })
    } else if (
      !child.terminating ||
      child.paths?.length !== 1 ||
      child.paths[0] !== layoutPattern(child.name)
    ) {
      findings.push({
        name: 'delegation_place',
        message: `${role} delegates other paths to ${child.name} than its own`,
      })
    }
  }
  if (signed.delegations && !signed.delegations.roles) {
    findings.push({ name: 'delegation_place', message: `${role} delegates to bins` })
  }
  return findings
}

/** Whether `role` is the place in our tree from which `name` is delegated. */
function isBelow(role: string, name: string): boolean {
  const kind = roleKindOf(name)
  return role === 'targets'
    ? kind?.kind === 'product'
    : kind?.kind === 'channel' && kind.product === role
}

/** Deviations of a channel's role. */
function lintChannel(role: string, signed: TargetsSigned): LayoutFinding[] {
  const findings: LayoutFinding[] = []
  if (signed.delegations) {
    findings.push({ name: 'delegation_place', message: `${role} delegates` })
  }
  if (signed.seaworthy?.retired !== undefined) {
    findings.push({ name: 'retired', message: `${role} delegates nothing that could be retired` })
  }
  const counters = new Map<number, string>()
  for (const [path, target] of Object.entries(signed.targets)) {
    try {
      const { product, channel, counter } = parseRelease(path, target)
      if (role !== `${product}.${channel}`) {
        findings.push({ name: 'target_place', message: `${role} lists ${path}` })
      }
      const other = counters.get(counter)
      if (other !== undefined) {
        findings.push({
          name: 'counter_twice',
          message: `${path} and ${other} both have counter ${counter}`,
        })
      }
      counters.set(counter, path)
    } catch (error) {
      if (!isTrustError(error, 'release_malformed')) throw error
      findings.push({ name: 'release', message: error.message })
    }
  }
  const marks = channelMarks(signed)
  if (
    marks.counterHighest !== (signed.seaworthy?.counterHighest ?? 0) ||
    marks.floorHighest !== (signed.seaworthy?.floorHighest ?? 0)
  ) {
    findings.push({ name: 'high_water', message: `${role} has lost its highest counter or floor` })
  }
  return findings
}

/**
 * All deviations of a targets role from its position in the tree; none for a role that is not of
 * our tree.
 */
export function lintLayout(role: string, signed: TargetsSigned): LayoutFinding[] {
  const kind = roleKindOf(role)?.kind
  if (kind === 'targets' || kind === 'product') return lintDelegator(role, signed)
  if (kind === 'channel') return lintChannel(role, signed)
  return [{ name: 'role_place', message: `${role} is no role of our tree` }]
}
