/** What software is made of, read from bills of materials of any tool, in one form. */
export { orderOf, hasReleases } from './component.ts'
export type { SbomComponent } from './component.ts'
export { readPackages } from './packages.ts'
export { readCycloneDx, readSbom } from './sbom.ts'
export type { ReadSbom, SbomRefusal } from './document.ts'
