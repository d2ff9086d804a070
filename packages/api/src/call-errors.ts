/**
 * How a call of the API fails. Whoever only tells of failures needs no schema, and starts faster
 * without.
 */
import type { Problem } from './problem-schema.ts'

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

export class MalformedReplyError extends Error {
  override readonly name = 'MalformedReplyError'
}
