/** How documents name our releases: as `pkg:generic/PRODUCT@VERSION`. */
import type { VexStatement } from './statement.ts'

export type ReleaseName = Pick<VexStatement, 'product' | 'version'>

export function releasePurl({ product, version }: ReleaseName): string {
  return `pkg:generic/${product}@${encodeURIComponent(version)}`
}

/** The release, or `undefined` for anything else: a product of somebody else. */
export function readReleasePurl(purl: string): ReleaseName | undefined {
  const [, product, version] =
    /^pkg:generic\/([a-z][a-z0-9-]{0,62})@([^@?#/]{1,400})$/.exec(purl) ?? []
  if (product === undefined || version === undefined) return undefined
  try {
    return { product, version: decodeURIComponent(version) }
  } catch {
    return undefined
  }
}
