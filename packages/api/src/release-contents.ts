/**
 * What is in a release, as the server reads it from the content, for people who look at it. Whoever
 * signs computes the same on a machine of their own.
 */
import { z } from 'zod'
import { platformField, productName, text, versionField } from './fields.ts'
import { defineRoute } from './route.ts'

const releaseParams = z.strictObject({ product: productName, version: versionField })
const count = z.number().int().min(0)

const entryView = z.object({
  name: z.string(),
  /** `part` is a file of an image, which has no tree. */
  type: z.enum(['file', 'directory', 'symlink', 'part']),
  /** Bytes of the file, or of all files below the folder. */
  bytes: count,
  /** Files and links below the folder; 0 for anything else. */
  filesCount: count,
  isExecutable: z.boolean(),
  /** Where a link leads. */
  target: z.string().nullable(),
  /** SHA-256 of a file, in hex; the digest of a part. */
  digest: z.string().nullable(),
})
export type ReleaseEntryView = z.output<typeof entryView>

export const listReleaseFiles = defineRoute({
  name: 'release.files',
  method: 'GET',
  path: '/v1/products/:product/releases/:version/files',
  auth: 'actor',
  summary: 'List one folder of what a release has for a platform: the first 1,000 entries.',
  params: releaseParams,
  query: z.strictObject({
    platform: platformField,
    /** Path of the folder, without a slash at its ends; the whole bundle without it. */
    folder: text(4096).optional(),
  }),
  reply: z.object({
    entries: z.array(entryView),
    entriesCount: count,
    /** Why nothing can be listed; null where it can. */
    why: z.string().nullable(),
  }),
})

/** Lines as signers read them; those that begin with `!` deserve a second look. */
export const changesView = z.object({
  lines: z.array(z.string()),
  /** Lines beyond the first 2,000, which only the command line shows. */
  leftOutCount: count,
  /** Content that could not be compared here, with the reasons. */
  unchecked: z.array(z.string()),
})
export type ChangesView = z.output<typeof changesView>

export const showReleaseChanges = defineRoute({
  name: 'release.changes',
  method: 'GET',
  path: '/v1/products/:product/releases/:version/changes',
  auth: 'actor',
  summary: 'Show what changes on a device from another release to this one.',
  params: releaseParams,
  query: z.strictObject({ from: versionField }),
  reply: changesView,
})

const packageView = z.object({
  name: z.string(),
  version: z.string(),
  purl: z.string().nullable(),
  /** The words of the document: an SPDX expression, or whatever its maker wrote. */
  licence: z.string().nullable(),
})
export type PackageView = z.output<typeof packageView>

export const listReleasePackages = defineRoute({
  name: 'release.packages',
  method: 'GET',
  path: '/v1/products/:product/releases/:version/packages',
  auth: 'actor',
  summary:
    'List the packages that the bill of materials of a release names for a platform: the first 5,000.',
  params: releaseParams,
  query: z.strictObject({ platform: platformField }),
  reply: z.object({
    packages: z.array(packageView),
    packagesCount: count,
    /** The document says itself that it does not list everything. */
    isIncomplete: z.boolean(),
    /** Why nothing can be listed; null where it can. */
    why: z.string().nullable(),
  }),
})
