/** What the work of routes of statements on vulnerabilities refuses. */
import type { KnownCode } from './problems.ts'

const making = ['out_of_scope', 'vex_statement_expired', 'vex_statement_malformed'] as const

export const vexProblems = {
  'vex.set': [...making, 'release_not_found', 'vex_component_not_found'],
  'vex.import': [],
  'release.vex-statements': ['out_of_scope', 'product_not_found', 'release_not_found'],
  'vex.list': [],
  'vex.show': ['out_of_scope', 'vex_statement_not_found'],
  'vex.withdraw': ['out_of_scope', 'vex_statement_ended', 'vex_statement_not_found'],
} as const satisfies Readonly<Record<string, readonly KnownCode[]>>
