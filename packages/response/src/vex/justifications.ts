/** One vocabulary of justifications, and what the three formats make of it. */
import type { VexJustification } from './statement.ts'

/** Those that CSAF and OpenVEX have. */
const common = [
  'component_not_present',
  'vulnerable_code_not_present',
  'vulnerable_code_not_in_execute_path',
  'vulnerable_code_cannot_be_controlled_by_adversary',
  'inline_mitigations_already_exist',
] as const satisfies readonly VexJustification[]
export type CommonJustification = (typeof common)[number]

/** The nearest of CSAF and OpenVEX, and the one of CycloneDX. */
const table: Record<VexJustification, readonly [CommonJustification, string]> = {
  component_not_present: ['component_not_present', 'code_not_present'],
  vulnerable_code_not_present: ['vulnerable_code_not_present', 'code_not_present'],
  vulnerable_code_not_in_execute_path: [
    'vulnerable_code_not_in_execute_path',
    'code_not_reachable',
  ],
  vulnerable_code_cannot_be_controlled_by_adversary: [
    'vulnerable_code_cannot_be_controlled_by_adversary',
    'code_not_reachable',
  ],
  inline_mitigations_already_exist: [
    'inline_mitigations_already_exist',
    'protected_by_mitigating_control',
  ],
  requires_configuration: [
    'vulnerable_code_cannot_be_controlled_by_adversary',
    'requires_configuration',
  ],
  requires_dependency: ['vulnerable_code_not_in_execute_path', 'requires_dependency'],
  requires_environment: [
    'vulnerable_code_cannot_be_controlled_by_adversary',
    'requires_environment',
  ],
  protected_by_compiler: ['inline_mitigations_already_exist', 'protected_by_compiler'],
  protected_at_runtime: ['inline_mitigations_already_exist', 'protected_at_runtime'],
  protected_at_perimeter: ['inline_mitigations_already_exist', 'protected_at_perimeter'],
}

/** The nearest one that CSAF and OpenVEX have. */
export function nearestOf(justification: VexJustification | null): CommonJustification | null {
  return justification === null ? null : table[justification][0]
}

export function isCommon(text: string): text is CommonJustification {
  return common.some((one) => one === text)
}

export function cycloneDxOf(justification: VexJustification): string {
  return table[justification][1]
}

/** What a justification of CycloneDX means, where nothing more exact is said. */
export function fromCycloneDx(text: string): VexJustification | undefined {
  switch (text) {
    case 'code_not_present':
      return 'vulnerable_code_not_present'
    case 'code_not_reachable':
      return 'vulnerable_code_not_in_execute_path'
    case 'protected_by_mitigating_control':
      return 'inline_mitigations_already_exist'
    case 'requires_configuration':
    case 'requires_dependency':
    case 'requires_environment':
    case 'protected_by_compiler':
    case 'protected_at_runtime':
    case 'protected_at_perimeter':
      return text
    default:
      return undefined
  }
}
