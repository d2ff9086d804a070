/**
 * The pages for the public. What lists need is kept in memory until something is published; an
 * advisory is read when somebody asks for it.
 */
import { createHash } from 'node:crypto'
import type { AdvisoryForm, AdvisorySite, SiteFile } from '@seaworthy/response/advisories'
import {
  fileNameOf,
  findAdvisoryFile,
  formMediaTypes,
  listSitePaths,
  osvOf,
  renderAdvisory,
  scoreOf,
  sharedFileOf,
} from '@seaworthy/response/advisories'
import type { AdvisoryHead } from '@seaworthy/response/advisories'
import type { PublicHeadRow, PublisherRow } from '../../db/advisories.ts'
import * as db from '../../db/advisories.ts'
import type { Actor } from '../access/index.ts'
import { requireUnscoped } from '../access/index.ts'
import type { App } from '../app.ts'
import { requirePublisher } from './publishing.ts'

type Deps = Pick<App, 'clock' | 'db'>

interface PublicSite {
  /** `undefined` where there is no such file, or nobody has said who publishes. */
  read(path: string): Promise<SiteFile | undefined>
}

export function createPublicSite(app: Deps, hasReportForm: boolean): PublicSite {
  let kept: { readonly serial: number; readonly heads: readonly AdvisoryHead[] } | undefined
  return {
    async read(path) {
      const row = await db.findPublisher(app.db.reader)
      if (row === undefined) return undefined
      if (kept?.serial !== row.serial) kept = { serial: row.serial, heads: await readHeads(app) }
      const site = siteOf(row, kept.heads, { hasReportForm, now: app.clock.now() })
      return sharedFileOf(site, path) ?? readAdvisoryFile(app, site, path)
    },
  }
}

/** Throws `out_of_scope`, `publisher_not_set`. */
export async function listPages(
  app: Deps,
  actor: Actor,
  now: Date,
): Promise<{ baseUrl: string; paths: string[] }> {
  requireUnscoped(actor, 'advisories are of')
  const row = requirePublisher(await db.findPublisher(app.db.reader))
  const site = siteOf(row, await readHeads(app), { hasReportForm: false, now })
  return { baseUrl: row.publisher.baseUrl, paths: listSitePaths(site) }
}

function siteOf(
  { publisher, setAt, openPgpKey, openPgpFingerprint }: PublisherRow,
  heads: readonly AdvisoryHead[],
  { hasReportForm, now }: Pick<AdvisorySite, 'hasReportForm' | 'now'>,
): AdvisorySite {
  const key =
    openPgpKey === null || openPgpFingerprint === null
      ? null
      : { fingerprint: openPgpFingerprint, text: openPgpKey }
  return { publisher, setAt, heads, openPgpKey: key, hasReportForm, now }
}

async function readHeads(app: Deps): Promise<AdvisoryHead[]> {
  return (await db.listPublicHeads(app.db.reader)).map(headOf)
}

function headOf({ content, ...row }: PublicHeadRow): AdvisoryHead {
  const { title, summary, credits } = content
  return { ...row, title, summary, credits, score: scoreOf(content) ?? null }
}

async function readAdvisoryFile(
  app: Deps,
  site: AdvisorySite,
  path: string,
): Promise<SiteFile | undefined> {
  const found = findAdvisoryFile(site, path)
  if (found === undefined) return undefined
  const { name, form } = found
  const versions = await db.listPublicVersions(app.db.reader, name)
  const newest = versions.at(-1)
  if (newest === undefined) return undefined
  const text = textOf(site, form, { name, versions, newest })
  return text === null ? undefined : { mediaType: formMediaTypes[form], text }
}

interface PublicVersions {
  readonly name: string
  readonly versions: readonly db.AdvisoryVersionRow[]
  readonly newest: db.AdvisoryVersionRow
}

function textOf(
  { publisher }: AdvisorySite,
  form: AdvisoryForm,
  { name, versions, newest }: PublicVersions,
): string | null {
  const { csaf, signature, content, withdrawnBecause } = newest
  const advisory = {
    ...{ name, content, withdrawnBecause },
    changes: versions.map(({ at, what }) => ({ at, what })),
  }
  switch (form) {
    case 'csaf':
      return csaf
    case 'signature':
      return signature
    case 'html':
      return renderAdvisory(publisher, advisory)
    case 'osv':
      return osvOf(publisher, advisory)
    case 'sha256':
    case 'sha512': {
      const digest = createHash(form).update(csaf).digest('hex')
      return `${digest}  ${fileNameOf(name)}.json\n`
    }
  }
}
