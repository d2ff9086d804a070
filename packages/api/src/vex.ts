/**
 * What people state of vulnerabilities in releases (VEX, R13): a release is not affected although
 * a record says so, or is although none does.
 */
import { z } from 'zod'
import { idField, instant, pageOf, pageQuery, productName, text, versionField } from './fields.ts'
import { defineRoute } from './route.ts'

/** The id of a record, or another name of the flaw: `CVE-2021-44228`, `GHSA-…`, `ALSA-2025:1`. */
export const vulnerabilityName = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._:+-]{0,199}$/, 'the id of a record, such as CVE-2021-44228')

export const vexStatus = z.enum(['not_affected', 'affected', 'fixed', 'under_investigation'])
export const vexJustification = z.enum([
  'component_not_present',
  'vulnerable_code_not_present',
  'vulnerable_code_not_in_execute_path',
  'vulnerable_code_cannot_be_controlled_by_adversary',
  'inline_mitigations_already_exist',
  'requires_configuration',
  'requires_dependency',
  'requires_environment',
  'protected_by_compiler',
  'protected_at_runtime',
  'protected_at_perimeter',
])

const vexText = text(4000)
const purlField = text(500, 1)

const vexKey = {
  /** Any name of the flaw. */
  vulnerability: vulnerabilityName,
  product: productName,
  version: versionField,
  /** The package URL of the component, as the release's bill of materials has it. */
  purl: purlField,
}

const vexClaim = {
  status: vexStatus,
  /** Only of what is not affected, which needs one, or an impact. */
  justification: vexJustification.nullable(),
  /** Why it does not matter, in words. */
  impact: vexText,
  /** What to do about it; what is affected needs one. */
  action: vexText,
  /** What else whoever looks at it should know. */
  notes: vexText,
  /** Where to look for what was found. */
  evidence: z.array(text(500, 1)).max(16),
  /** Whether later releases with the very same component inherit it; then it must end. */
  isInherited: z.boolean(),
  expiresAt: instant.nullable(),
}

const vexStatementView = z.object({
  id: idField('statement'),
  ...vexKey,
  ...vexClaim,
  /** The person or token who answers for it. */
  reviewer: z.string(),
  /** The author whom an imported document names; null for what was said here. */
  author: z.string().nullable(),
  /** When it was said there; null for what was said here. */
  authoredAt: instant.nullable(),
  statedAt: instant,
  /** Only what is in force counts. What is `reopened` ended because a record changed. */
  state: z.enum(['in_force', 'expired', 'reopened', 'replaced', 'withdrawn']),
  endedAt: instant.nullable(),
  /** Null while it holds, and where a changed record ended it. */
  endedBy: z.string().nullable(),
})
export type VexStatementView = z.output<typeof vexStatementView>

/** Statements of one import, at most. */
export const vexImportMax = 100

/** A statement of a document. */
export const authoredVexStatement = z.strictObject({
  ...vexKey,
  ...vexClaim,
  /** The author whom the document names. */
  author: text(200),
  authoredAt: instant,
})
export type AuthoredVexStatement = z.output<typeof authoredVexStatement>

const statementParams = z.strictObject({ statementId: idField('statement') })

export const setVexStatement = defineRoute({
  name: 'vex.set',
  method: 'POST',
  path: '/v1/vex-statements',
  auth: 'actor',
  summary:
    'State whether a vulnerability affects a component of a release. What was stated before of the same three ends.',
  body: z.strictObject({ ...vexKey, ...vexClaim }),
  reply: vexStatementView,
  status: 201,
})
export type VexStatementBody = z.output<(typeof setVexStatement)['body']>

export const listVexStatements = defineRoute({
  name: 'vex.list',
  method: 'GET',
  path: '/v1/vex-statements',
  auth: 'actor',
  summary: 'List statements, oldest first: those in force, or also those that are over.',
  query: pageQuery.extend({
    vulnerability: vulnerabilityName.optional(),
    product: productName.optional(),
    version: versionField.optional(),
    purl: purlField.optional(),
    /** `reopened`: those to look at again, since they expired or a record changed. */
    state: z.enum(['in-force', 'reopened', 'all']).optional(),
  }),
  reply: pageOf(vexStatementView),
})

export const showVexStatement = defineRoute({
  name: 'vex.show',
  method: 'GET',
  path: '/v1/vex-statements/:statementId',
  auth: 'actor',
  summary: 'Show a statement, also one that is over.',
  params: statementParams,
  reply: vexStatementView,
})

export const withdrawVexStatement = defineRoute({
  name: 'vex.withdraw',
  method: 'POST',
  path: '/v1/vex-statements/:statementId/withdrawal',
  auth: 'actor',
  summary: 'End a statement: what records say counts again.',
  params: statementParams,
  reply: vexStatementView,
})

export const importVexStatements = defineRoute({
  name: 'vex.import',
  method: 'POST',
  path: '/v1/vex-statements/import',
  auth: 'actor',
  summary:
    'State what documents of others say. Each statement that cannot be used is set aside with the reason; one that is in force is replaced only where the call says so, and never by an older one.',
  body: z.strictObject({
    statements: z.array(authoredVexStatement).min(1).max(vexImportMax),
    replaces: z.boolean(),
  }),
  bodyBytesMax: 8 * 1024 * 1024,
  reply: z.object({
    taken: z.number().int().min(0),
    /** Those that are in force already, word for word. */
    unchanged: z.number().int().min(0),
    setAside: z.array(z.object({ label: z.string(), why: z.string() })),
  }),
})
export type VexImportReply = z.input<(typeof importVexStatements)['reply']>

export const listReleaseVexStatements = defineRoute({
  name: 'release.vex-statements',
  method: 'GET',
  path: '/v1/products/:product/releases/:version/vex-statements',
  auth: 'actor',
  summary:
    'List the statements that hold for a release, its own and inherited ones: the first 5,000.',
  params: z.strictObject({ product: productName, version: versionField }),
  reply: z.object({ items: z.array(vexStatementView) }),
})
