/**
 * Advisories. Promises: a draft is known to the readers of its case, and to nobody else; nothing is
 * published that another person than its last editor has not reviewed as it is, or while its case
 * has an embargo; what was published is never changed, only followed by another version. Does not
 * decide how an advisory looks (`@seaworthy/response/advisories`).
 */
export type { WrittenAdvisory } from './advisories.ts'
export {
  createAdvisory,
  editAdvisory,
  listAdvisories,
  reviewAdvisory,
  showAdvisory,
} from './advisories.ts'
export { setPublisher, showPublisher } from './publisher.ts'
export { publishAdvisory, withdrawAdvisory } from './publishing.ts'
export { digestOf } from './sealing.ts'
export { setAdvisoryKey, showNextUnsigned, signAdvisory } from './signing.ts'
export { createPublicSite, listPages } from './site.ts'
