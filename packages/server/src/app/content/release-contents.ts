/**
 * What is in a release, for people who look at it: folders, packages, and what changes from one
 * release to another. All of it is read from the content, and bounded: what would take long to read
 * is left to the command line, which says the same without a server's word.
 */
import type { ChangesView, PackageView } from '@seaworthy/api/release-contents'
import { parseFileList } from '@seaworthy/oci/bundle/file-list'
import type { ComparedTree, PlatformTree } from '@seaworthy/oci/changes'
import { compareTrees, describeChanges } from '@seaworthy/oci/changes'
import type { ContentSource } from '@seaworthy/oci/content'
import { storeContent } from '@seaworthy/oci/content'
import { collectVerified, parseDigest } from '@seaworthy/oci/digests'
import type { BundlePlatform, ImagePlatform, ReleaseOutline } from '@seaworthy/oci/release-content'
import {
  computeBundleFiles,
  readReleaseIndex,
  readReleaseOutline,
} from '@seaworthy/oci/release-content'
import { findDocuments, readDocument } from '@seaworthy/oci/release-documents'
import { readCycloneDx, readPackages } from '@seaworthy/response/components'
import { formatBytes } from '@seaworthy/std/byte-words'
import { cycloneDxMediaType } from '@seaworthy/std/media-types'
import { Refusal, TrustError } from '@seaworthy/std/refusal'
import type { App } from '../app.ts'
import type { Listed } from './release-folders.ts'
import { listedMax, pickFolder } from './release-folders.ts'

type Deps = Pick<App, 'contentReads' | 'store'>

const mebibyte = 1024 * 1024
const limits = {
  listBytesMax: 8 * mebibyte,
  layerBytesMax: 64 * mebibyte,
  sbomBytesMax: 8 * mebibyte,
  packagesMax: 5000,
  linesMax: 2000,
  textMax: 500,
} as const

export interface ReadableRelease {
  readonly product: string
  readonly version: string
  readonly digest: string
}

/** Lists one folder of what the release has for the platform, or says why it cannot. */
export async function listFolder(
  app: Deps,
  { product, digest }: ReadableRelease,
  { platform, folder }: { readonly platform: string; readonly folder: string },
  leaving: AbortSignal | undefined,
): Promise<Listed & { readonly why: string | null }> {
  const listed = await app.contentReads.queue(
    product,
    () =>
      orReason(async () => {
        const source = storeContent(app.store, product)
        const outline = await readReleaseOutline(source, parseDigest(digest))
        const found = outline.platforms.find((one) => one.platform === platform)
        if (found === undefined) return `the release has nothing for ${platform}`
        if (found.kind !== 'bundle') return listParts(found)
        if (found.list === undefined) return 'the bundle has no file list'
        if (found.list.size > limits.listBytesMax) return tooLong('the file list', found.list.size)
        const list = await collectVerified(source.readBlob(found.list), found.list)
        return pickFolder(parseFileList(list).entries, folder)
      }),
    leaving,
  )
  return typeof listed === 'string'
    ? { entries: [], entriesCount: 0, why: listed }
    : { ...listed, why: null }
}

function listParts({ parts }: ImagePlatform): Listed {
  const entries = parts.map(({ name, descriptor: { digest, size } }) => ({
    ...{ name: name ?? digest, type: 'part' as const, bytes: size, filesCount: 0 },
    ...{ isExecutable: false, target: null, digest },
  }))
  return { entries: entries.slice(0, listedMax), entriesCount: entries.length }
}

interface ListedPackages {
  readonly packages: PackageView[]
  readonly packagesCount: number
  readonly isIncomplete: boolean
}

/** Lists the packages that the bill of materials names, or says why it cannot. */
export async function listPackages(
  app: Deps,
  { product, digest }: ReadableRelease,
  platform: string,
  leaving: AbortSignal | undefined,
): Promise<ListedPackages & { readonly why: string | null }> {
  const listed = await app.contentReads.queue(
    product,
    () =>
      orReason(async () => {
        const source = storeContent(app.store, product)
        const { release } = await readReleaseIndex(source, parseDigest(digest))
        const artifact = findDocuments(release, cycloneDxMediaType).get(platform)
        if (artifact === undefined) return `the release has none for ${platform}`
        const bytes = await readDocument(source, artifact, cycloneDxMediaType, limits.sbomBytesMax)
        const packages = readPackages(bytes)
        return {
          packages: packages.slice(0, limits.packagesMax).map(viewPackage),
          packagesCount: packages.length,
          isIncomplete: readCycloneDx(bytes).isIncomplete,
        }
      }),
    leaving,
  )
  return typeof listed === 'string'
    ? { packages: [], packagesCount: 0, isIncomplete: false, why: listed }
    : { ...listed, why: null }
}

