/**
 * The house rules that a machine can check, by theme: one object each, with the code that it must
 * catch and the code that it must let through. `tidy.test.ts` runs them over the repository and
 * over their own examples.
 */
import { decisionRules } from './decision-rules.ts'
import { fileRules } from './file-rules.ts'
import { importRules } from './import-rules.ts'
import { inputRules } from './input-rules.ts'
import { keptFileRule } from './kept-file-rules.ts'
import { listRule } from './list-rules.ts'
import { lineRule } from './line-rules.ts'
import { logRule } from './log-rules.ts'
import { portRules } from './port-rules.ts'
import { presenceRule } from './presence-rules.ts'
import { programRules } from './program-rules.ts'
import { proseRules } from './prose-rules.ts'
import { refusalRules } from './refusal-rules.ts'
import type { Rule } from './rule.ts'
import { sampleRule } from './sample-rules.ts'
import { serverRules } from './server-rules.ts'
import { spreadRule } from './spread-rules.ts'
import { textRule } from './text-rules.ts'
import { typeRules } from './type-rules.ts'

export const houseRules: readonly Rule[] = [
  ...importRules,
  ...decisionRules,
  ...fileRules,
  ...inputRules,
  keptFileRule,
  listRule,
  lineRule,
  logRule,
  ...portRules,
  presenceRule,
  ...programRules,
  ...proseRules,
  ...refusalRules,
  sampleRule,
  ...serverRules,
  spreadRule,
  textRule,
  ...typeRules,
]
