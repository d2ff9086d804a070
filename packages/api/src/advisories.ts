/**
 * Advisories: what the public is told of a flaw (R5, R10). A draft is known to those who are read
 * in to its case, and to nobody else; what is published is at `/advisories/` and
 * `/.well-known/csaf/`.
 */
import { z } from 'zod'
import { idField, instant, pageOf, pageQuery, productName, text, versionField } from './fields.ts'
import { defineRoute } from './route.ts'

export const advisoryParams = z.strictObject({ advisoryId: idField('advisory') })
const revisionField = z.number().int().min(1).max(2_147_483_647)
const reasonField = text(300, 1)

const affectedReleases = z.strictObject({
  product: productName,
  /** Null where every release before `fixed` has the flaw. */
  introduced: versionField.nullable(),
  /** Null where no release is rid of it yet. */
  fixed: versionField.nullable(),
})

export const advisoryContent = z.strictObject({
  title: text(200),
  summary: text(1000),
  description: text(20_000),
  /** What to do; empty for “install the fixed release”. */
  action: text(5000),
  workaround: text(5000),
  /** Identifiers such as CVE-2026-0001; at most one CVE. */
  ids: z.array(text(64, 1)).max(10),
  affected: z.array(affectedReleases).max(100),
  /** Vectors of CVSS, which the server scores. */
  cvss3: text(300, 1).nullable(),
  cvss4: text(300, 1).nullable(),
  credits: z.array(text(100, 1)).max(50),
  references: z.array(z.strictObject({ title: text(200, 1), url: text(500, 1) })).max(50),
})
export type AdvisoryContentView = z.output<typeof advisoryContent>

const advisoryView = z.object({
  id: idField('advisory'),
  /** The case whose readers see the advisory. */
  caseId: idField('case'),
  /** The name that the public knows; null before the first version is published. */
  name: z.string().nullable(),
  state: z.enum(['draft', 'reviewed', 'published', 'corrected', 'withdrawn']),
  title: z.string(),
  /** The score of its most severe vector. */
  score: z.number().nullable(),
  /** Rises with each edit; who reviews and publishes names what they have read. */
  revision: z.number().int(),
  editedBy: z.string(),
  reviewedBy: z.string().nullable(),
  openedAt: instant,
})
export type AdvisoryView = z.output<typeof advisoryView>

const advisoryDetails = advisoryView.extend({
  content: advisoryContent,
  /** What the public has had, oldest first. */
  versions: z.array(
    z.object({
      version: z.number().int(),
      at: instant,
      what: z.string(),
      isWithdrawal: z.boolean(),
      isSigned: z.boolean(),
      publishedBy: z.string(),
      reviewedBy: z.string().nullable(),
    }),
  ),
})
export type AdvisoryDetails = z.output<typeof advisoryDetails>

const publisherFields = {
  name: text(100, 1),
  /** The web site that tells this publisher from all others. */
  namespace: text(300, 1),
  /** Where the public finds the pages, such as https://security.example.com. */
  baseUrl: text(300, 1),
  /** An address `mailto:…` or `https://…`. */
  contact: text(300, 1),
  prefix: z.string().regex(/^[A-Z][A-Z0-9]{1,19}$/, 'two to 20 letters A-Z and digits'),
  scopeIn: text(5000),
  scopeOut: text(5000),
  supported: z
    .array(
      z.strictObject({
        product: productName,
        versions: text(100, 1),
        until: z.iso.date().nullable(),
      }),
    )
    .max(100),
}
const publisherView = z.object({
  ...publisherFields,
  /** The fingerprint of the OpenPGP key by which documents are signed. */
  openPgpFingerprint: z.string().nullable(),
  setAt: instant,
  setBy: z.string(),
})
export type AdvisoryPublisherView = z.output<typeof publisherView>

export const listAdvisories = defineRoute({
  name: 'advisory.list',
  method: 'GET',
  path: '/v1/advisories',
  auth: 'actor',
  summary: 'List the advisories of the cases that the caller is read in to, newest first.',
  query: pageQuery,
  reply: pageOf(advisoryView),
})

export const showAdvisory = defineRoute({
  name: 'advisory.show',
  method: 'GET',
  path: '/v1/advisories/:advisoryId',
  auth: 'actor',
  summary: 'Show an advisory as it is edited, and which versions the public has.',
  params: advisoryParams,
  reply: advisoryDetails,
})

export const createAdvisory = defineRoute({
  name: 'advisory.create',
  method: 'POST',
  path: '/v1/advisories',
  auth: 'actor',
  summary:
    'Draft an advisory. Without a case, one is opened for it, to which only the caller is read in.',
  body: z.strictObject({
    caseId: idField('case').optional(),
    /** Without it, a draft that has the title of the case and nothing else. */
    content: advisoryContent.optional(),
  }),
  bodyBytesMax: 256 * 1024,
  reply: advisoryDetails,
  status: 201,
})

