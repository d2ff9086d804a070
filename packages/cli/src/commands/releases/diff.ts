/** `seaworthy release diff`: what changes on a device from one release to another. */
import { showRelease } from '@seaworthy/api/releases'
import { compareTrees, describeChanges } from '@seaworthy/oci/changes'
import { parseDigest } from '@seaworthy/oci/digests'
import type { Context } from '../../context.ts'
import { productContent } from '../../registry.ts'
import { describeLies, describeRest } from '../../trust/release-notes.ts'
import { createTreeReader } from '../../release-trees.ts'
import { withConnection } from '../../connection.ts'

export async function diffReleases(
  context: Context,
  product: string,
  versions: readonly [before: string, after: string],
  options: { all?: boolean },
): Promise<void> {
  await withConnection(context, async (connection) => {
    const source = productContent(connection, product)
    const reader = createTreeReader(context, source)
    const outlines = await Promise.all(
      versions.map(async (version) => {
        const view = await connection.client.call(showRelease, { params: { product, version } })
        return await reader.outline(parseDigest(view.digest))
      }),
    )
    const before = await reader.tree(outlines[0]!, 'before', true)
    const after = await reader.tree(outlines[1]!, 'proposed', false)
    reader.finish()
    const changes = compareTrees(before, after)
    context.show(changes, () => [
      ...describeChanges(changes, options).lines,
      ...describeLies(before).map((lie) => `! NOT CHECKED  ${lie}`),
      ...describeRest(after),
    ])
  })
}