function viewPackage(one: ReturnType<typeof readPackages>[number]): PackageView {
  const { name, version, purl = null, licence = null } = one
  const cut = (text: string) => text.slice(0, limits.textMax)
  return {
    ...{ name: cut(name), version: cut(version) },
    purl: purl === null ? null : cut(purl),
    licence: licence === null ? null : cut(licence),
  }
}

/**
 * What changes on a device from one release to the other, as signers read it; all of the release is
 * new without another one.
 */
export async function describeReleaseChanges(
  app: Deps,
  before: ReadableRelease | undefined,
  after: ReadableRelease,
  leaving: AbortSignal | undefined,
): Promise<ChangesView> {
  return app.contentReads.queue(
    after.product,
    async (signal) => {
      const old = before === undefined ? undefined : await readTree(app, before, signal)
      const now = await readTree(app, after, signal)
      const found = [old, now].filter((one) => typeof one === 'string')
      if (typeof old === 'string' || typeof now === 'string') {
        return { lines: [], leftOutCount: 0, unchecked: found }
      }
      const { lines, leftOut, unchecked } = describeChanges(compareTrees(old, now))
      return {
        lines: lines.slice(0, limits.linesMax),
        leftOutCount: Math.max(0, lines.length - limits.linesMax) + leftOut.lines.length,
        unchecked: [...unchecked],
      }
    },
    leaving,
  )
}

async function readTree(
  app: Deps,
  { product, version, digest }: ReadableRelease,
  signal: AbortSignal,
): Promise<ComparedTree | string> {
  const source = storeContent(app.store, product)
  const outline = await orReason(() => readReleaseOutline(source, parseDigest(digest)))
  if (typeof outline === 'string') return `${version} cannot be read: ${outline}`
  return { platforms: await readPlatforms(source, outline, signal) }
}

async function readPlatforms(
  source: ContentSource,
  { platforms }: ReleaseOutline,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, PlatformTree>> {
  const trees = new Map<string, PlatformTree>()
  // Platforms often share a layer.
  const known = new Map<string, PlatformTree>()
  for (const platform of platforms) {
    signal.throwIfAborted()
    const key = platform.kind === 'bundle' ? platform.layer.digest : platform.platform
    const tree = known.get(key) ?? (await readPlatform(source, platform))
    known.set(key, tree)
    trees.set(platform.platform, tree)
  }
  return trees
}

async function readPlatform(
  source: ContentSource,
  platform: BundlePlatform | ImagePlatform,
): Promise<PlatformTree> {
  if (platform.kind !== 'bundle') {
    const parts = platform.parts.map(({ name, descriptor: { digest, size } }) => ({
      ...{ name, digest, size },
    }))
    const bytes = parts.reduce((sum, { size }) => sum + size, 0)
    return { kind: 'image', parts, bytes }
  }
  const { size: bytes } = platform.layer
  if (bytes > limits.layerBytesMax) {
    return { kind: 'unchecked', reason: tooLong('the bundle', bytes), bytes }
  }
  const computed = await orReason(() => computeBundleFiles(source, platform))
  if (typeof computed === 'string') return { kind: 'unchecked', reason: computed, bytes }
  const { files, fileBytes, manifest } = computed
  return { kind: 'files', files, bytes: fileBytes, manifest }
}

function tooLong(what: string, bytes: number): string {
  return `${what} has ${formatBytes(bytes)}, more than this server reads for a page: the command line reads it`
}

/** Turns a refusal that the content itself is to blame for into the reason. */
async function orReason<T>(work: () => Promise<T | string>): Promise<T | string> {
  try {
    return await work()
  } catch (error) {
    const isContent = error instanceof Refusal || error instanceof TrustError
    if (!isContent || error.code === 'caller_left') throw error
    return error.message.slice(0, limits.textMax)
  }
}