export const editAdvisory = defineRoute({
  name: 'advisory.edit',
  method: 'PUT',
  path: '/v1/advisories/:advisoryId',
  auth: 'actor',
  summary:
    'Replace what an advisory says. It is a draft then, and what the public has stays until the next version is published.',
  params: advisoryParams,
  /** The revision that the caller has changed. */
  body: z.strictObject({ revision: revisionField, content: advisoryContent }),
  bodyBytesMax: 256 * 1024,
  reply: advisoryDetails,
})

export const reviewAdvisory = defineRoute({
  name: 'advisory.review',
  method: 'POST',
  path: '/v1/advisories/:advisoryId/reviews',
  auth: 'actor',
  summary: 'Say that an advisory is right as it is. Another person than its last editor does that.',
  params: advisoryParams,
  body: z.strictObject({ revision: revisionField }),
  reply: advisoryDetails,
})

export const publishAdvisory = defineRoute({
  name: 'advisory.publish',
  method: 'POST',
  path: '/v1/advisories/:advisoryId/versions',
  auth: 'actor',
  stepUp: true,
  summary: 'Publish a reviewed advisory, or a correction of what was published.',
  params: advisoryParams,
  body: z.strictObject({
    revision: revisionField,
    /** What a correction corrects, which the public reads. */
    what: reasonField.optional(),
  }),
  reply: advisoryDetails,
})

export const withdrawAdvisory = defineRoute({
  name: 'advisory.withdraw',
  method: 'POST',
  path: '/v1/advisories/:advisoryId/withdrawal',
  auth: 'actor',
  stepUp: true,
  summary: 'Withdraw a published advisory: its last version says why it does not count any more.',
  params: advisoryParams,
  body: z.strictObject({ reason: reasonField }),
  reply: advisoryDetails,
})

export const showPublisher = defineRoute({
  name: 'advisory.show-publisher',
  method: 'GET',
  path: '/v1/advisory-publisher',
  auth: 'actor',
  summary: 'Show who publishes advisories here, and what they promise.',
  reply: publisherView,
})

export const setPublisher = defineRoute({
  name: 'advisory.set-publisher',
  method: 'PUT',
  path: '/v1/advisory-publisher',
  auth: 'actor',
  stepUp: true,
  summary:
    'Say who publishes advisories here, and what they promise. From then on the server answers at /advisories/, /.well-known/csaf/ and /.well-known/security.txt.',
  body: z.strictObject(publisherFields),
  bodyBytesMax: 128 * 1024,
  reply: publisherView,
})

const advisoryName = z
  .string()
  .regex(/^[A-Z][A-Z0-9]{1,19}-[0-9]{4}-[0-9]{4,9}$/, 'the name of an advisory')

const nextUnsigned = z.object({
  /** The public key by which documents are signed; null where none was set. */
  publicKey: z.string().nullable(),
  /** How many published documents have no signature by it. */
  count: z.number().int(),
  /** The one of them that was published first. */
  next: z
    .object({
      name: z.string(),
      version: z.number().int(),
      /** The CSAF document, byte by byte. */
      document: z.string(),
    })
    .nullable(),
})
export type NextUnsignedView = z.output<typeof nextUnsigned>

export const setAdvisoryKey = defineRoute({
  name: 'advisory.set-openpgp-key',
  method: 'PUT',
  path: '/v1/advisory-publisher/openpgp-key',
  auth: 'actor',
  stepUp: true,
  summary:
    'Say by which OpenPGP key documents are signed. Another key than before takes all signatures away, until they are made by the new one.',
  body: z.strictObject({ publicKey: text(40_000, 1) }),
  bodyBytesMax: 128 * 1024,
  reply: publisherView,
})

export const showNextUnsigned = defineRoute({
  name: 'advisory.show-next-unsigned',
  method: 'GET',
  path: '/v1/advisory-signatures/next',
  auth: 'actor',
  summary: 'Show a published document that the OpenPGP key has not signed, and how many there are.',
  reply: nextUnsigned,
})

export const signAdvisory = defineRoute({
  name: 'advisory.sign',
  method: 'PUT',
  path: '/v1/advisory-signatures',
  auth: 'actor',
  summary:
    'Publish a detached OpenPGP signature of the newest CSAF document of an advisory, which the server verifies first.',
  body: z.strictObject({ name: advisoryName, signature: text(10_000, 1) }),
  bodyBytesMax: 64 * 1024,
  reply: z.object({ name: z.string(), version: z.number().int(), signedAt: instant }),
})

export const listAdvisoryPages = defineRoute({
  name: 'advisory.list-pages',
  method: 'GET',
  path: '/v1/advisory-pages',
  auth: 'actor',
  summary: 'List the path of each file that the public finds, for a copy on another host.',
  reply: z.object({ baseUrl: z.string(), paths: z.array(z.string()) }),
})
