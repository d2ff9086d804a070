/** `seaworthy release sbom`: what a release says it is made of. */
import { writeFile } from 'node:fs/promises'
import { showRelease } from '@seaworthy/api/releases'
import type { Digest } from '@seaworthy/oci/digests'
import { parseDigest } from '@seaworthy/oci/digests'
import { findDocuments, readDocument } from '@seaworthy/oci/release-documents'
import { readReleaseIndex } from '@seaworthy/oci/release-content'
import type { DocumentKind } from '@seaworthy/sbom/documents'
import { mediaTypeOf } from '@seaworthy/sbom/documents'
import { utf8Decode } from '@seaworthy/std/bytes'
import { parseAnyJsonText } from '@seaworthy/std/json'
import { printableJson } from '@seaworthy/std/printable'
import type { Context } from '../../context.ts'
import { exitCodes } from '../../exit-codes.ts'
import { CliError } from '../../failure.ts'
import { productContent } from '../../registry.ts'
import type { Connection } from '../../connection.ts'
import { withConnection } from '../../connection.ts'
import { requireRepository } from '../../trust/repository-view.ts'
import { findSigned } from './export.ts'

export interface SbomOptions {
  platform?: string
  channel?: string
  format: DocumentKind
  output?: string
}

export async function showSbom(
  context: Context,
  product: string,
  version: string,
  options: SbomOptions,
): Promise<void> {
  await withConnection(context, async (connection) => {
    const { platform, digest, bytes } = await fetchSbom(context, connection, {
      ...{ product, version },
      ...options,
    })
    if (options.output !== undefined) {
      await writeFile(options.output, bytes)
      context.show({ file: options.output, digest }, () => [
        `${options.output} holds the ${options.format} document of ${product} ${version} for ${platform}.`,
      ])
      return
    }
    const text = utf8Decode(bytes).trimEnd()
    if (options.format === 'packages') {
      context.show(readRows(text), () =>
        text.split('\n').map((line) => line.replaceAll('\t', '  ')),
      )
    } else context.show(parseAnyJsonText(text), () => printableJson(text).split('\n'))
  })
}

/** A document of the release that a channel's keys have signed, or else the server's. */
export async function fetchSbom(
  context: Context,
  connection: Connection,
  wanted: { product: string; version: string } & SbomOptions,
): Promise<{ platform: string; digest: Digest; bytes: Uint8Array }> {
  const { product, version, format } = wanted
  const source = productContent(connection, product)
  const { release } = await readReleaseIndex(source, await findRelease(context, connection, wanted))
  const mediaType = mediaTypeOf[format]
  const platform = choosePlatform([...release.platforms.keys()], wanted.platform)
  const artifact = findDocuments(release, mediaType).get(platform)
  if (artifact === undefined) {
    throw new CliError('notFound', `${product} ${version} has no SBOM for ${platform}`, {
      wayOut:
        'Bundles that `seaworthy release create` makes have one; container images and operating system images do not yet.',
    })
  }
  context.warn(
    `This is what the builder of ${product} ${version} says of it: \`seaworthy release verify ${product} ${version}\` compares it with the content.`,
  )
  const { digest } = artifact
  return { platform, digest, bytes: await readDocument(source, artifact, mediaType) }
}

/** The release that a channel's keys have signed, or else the one that the server has. */
async function findRelease(
  context: Context,
  connection: Connection,
  { product, version, channel }: { product: string; version: string; channel?: string },
): Promise<Digest> {
  const { current } = await requireRepository(context, connection, [product])
  try {
    return parseDigest(`sha256:${findSigned(current, product, version, channel).sha256}`)
  } catch (error) {
    if (!(error instanceof CliError) || channel !== undefined) throw error
    if (error.exitCode !== exitCodes.notFound) throw error
  }
  const { digest } = await connection.client.call(showRelease, { params: { product, version } })
  context.warn(`Nobody has signed ${product} ${version}.`)
  return parseDigest(digest)
}

/** The lines of a package list, as objects. */
function readRows(text: string): object[] {
  const [head, ...lines] = text.split('\n').map((line) => line.split('\t'))
  return lines
    .filter((cells) => cells.length === head!.length)
    .map((cells) => Object.fromEntries(head!.map((name, i) => [name, cells[i]])))
}

function choosePlatform(platforms: readonly string[], wanted: string | undefined): string {
  if (wanted !== undefined && platforms.includes(wanted)) return wanted
  const [only, ...others] = platforms
  if (wanted === undefined && only !== undefined && others.length === 0) return only
  const wayOut = `Name one: --platform ${platforms.join(' or --platform ')}.`
  if (wanted === undefined) {
    throw new CliError('usage', 'the release has several platforms', { wayOut })
  }
  throw new CliError('notFound', `the release is not for ${wanted}`, { wayOut })
}
