/** `seaworthy release diff`: what changes on a device from one release to another. */
import { showRelease } from '@seaworthy/api/releases'
import { parseDigest } from '@seaworthy/oci/digests'
import type { Context } from '../../context.ts'
import { productContent } from '../../registry.ts'
import { compareReleases, describeChanges, readRelease } from '../../release-changes.ts'
import { withSession } from '../../session.ts'

export async function diffReleases(
  context: Context,
  product: string,
  versions: readonly [before: string, after: string],
  options: { all?: boolean },
): Promise<void> {
  await withSession(context, async (session) => {
    const source = productContent(session, product)
    const [before, after] = await Promise.all(
      versions.map(async (version) => {
        const view = await session.client.call(showRelease, { params: { product, version } })
        return await readRelease(source, parseDigest(view.digest))
      }),
    )
    const changes = await compareReleases(source, before, after!)
    context.show(changes, () => describeChanges(changes, options.all ? Infinity : undefined))
  })
}
