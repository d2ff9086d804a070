/** `seaworthy release create`: from folders, layouts or registries to a registered release. */
import { copyFile, lstat, mkdir, readdir, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { ProblemError } from '@seaworthy/api/problems'
import type { ProductView } from '@seaworthy/api/products'
import { showProduct } from '@seaworthy/api/products'
import { createRelease, showRelease } from '@seaworthy/api/releases'
import { copyContent } from '@seaworthy/oci/content'
import { bundleManifestName, checkFolderManifest } from '@seaworthy/oci/bundle/manifest'
import type { Digest } from '@seaworthy/oci/digests'
import type { ImageLayout } from '@seaworthy/oci/layout'
import { createLayout, openLayout } from '@seaworthy/oci/layout'
import { manifestChildren, mediaTypes, parseManifest } from '@seaworthy/oci/manifests'
import { parseRegistryReference } from '@seaworthy/oci/names'
import { createRegistryClient, registryContent } from '@seaworthy/oci/registry/client'
import type { BuiltRelease, PlatformSource } from '@seaworthy/oci/release'
import { buildRelease } from '@seaworthy/oci/release'
import { releaseAnnotations } from '@seaworthy/oci/release-index'
import { mediaTypeOf } from '@seaworthy/sbom/documents'
import { TransportError } from '@seaworthy/std/http'
import { Refusal } from '@seaworthy/std/refusal'
import type { Context } from '../../context.ts'
import { CliError } from '../../failure.ts'
import { readHandedOver } from '../../handed-over-sboms.ts'
import { requireVersionOf } from '../../names.ts'
import { formatBytes, formatCount, harmless } from '../../output/format.ts'
import { productContent } from '../../registry.ts'
import { createSbomDescriber } from '../../release-sboms.ts'
import { withConnection } from '../../connection.ts'
import { makeWorkFolder } from '../../state/work-folders.ts'
import { describeRelease } from './view.ts'

export interface CreateReleaseOptions {
  platform: string[]
  from: string[]
  /** Whether files are taken as they are, however they are named. */
  raw?: boolean
  /** Bills of materials that the build hands over. */
  sbom?: string[]
  /** False where somebody has said that devices are to start nothing of it. */
  start: boolean
}

/**
 * Files that their makers have signed stay as they are: packing would only hide them from the
 * clients that they are for.
 */
const rawFile = /\.(?:swu|raucb)$/

/** Whether a source names what was packed before, in a registry or a layout. */
function isReference(source: string): boolean {
  return source.startsWith('docker://') || source.startsWith('oci:')
}

export async function createReleaseFrom(
  context: Context,
  product: string,
  version: string,
  { platform: platforms, from: sources, raw, sbom = [], start }: CreateReleaseOptions,
): Promise<void> {
  requireVersionOf(product, version)
  if (platforms.length !== sources.length) {
    throw new CliError('usage', `${platforms.length} --platform but ${sources.length} --from`, {
      wayOut: 'Give one --from for each --platform, in the same order.',
    })
  }
  const handedOver = await readHandedOver(sbom, platforms)
  const { existing, kind } = await findProduct(context, product, version)
  const isRaw =
    raw === true || kind === 'os-image' || sources.every((source) => rawFile.test(source))
  if (!start && (isRaw || sources.every((source) => isReference(source)))) {
    throw new CliError('usage', '--no-start is for folders and files that are packed here', {
      wayOut: 'Leave it out: it has no effect on files that stay as they are, nor on images.',
    })
  }
  const { folder: work, remove } = await makeWorkFolder('release', context.ports)
  const closers: (() => void)[] = []
  try {
    const layout = await createLayout(join(work, 'layout'), context.ports.random)
    const opened = isRaw
      ? await groupFiles(platforms, sources)
      : await Promise.all(
          platforms.map(async (name, i) => ({
            platform: name,
            source: await openSource(context, sources[i]!, {
              work: join(work, `file-${i}`),
              closers,
              start,
            }),
          })),
        )
    const built = await buildWithProgress(context, layout, {
      ...{ product, version },
      platforms: opened.map((one) => ({
        ...one,
        handedOver: handedOver.get(one.platform) ?? [],
      })),
    })
    if (existing !== undefined && existing !== built.descriptor.digest) {
      throw new CliError('refused', `${product} ${version} exists already with other content`, {
        wayOut: 'A version never changes: choose another one.',
      })
    }
    for (const line of describeDropped(built.dropped)) context.warn(line)
    for (const line of describeUncomputed(built, handedOver)) context.warn(line)
    await withConnection(context, async (connection) => {
      await pushWithProgress(context, layout, {
        digest: built.descriptor.digest,
        target: productContent(connection, product),
      })
      const view = await connection.client.call(createRelease, {
        params: { product },
        body: { version, digest: built.descriptor.digest },
      })
      context.show(view, () => [
        ...describeRelease(context, view),
        `It runs nowhere yet. Next: seaworthy publish ${product} ${version} --channel CHANNEL`,
      ])
    })
  } finally {
    for (const close of closers) close()
    await remove()
  }
}

/**
 * Asks the server, before anything is packed, whether it can be reached and has the product, and
 * what the version means there so far.
 */
async function findProduct(
  context: Context,
  product: string,
  version: string,
): Promise<{ kind: ProductView['kind']; existing: string | undefined }> {
  return await withConnection(context, async ({ client }) => {
    const { kind } = await client.call(showProduct, { params: { product } })
    try {
      const { digest } = await client.call(showRelease, { params: { product, version } })
      return { kind, existing: digest }
    } catch (error) {
      if (error instanceof ProblemError && error.status === 404)
        return { kind, existing: undefined }
      throw error
    }
  })
}

/** The files of an operating system image: one platform may have several. */
async function groupFiles(
  platforms: readonly string[],
  sources: readonly string[],
): Promise<{ platform: string; source: PlatformSource }[]> {
  for (const path of sources) {
    const stats = isReference(path) ? undefined : await stat(path)
    if (stats?.isFile() === true) {
      requireBytes(path, stats.size)
      continue
    }
    throw new CliError('usage', `${path} is no file, but the files of an image stay as they are`, {
      wayOut: 'Give one --from for each file, with its --platform before it.',
    })
  }
  return [...new Set(platforms)].map((platform) => ({
    platform,
    source: { kind: 'files', paths: sources.filter((_path, i) => platforms[i] === platform) },
  }))
}

/** `DIR`, `FILE`, `oci:DIR[:NAME]`, `docker://HOST/REPOSITORY:TAG`. */
async function openSource(
  context: Context,
  text: string,
  { work, closers, start }: { work: string; closers: (() => void)[]; start: boolean },
): Promise<PlatformSource> {
  if (text.startsWith('docker://')) return await openRegistrySource(context, text, closers)
  if (text.startsWith('oci:')) {
    const [, path, name] = /^oci:(.+?)(?::([^/:]+))?$/.exec(text) ?? []
    if (path === undefined) throw new CliError('usage', `${text} is not of the form oci:DIR[:NAME]`)
    const layout = await openLayout(path, context.ports.random)
    return { kind: 'content', source: layout, digest: (await layout.resolve(name)).digest }
  }
  const stats = await stat(text)
  if (stats.isDirectory()) {
    await requireContent(text)
    await requireStart(text, text, start)
    await checkManifest(text)
    return { kind: 'folder', path: text }
  }
  if (!stats.isFile()) throw new CliError('usage', `${text} is neither a file nor a folder`)
  requireBytes(text, stats.size)
  // A single file is a bundle that holds this file.
  await mkdir(work)
  await copyFile(text, join(work, basename(text)))
  await requireStart(work, text, start)
  await checkManifest(work, text)
  return { kind: 'folder', path: work }
}

function requireBytes(path: string, size: number): void {
  if (size > 0) return
  throw new CliError('refused', `${path} is an empty file`, {
    wayOut: 'Build it again: a version that is registered never changes.',
  })
}

async function requireContent(folder: string): Promise<void> {
  if ((await readdir(folder)).length > 0) return
  throw new CliError('refused', `${folder} is empty`, {
    wayOut: `Name the folder that holds the application and its ${bundleManifestName}.`,
  })
}

/**
 * Refuses a bundle of which devices would start nothing, unless somebody said that they are to:
 * most often its `seaworthy.json` was forgotten, and a version that is registered never changes.
 */
async function requireStart(folder: string, named: string, start: boolean): Promise<void> {
  const isThere = await lstat(join(folder, bundleManifestName)).then(
    () => true,
    () => false,
  )
  if (isThere === start) return
  throw isThere
    ? new CliError('usage', `${named} has a ${bundleManifestName}, which says what to start`, {
        wayOut: 'Leave --no-start out, or take that file away.',
      })
    : new CliError(
        'refused',
        `${named} has no ${bundleManifestName}: devices would start nothing`,
        {
          wayOut: `Give a folder with a ${bundleManifestName} that says what to start, such as {"start":["./app"]}, or say that devices only unpack it: --no-start.`,
        },
      )
}

/** Refuses, before anybody signs it, what every device would refuse. */
async function checkManifest(folder: string, named = folder): Promise<void> {
  try {
    await checkFolderManifest(folder)
  } catch (cause) {
    if (!(cause instanceof Refusal)) throw cause
    throw new CliError('refused', cause.message, {
      wayOut: `Correct it in ${named}: a device would refuse this release.`,
      cause,
    })
  }
}

async function openRegistrySource(
  { ports }: Context,
  text: string,
  closers: (() => void)[],
): Promise<PlatformSource> {
  let reference
  try {
    reference = parseRegistryReference(text.slice('docker://'.length))
  } catch (cause) {
    throw new CliError('usage', `${text} is not of the form docker://HOST/REPOSITORY[:TAG]`, {
      cause,
    })
  }
  // References to Docker Hub do not name the host of its registry.
  const host = reference.host === 'docker.io' ? 'registry-1.docker.io' : reference.host
  // A registry on this machine may do without TLS, as with other registry clients.
  const isLoopback = /^(?:localhost|127\.0\.0\.1|\[::1\])(?::\d+)?$/.test(host)
  const { transport, close } = ports.createTransport({ allowPlain: isLoopback })
  closers.push(close)
  const { repository } = reference
  const open = async (scheme: string) => {
    const client = createRegistryClient({ origin: `${scheme}://${host}`, transport })
    const { digest } = await client.getManifest(repository, reference.reference)
    return { kind: 'content', source: registryContent(client, repository), digest } as const
  }
  try {
    return await open('https')
  } catch (error) {
    if (!isLoopback || !(error instanceof TransportError)) throw error
    return await open('http')
  }
}

async function buildWithProgress(
  context: Context,
  layout: ImageLayout,
  release: Omit<Parameters<typeof buildRelease>[0], 'layout'>,
) {
  const progress = context.progress('pack')
  let doneBytes = 0
  const built = await buildRelease({
    ...release,
    layout,
    createDescriber: createSbomDescriber(release),
    onProgress: ({ bytes }) => {
      context.ports.signal.throwIfAborted()
      progress.update((doneBytes += bytes))
    },
  })
  progress.finish()
  return built
}

/** Names the platforms whose components nobody will know, while that can still be mended. */
function describeUncomputed(
  { bytes, platforms }: BuiltRelease,
  handedOver: ReadonlyMap<string, unknown>,
): string[] {
  const index = parseManifest(bytes, mediaTypes.index)
  if (index.kind !== 'index') return []
  const computed = new Set(
    index.manifests
      .filter(({ artifactType }) => artifactType === mediaTypeOf.cyclonedx)
      .map(({ annotations }) => annotations?.[releaseAnnotations.platform]),
  )
  return platforms
    .filter((platform) => !computed.has(platform) && !handedOver.has(platform))
    .map(
      (platform) =>
        `No bill of materials for ${platform}: of an image nothing is computed. Hand over the one that its build made: --sbom FILE.`,
    )
}

const droppedShownMax = 20

/**
 * Describes what a folder has that devices will not get. It is said before the push, because a
 * program may need it.
 */
function describeDropped(dropped: BuiltRelease['dropped']): string[] {
  const special = dropped.filter(({ what }) => what !== 'private')
  const hidden = dropped.filter(({ what }) => what === 'private')
  const left = special.length - droppedShownMax
  return [
    ...(special.length === 0
      ? []
      : [
          'Dropped, because a bundle carries no such modes; programs that need them will not work on devices:',
        ]),
    ...special
      .slice(0, droppedShownMax)
      .map(({ platform, path, what }) => `  ${what} of ${path} (${platform})`),
    ...(left > 0 ? [`  … and ${left} more`] : []),
    ...(hidden.length === 0
      ? []
      : [
          `Dropped: ${formatCount(hidden.length, 'entry', 'entries')} that others could not read here, ${hidden[0]!.path} among them; on devices everybody can.`,
        ]),
  ].map(harmless)
}

async function pushWithProgress(
  context: Context,
  layout: ImageLayout,
  { digest, target }: { digest: Digest; target: Parameters<typeof copyContent>[0]['target'] },
): Promise<void> {
  const progress = context.progress('push')
  const totalBytes = await sumBlobs(layout, digest, new Set())
  let doneBytes = 0
  await copyContent({
    source: layout,
    target,
    digest,
    onProgress: (bytes) => {
      context.ports.signal.throwIfAborted()
      progress.update((doneBytes += bytes), totalBytes)
    },
  })
  progress.finish()
  context.say(
    `Pushed. The release is ${formatBytes(totalBytes)}; what the server had already was not sent again.`,
  )
}

/** Bytes of all blobs below a manifest, each counted once. */
async function sumBlobs(layout: ImageLayout, digest: Digest, seen: Set<Digest>): Promise<number> {
  const { bytes, mediaType } = await layout.readManifest(digest)
  const manifest = parseManifest(bytes, mediaType)
  let total = 0
  for (const child of manifestChildren(manifest)) {
    if (seen.has(child.digest)) continue
    seen.add(child.digest)
    total += manifest.kind === 'index' ? await sumBlobs(layout, child.digest, seen) : child.size
  }
  return total
}
