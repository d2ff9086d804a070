/** The answer to whatever was thrown, as a problem document (RFC 9457). */
import { problemType } from '@seaworthy/api/problems'
import type { Problem } from '@seaworthy/api/problems'
import { Refusal, TrustError } from '@seaworthy/std/refusal'
import { ApprovalNeededRefusal, ClockRefusal } from '../app/access/index.ts'
import { refusalOf } from '../app/refusals.ts'
import { TooOftenRefusal } from '../app/worker/index.ts'
import { findProblem, HttpError } from './problems.ts'

export interface ProblemReply {
  readonly problem: Problem
  readonly headers: Readonly<Record<string, string>>
  /**
   * Whether it is a bug rather than a refusal by the rules: then the whole chain of causes belongs
   * in the log.
   */
  readonly isBug: boolean
}

export function problemOf(thrown: unknown): ProblemReply {
  const error = refusalOf(thrown)
  const mapped =
    error instanceof Refusal || error instanceof TrustError ? findProblem(error.code) : undefined
  if (mapped !== undefined) {
    const { code, message } = error as Refusal
    const isHttpError = error instanceof HttpError
    return {
      problem: {
        ...problem(mapped.status, mapped.title, code, message),
        ...(isHttpError && error.issues !== undefined ? { issues: error.issues } : {}),
        ...(error instanceof ClockRefusal ? { challenge: error.challenge } : {}),
        ...(error instanceof ApprovalNeededRefusal ? { approval: error.approval } : {}),
      },
      headers: {
        ...(mapped.status === 503 ? { 'retry-after': '1' } : {}),
        // A refusal because something is full, and not because of a rate, names no time itself.
        ...(mapped.status === 429 ? { 'retry-after': '60' } : {}),
        ...(error instanceof TooOftenRefusal
          ? { 'retry-after': String(error.retryAfterSeconds) }
          : {}),
        ...(isHttpError ? error.headers : {}),
      },
      isBug: false,
    }
  }
  return {
    problem: problem(500, 'Internal error', 'internal', 'The server made a mistake; it is logged.'),
    headers: {},
    isBug: true,
  }
}

function problem(status: number, title: string, code: string, detail: string): Problem {
  return { type: problemType(code), title, status, code, detail }
}
