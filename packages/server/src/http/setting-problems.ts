/** The problem codes of the routes for variables and secrets. */
import type { KnownCode } from './problems.ts'

/** Codes for a fleet or device that is not there. */
const settingFaults = [
  'fleet_not_found',
  'device_not_found',
  'device_elsewhere',
] as const satisfies readonly KnownCode[]

const changeFaults = ['configuration_changed', 'out_of_scope', 'setting_of_other_kind'] as const
const setFaults = [...settingFaults, ...changeFaults, 'configuration_too_large'] as const

export const settingProblems = {
  'variable.list': [...settingFaults, 'out_of_scope'],
  'variable.remove': [...settingFaults, ...changeFaults, 'variable_not_found'],
  'variable.set': setFaults,
  'secret.list': [...settingFaults, 'out_of_scope'],
  'secret.remove': [...settingFaults, ...changeFaults, 'secret_not_found'],
  'secret.seal': [...settingFaults, ...changeFaults, 'seal_unusable', 'secret_not_found'],
  'secret.set': setFaults,
  'secret.set-held': setFaults,
} as const satisfies Readonly<Record<string, readonly KnownCode[]>>
