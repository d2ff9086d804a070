/** The form of a problem document. */
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
