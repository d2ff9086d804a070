/** What software is made of, read from bills of materials of any tool, in one form. */
export { orderOf, hasReleases } from './component.ts'
export type { SbomComponent } from './component.ts'
export { readCycloneDx } from './cyclonedx.ts'
export type { ReadSbom, SbomRefusal } from './cyclonedx.ts'
