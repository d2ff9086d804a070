/** What is on each platform of a release, for comparing two of them. */
import type { FileList } from '../bundle/file-list.ts'
import type { Digest } from '../digests.ts'

export interface ImagePart {
  name: string | undefined
  digest: Digest
  /** The size as counted here, or as the manifest says for a release that was signed before. */
  size: number
}

export type PlatformTree =
  | {
      kind: 'files'
      files: FileList
      /** The size of all files together. */
      bytes: number
      /** `seaworthy.json`, where it is a plain file of a possible length. */
      manifest: Uint8Array | undefined
    }
  /** An image: bytes without a file tree that could be shown. */
  | { kind: 'image'; parts: readonly ImagePart[]; bytes: number }
  | { kind: 'unchecked'; reason: string; bytes: number }

export interface ComparedTree {
  readonly platforms: ReadonlyMap<string, PlatformTree>
}
