/**
 * Errors as RFC 9457 problem documents. `code` is stable; `detail` may be shown to anyone. Which
 * status a code has is in `server/src/http/problems.ts`.
 */
import { z } from 'zod'
import { idField } from './fields.ts'

export const problemSchema = z.object({
  type: z.string(),
  title: z.string(),
  status: z.number().int(),
  code: z.string(),
  detail: z.string(),
  /** What is wrong in an `invalid_request`: where, and what is expected there. */
  issues: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
  /**
   * A challenge of the server (`assertion_expired`, `assertion_too_early`,
   * `assertion_challenge_invalid`): an assertion that carries it as `nonce` is not judged by the
   * device's clock.
   */
  challenge: z.string().max(512).optional(),
  /** The request for another person's approval (`approval_required`, `approval_void`). */
  approval: idField('approval').optional(),
})
export type Problem = z.output<typeof problemSchema>

/** The `type` of the problem documents with this code. */
export const problemType = (code: string): string => `https://seaworthy.dev/problems/${code}`

export const problemMediaType = 'application/problem+json'

/** The server's refusal, in its own words. */
export class ProblemError extends Error {
  override readonly name = 'ProblemError'
  readonly problem: Problem
  readonly status: number
  readonly code: string
  /** Seconds from Retry-After, where the server sent one. */
  readonly retryAfterSeconds: number | undefined

  constructor(problem: Problem, retryAfterSeconds?: number) {
    super(problem.detail)
    this.problem = problem
    this.status = problem.status
    this.code = problem.code
    this.retryAfterSeconds = retryAfterSeconds
  }
}
