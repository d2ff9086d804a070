/** Uploads of a store that keeps them over a restart. */
import type { Digest } from '../digests.ts'
import type { AppendOptions } from './index.ts'

/** `Taken` is how a store hands on bytes that are whole. */
export interface Uploads<Taken> {
  create(repository: string): Promise<string>
  size(repository: string, uploadId: string): Promise<number>
  append(repository: string, uploadId: string, options: AppendOptions): Promise<number>
  /** Hands synced bytes of exactly that digest to `take`, then forgets the upload. */
  commit(
    repository: string,
    uploadId: string,
    digest: Digest,
    take: (taken: Taken) => Promise<void>,
  ): Promise<number>
  cancel(repository: string, uploadId: string): Promise<void>
  sweep(unusedSince: Date): Promise<number>
}
