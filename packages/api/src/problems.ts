/**
 * Errors as RFC 9457 problem documents. `code` is stable; `detail` may be shown to anyone. Which
 * status a code has is in `server/src/http/problems.ts`.
 */
export { ProblemError } from './call-errors.ts'
export type { Problem } from './problem-schema.ts'
export { problemSchema } from './problem-schema.ts'

/** The `type` of the problem documents with this code. */
export const problemType = (code: string): string => `https://seaworthy.dev/problems/${code}`

export const problemMediaType = 'application/problem+json'
