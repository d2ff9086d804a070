/** What somebody states of a vulnerability, a release and a component, and what it must say. */
import { isHarmlessText } from './texts.ts'
import { Refusal } from '@seaworthy/std/refusal'
import { dayMs } from '@seaworthy/std/time'

export const vexStatuses = ['not_affected', 'affected', 'fixed', 'under_investigation'] as const
export type VexStatus = (typeof vexStatuses)[number]

/**
 * Why a release is not affected. The first five are those of CSAF and OpenVEX; the others are what
 * CycloneDX tells apart and the former do not.
 */
export const vexJustifications = [
  'component_not_present',
  'vulnerable_code_not_present',
  'vulnerable_code_not_in_execute_path',
  'vulnerable_code_cannot_be_controlled_by_adversary',
  'inline_mitigations_already_exist',
  'requires_configuration',
  'requires_dependency',
  'requires_environment',
  'protected_by_compiler',
  'protected_at_runtime',
  'protected_at_perimeter',
] as const
export type VexJustification = (typeof vexJustifications)[number]

export type VexFault = 'vex_statement_malformed' | 'vex_statement_expired'

/** What a statement says, apart from what it is about. */
export interface VexClaim {
  readonly status: VexStatus
  /** Only of what is not affected. */
  readonly justification: VexJustification | null
  /** Why it does not matter here, in words; empty where it is not said. */
  readonly impact: string
  /** What to do about it; empty where it is not said. */
  readonly action: string
  /** What else whoever looks at it should know; empty where there is nothing. */
  readonly notes: string
  /** Where to look for what was found: links, names of documents. */
  readonly evidence: readonly string[]
  /** Whether later releases with the very same component inherit it. */
  readonly isInherited: boolean
  readonly expiresAt: Date | null
}

export interface VexStatement extends VexClaim {
  readonly vulnerability: string
  readonly product: string
  readonly version: string
  /** The package URL of the component, as the release's bill of materials has it. */
  readonly purl: string
  /** Who states it: a person or token here, or what a document says of its author. */
  readonly author: string
  readonly statedAt: Date
}

const vexLimits = {
  textMax: 4000,
  evidenceMax: 16,
  evidenceTextMax: 500,
  authorMax: 200,
  /** No statement that others inherit holds for longer without somebody who looks again. */
  inheritedMs: 366 * dayMs,
} as const

/** Throws `vex_statement_malformed`, `vex_statement_expired`. */
export function requireSoundClaim(claim: VexClaim, now: Date): void {
  const fault = findFault(claim, now)
  if (fault !== undefined) {
    throw new Refusal<VexFault>('vex_statement_malformed', `the statement cannot be used: ${fault}`)
  }
  const { expiresAt } = claim
  if (expiresAt !== null && expiresAt <= now) {
    throw new Refusal<VexFault>(
      'vex_statement_expired',
      'the statement has expired already: look at the release again, and give it a later end',
    )
  }
}

function findFault(claim: VexClaim, now: Date): string | undefined {
  const { status, justification, impact, action, notes } = claim
  const { evidence, isInherited, expiresAt } = claim
  if (status === 'not_affected' && justification === null && impact === '') {
    return 'not_affected needs a justification, or words on the impact'
  }
  if (status !== 'not_affected' && justification !== null) {
    return `a justification is for what is not affected, and not for ${status}`
  }
  if (status === 'affected' && action === '') return 'affected needs an action: what to do about it'
  if (evidence.length > vexLimits.evidenceMax) {
    return `it has more than ${vexLimits.evidenceMax} pieces of evidence`
  }
  const texts = [impact, action, notes].map((text) => ({ text, max: vexLimits.textMax }))
  const pieces = evidence.map((text) => ({ text, max: vexLimits.evidenceTextMax }))
  for (const { text, max } of [...texts, ...pieces]) {
    if (text.length > max) return `a text is longer than ${max} characters`
    if (!isHarmlessText(text)) return 'a text holds control characters'
  }
  if (evidence.includes('')) return 'a piece of evidence is empty'
  if (!isInherited) return undefined
  if (expiresAt === null) return 'what later releases inherit must end: it needs an expiry'
  if (expiresAt.getTime() - now.getTime() > vexLimits.inheritedMs) {
    return 'what later releases inherit must end within a year'
  }
  return undefined
}
