/** Which signed release each tag of a product's repository means. */
import type { ReleaseFacts } from '@seaworthy/fleet/releases'
import type { Digest } from '@seaworthy/oci/digests'
import { isTag } from '@seaworthy/oci/names'

type SignedContent = Pick<ReleaseFacts, 'product' | 'channel' | 'version' | 'sha256'>

/**
 * A version that its channels sign with different contents has no tag; nor has one that cannot be a
 * tag. The tag of a version goes before that of a channel of the same name.
 */
export function tagsOf(
  product: string,
  signed: ReadonlyMap<string, readonly SignedContent[]>,
  newestOf: (channel: string) => Pick<ReleaseFacts, 'sha256'> | undefined,
): ReadonlyMap<string, Digest> {
  const contents = new Map<string, Set<string>>()
  const found = new Map<string, Digest>()
  for (const releases of signed.values()) {
    const [first] = releases
    if (first?.product !== product) continue
    const newest = newestOf(first.channel)
    if (newest !== undefined) found.set(first.channel, `sha256:${newest.sha256}`)
    for (const { version, sha256 } of releases) {
      contents.set(version, (contents.get(version) ?? new Set()).add(sha256))
    }
  }
  for (const [version, [sha256, ...others]] of contents) {
    if (others.length > 0) found.delete(version)
    else found.set(version, `sha256:${sha256!}`)
  }
  const tags = [...found].filter(([tag]) => isTag(tag))
  return new Map(tags.toSorted(([a], [b]) => (a < b ? -1 : 1)))
}
