/**
 * Releases as a fleet sees them: verified facts from the caller, which has checked the signatures.
 */

export interface ReleaseFacts {
  readonly product: string
  readonly channel: string
  readonly version: string
  /** `<product>/<channel>/<version>` */
  readonly targetPath: string
  /** Digest of the release's OCI index. */
  readonly sha256: string
  /** Strictly increasing per product over all its channels. */
  readonly counter: number
  readonly floor: number
  readonly platforms: readonly string[]
  /** Empty means any hardware. */
  readonly hardware: readonly string[]
  /** Whether it is signed as a security release, which an emergency rollout requires. */
  readonly security: boolean
}

/** Refusals in addition to what `@seaworthy/oci` finds wrong with a release's content. */
export type ReleaseRefusal = 'release_exists' | 'release_not_found' | 'release_content_missing'

export { isBelowFloor, isNewer, newestFirst, newestRelease } from './order.ts'
