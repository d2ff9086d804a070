/** Which signed release each tag of a product's repository means. */
import type { ReleaseFacts } from '@seaworthy/fleet/releases'
import type { Digest } from '@seaworthy/oci/digests'
import { isTag } from '@seaworthy/oci/names'

type SignedContent = Pick<ReleaseFacts, 'product' | 'channel' | 'version' | 'sha256'>

/**
 * The name of a channel means the newest release of that channel and nothing else: whoever signs
 * for another channel could otherwise call a release by that name. A name is `null`, and means
 * nothing, where channels sign it with different contents, or a channel has nothing to offer.
 */
export function tagsOf(
  product: string,
  signed: ReadonlyMap<string, readonly SignedContent[]>,
  newestOf: (channel: string) => Pick<ReleaseFacts, 'sha256'> | undefined,
): ReadonlyMap<string, Digest | null> {
  const contents = new Map<string, Set<string>>()
  const channels = new Map<string, Digest | null>()
  for (const releases of signed.values()) {
    const [first] = releases
    if (first?.product !== product) continue
    const newest = newestOf(first.channel)
    channels.set(first.channel, newest === undefined ? null : `sha256:${newest.sha256}`)
    for (const { version, sha256 } of releases) {
      contents.set(version, (contents.get(version) ?? new Set()).add(sha256))
    }
  }
  const versions = [...contents].map(([version, [sha256, ...others]]) => {
    const digest: Digest | null = others.length > 0 ? null : `sha256:${sha256!}`
    return [version, digest] as const
  })
  const tags = [...new Map([...versions, ...channels])].filter(([tag]) => isTag(tag))
  return new Map(tags.toSorted(([a], [b]) => (a < b ? -1 : 1)))
}
