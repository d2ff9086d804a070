/**
 * The tags under which people find signed releases in the registry. They are in no store: they are
 * read from verified metadata, so that no push can move them.
 */
import type { Digest } from '@seaworthy/oci/digests'
import type { App } from '../app.ts'
import { tagsOf } from './release-tag-rules.ts'

/** Each release by its version, and the newest of each channel by the name of the channel. */
export async function listReleaseTags(
  { trust, releases }: Pick<App, 'trust' | 'releases'>,
  product: string,
): Promise<ReadonlyMap<string, Digest | null>> {
  const state = await trust.freshState()
  if (state === undefined) return new Map()
  return tagsOf(product, state.releases, (channel) => releases.of({ product, channel })[0])
}
