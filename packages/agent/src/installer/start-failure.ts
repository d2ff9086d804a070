/** Which errors are failures of a trial, and which are bugs or a broken disk. */
import { TrustError } from '@seaworthy/std/refusal'
import { ProcessError } from '../ports.ts'
import { LocalFault } from '../refusals.ts'
import type { Verdict } from './release-plan.ts'
import { isContentRefusal } from './verified.ts'

export interface StartFailure {
  readonly code: string
  /** The reason in words, which may hold what reports must not. */
  readonly reason?: string | undefined
}

/** Why the application was not started; `undefined` for a bug. */
export function startFailure(error: unknown): StartFailure | undefined {
  if (error instanceof ProcessError) return { code: 'start_failed', reason: error.message }
  if (!(error instanceof LocalFault || isContentRefusal(error))) return undefined
  return { code: error.code, reason: error.message }
}

/** The verdict on a trial that ended with this error. Throws a bug again. */
export function verdictOf(error: unknown): Verdict {
  const failure = error instanceof TrustError ? { code: error.code } : startFailure(error)
  if (failure === undefined) throw error
  return { state: 'failed', ...failure }
}
