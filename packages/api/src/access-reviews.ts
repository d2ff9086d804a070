/** Reviews of access: marked by a person, so that later reports say what is different (A4). */
import { z } from 'zod'
import { idField, instant, sha256Hex } from './fields.ts'
import { defineRoute } from './route.ts'

const accessReviewView = z.object({
  id: idField('review'),
  at: instant,
  /** The person or token that marked it. */
  by: z.string(),
  /** The person to whom that goes back. */
  reviewer: z.object({ id: z.string(), name: z.string().nullable() }),
  grantsCount: z.number().int().min(0),
})
export type AccessReviewView = z.output<typeof accessReviewView>

const seenGrant = z.object({
  kind: z.string(),
  id: z.string(),
  name: z.string().nullable(),
  holder: z.string(),
  role: z.string().nullable(),
  deniedBy: z.array(z.string()),
  permissions: z.array(z.string()),
  products: z.array(z.string()).nullable(),
  fleets: z.array(z.string()).nullable(),
  networks: z.array(z.string()).nullable(),
  isEnabled: z.boolean(),
})

const grantChange = z.object({
  kind: z.enum(['added', 'ended', 'changed']),
  /** Null for what was added since. */
  before: seenGrant.nullable(),
  /** Null for what has ended since. */
  now: seenGrant.nullable(),
})
export type GrantChangeView = z.output<typeof grantChange>

export const showAccessChanges = defineRoute({
  name: 'access-review.changes',
  method: 'GET',
  path: '/v1/access-reviews/changes',
  auth: 'actor',
  summary: 'Say what is different about who may do what since the last review.',
  reply: z.object({
    /** The last review; null where there was none, and everything counts as added. */
    review: accessReviewView.nullable(),
    /** The changes, of which the first 1,000 at most are listed. */
    changes: z.array(grantChange),
    changesCount: z.number().int().min(0),
    grantsCount: z.number().int().min(0),
    /** The digest of who may do what now, by which a review names what was looked at. */
    grantsSha256: sha256Hex,
  }),
})

export const createAccessReview = defineRoute({
  name: 'access-review.create',
  method: 'POST',
  path: '/v1/access-reviews',
  auth: 'actor',
  summary: 'Mark who may do what as reviewed, as it was shown.',
  body: z.strictObject({ grantsSha256: sha256Hex }),
  reply: accessReviewView,
  status: 201,
})
