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
import { readSbom } from '@seaworthy/response/components'
import type { Context } from '../../context.ts'
import { exitCodes } from '../../exit-codes.ts'
import { CliError } from '../../failure.ts'
import { handedOverTypes, listHandedOver } from '../../handed-over-sboms.ts'
import { formatCount, harmless } from '../../output/format.ts'
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
  /** What the build handed over, instead of what was computed. */
  handedOver?: boolean
  /** One of several that were handed over. */
  digest?: string
}

export async function showSbom(
  context: Context,
  product: string,
  version: string,
  options: SbomOptions,
): Promise<void> {
  if (options.digest !== undefined && options.handedOver !== true) {
    throw new CliError('usage', '--digest chooses one of several documents that were handed over', {
      wayOut: 'Add --handed-over, or leave it out: what was computed is one document.',
    })
  }
  await withConnection(context, async (connection) => {
    if (options.handedOver === true) {
      await showHandedOver(context, connection, { product, version, ...options })
      return
    }
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

/** What the build handed over: the components of a document, or with `--output` the document. */
async function showHandedOver(
  context: Context,
  connection: Connection,
  wanted: { product: string; version: string } & SbomOptions,
): Promise<void> {
  const { product, version } = wanted
  const source = productContent(connection, product)
  const { release } = await readReleaseIndex(source, await findRelease(context, connection, wanted))
  const platform = choosePlatform([...release.platforms.keys()], wanted.platform)
  const listed = listHandedOver(release).filter(
    (one) =>
      one.platform === platform &&
      (wanted.format === 'packages' || one.format === wanted.format) &&
      (wanted.digest === undefined || one.descriptor.digest === wanted.digest),
  )
  const [only, ...others] = listed
  if (only === undefined) {
    throw new CliError(
      'notFound',
      `nothing like that was handed over with ${product} ${version} for ${platform}`,
      { wayOut: 'A build hands documents over with `seaworthy release create … --sbom FILE`.' },
    )
  }
  if (others.length > 0) {
    throw new CliError('usage', `${listed.length} documents were handed over for ${platform}`, {
      wayOut: `Name one: ${listed.map((one) => `--digest ${one.descriptor.digest}`).join(' or ')}.`,
    })
  }
  const { descriptor, format } = only
  context.warn(
    `This was handed over by the build of ${product} ${version}: nothing here has compared it with the content.`,
  )
  const bytes = await readDocument(source, descriptor, handedOverTypes[format])
  const { digest } = descriptor
  if (wanted.output !== undefined) {
    await writeFile(wanted.output, bytes)
    context.show({ file: wanted.output, digest }, () => [
      `${wanted.output} holds the ${format} document that was handed over for ${platform}.`,
    ])
    return
  }
  if (wanted.format !== 'packages') {
    const text = utf8Decode(bytes).trimEnd()
    context.show(parseAnyJsonText(text), () => printableJson(text).split('\n'))
    return
  }
  const { components, others: unnamed } = readSbom(bytes)
  const rows = components.map(({ name, version: own, purl }) => ({ name, version: own, purl }))
  context.show(rows, () => [
    ...rows.map(({ name, version: own, purl }) => harmless(`${name}  ${own}  ${purl}`)),
    ...(unnamed.length === 0
      ? []
      : [`${formatCount(unnamed.length, 'component')} without a package URL that is known here.`]),
  ])
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
        'Bundles that `seaworthy release create` makes have one. Of images nothing is computed: see what their build handed over with --handed-over.',
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
