/** What the tree is. */
export interface Subject {
  readonly product: string
  readonly version: string
  readonly platform: string
  /** Digest of the content: `sha256:…`. */
  readonly digest: string
}
