/**
 * Advisories: what we tell the public of a flaw in what we ship. Promises: one reviewed content
 * gives every form of it (CSAF 2.0, OSV, a page, an entry of the feeds); the same content gives the
 * same bytes; no text of it becomes markup or a line of its own.
 */
export type { AdvisoryContent, AdvisoryPublisher, PublishedAdvisory } from './advisory.ts'
export { describeReleases } from './advisory.ts'
export type { AdvisoryFault } from './check.ts'
export { checkAdvisory, checkPublisher, checkReason, checkWholeAdvisory } from './check.ts'
export { csafOf, scoreOf } from './csaf.ts'
export { osvOf } from './osv.ts'
export { fileNameOf } from './paths.ts'
export { renderAdvisory } from './page.ts'
export type { AdvisoryHead, AdvisorySite, SiteFile } from './site-contents.ts'
export type { AdvisoryForm } from './site.ts'
export { findAdvisoryFile, formMediaTypes, listSitePaths, sharedFileOf } from './site.ts'
