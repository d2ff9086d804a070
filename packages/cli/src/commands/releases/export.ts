/** `seaworthy release export`: a release as a folder that anybody can check with common tools. */
import type { CurrentMetadata, Release } from '@seaworthy/trust/tuf'
import { listReleases, roleKindOf } from '@seaworthy/trust/tuf'
import type { Context } from '../../context.ts'
import { CliError } from '../../failure.ts'
import { productContent } from '../../registry.ts'
import { writeExport } from '../../release-export.ts'
import type { Connection } from '../../connection.ts'
import { withConnection } from '../../connection.ts'
import { requireEmptyFolder } from '../../state/files.ts'
import { requireRegistered } from '../../trust/open-proposals.ts'
import { fetchRootHistory, requireRepository } from '../../trust/repository-view.ts'

export async function exportRelease(
  context: Context,
  product: string,
  version: string,
  options: { output: string; channel?: string },
): Promise<void> {
  const { output } = options
  await requireEmptyFolder(output)
  await withConnection(context, async (connection) => {
    const view = await requireRepository(context, connection, [product])
    const find = () => findSigned(view.current, product, version, options.channel)
    const release = await explainingAbsence(connection, { product, version }, find)
    const progress = context.progress('export')
    let doneBytes = 0
    await writeExport({
      folder: output,
      release,
      view,
      roots: await fetchRootHistory(connection, view),
      source: productContent(connection, product),
      random: context.ports.random,
      onProgress: (bytes) => progress.update((doneBytes += bytes)),
    })
    progress.finish()
    context.show({ folder: output, path: release.path, sha256: release.sha256 }, () => [
      `${output} holds ${release.path}. How to check it with sha256sum, jq and openssl: ${output}/VERIFY.md`,
    ])
  })
}

/** Reports a release that nobody has made as missing, rather than as not signed. */
export async function explainingAbsence(
  connection: Connection,
  named: { readonly product: string; readonly version: string },
  find: () => Release,
): Promise<Release> {
  try {
    return find()
  } catch (error) {
    await requireRegistered(connection, named)
    throw error
  }
}

/**
 * The release as a channel's keys signed it; the channel must be named where several list the
 * version.
 */
export function findSigned(
  current: CurrentMetadata,
  product: string,
  version: string,
  channel: string | undefined,
): Release {
  const found: Release[] = []
  for (const [role, { signed }] of current.roles) {
    const kind = roleKindOf(role)
    if (kind?.kind !== 'channel' || kind.product !== product) continue
    if (channel !== undefined && kind.channel !== channel) continue
    for (const release of listReleases(signed).releases) {
      if (release.version === version) found.push(release)
    }
  }
  const [first, second] = found
  if (first === undefined) {
    throw new CliError(
      'notFound',
      `no channel of ${product} lists ${version}, so nobody has signed it`,
      {
        wayOut: `Publish it with \`seaworthy publish ${product} ${version} --channel CHANNEL\`.`,
      },
    )
  }
  if (second !== undefined && channel === undefined) {
    throw new CliError('usage', `${version} is on several channels`, {
      wayOut: `Name one: --channel ${found.map((release) => release.channel).join(' or --channel ')}.`,
    })
  }
  return first
}
