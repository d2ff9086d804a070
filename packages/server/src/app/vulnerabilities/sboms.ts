/**
 * Reads what releases say they are made of, and compares it with the records that there are. What
 * was begun and not finished is done again the next time.
 */
import type { ReadSbom } from '@seaworthy/response/components'
import { storeContent } from '@seaworthy/oci/content'
import { parseDigest } from '@seaworthy/oci/digests'
import { findDocuments, readDocument } from '@seaworthy/oci/release-documents'
import { readReleaseIndex } from '@seaworthy/oci/release-content'
import { cycloneDxMediaType } from '@seaworthy/std/media-types'
import { Refusal, TrustError } from '@seaworthy/std/refusal'
import { hourMs } from '@seaworthy/std/time'
import { listUnreadReleases } from '../../db/components.ts'
import type { App } from '../app.ts'
import { absent, compareNew, readSbom, storeSbom } from './components.ts'

type Deps = Pick<App, 'clock' | 'db' | 'store'>

const documentBytesMax = 64 * 1024 * 1024
/** What could not be used may be there again, or be read by a newer server. */
const againMs = hourMs
const releasesPage = 20
const reasonMax = 500

/** Reads every release that was not read yet, and compares every new component. */
export async function readSboms(app: Deps, signal: AbortSignal): Promise<void> {
  const againBefore = new Date(app.clock.now().getTime() - againMs)
  for (;;) {
    const releases = await listUnreadReleases(app.db.reader, againBefore, releasesPage)
    for (const release of releases) {
      signal.throwIfAborted()
      await readRelease(app, release)
    }
    if (releases.length < releasesPage) break
  }
  while (!signal.aborted && (await compareNew(app))) continue
}

interface UnreadRelease {
  readonly product: string
  readonly version: string
  readonly digest: string
  readonly platforms: readonly string[]
}

async function readRelease(app: Deps, release: UnreadRelease): Promise<void> {
  const { product, version, digest, platforms } = release
  const sha256 = digest.slice('sha256:'.length)
  const documents = await findAll(app, release)
  // A release for no platform must not be read again and again either.
  for (const platform of platforms.length === 0 ? ['none'] : platforms) {
    const sbom = typeof documents === 'string' ? documents : await documents(platform)
    await storeSbom(app, { product, version, platform, sha256 }, sbom)
  }
}

/** The documents by platform, or why there are none. Throws where the store cannot be read. */
async function findAll(
  app: Deps,
  { product, digest }: UnreadRelease,
): Promise<string | ((platform: string) => Promise<ReadSbom | string>)> {
  const source = storeContent(app.store, product)
  const index = await orReason(() => readReleaseIndex(source, parseDigest(digest)))
  if (typeof index === 'string') return index
  const artifacts = findDocuments(index.release, cycloneDxMediaType)
  return async (platform) => {
    const artifact = artifacts.get(platform)
    if (artifact === undefined) return absent
    return orReason(async () => {
      const bytes = await readDocument(source, artifact, cycloneDxMediaType, documentBytesMax)
      return readSbom(bytes)
    })
  }
}

/**
 * Answers the message of an error that the content itself caused: it is malformed, or not what its
 * digest says. Throws every other error.
 */
async function orReason<T>(work: () => Promise<T>): Promise<T | string> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof Refusal || error instanceof TrustError)) throw error
    return error.message.slice(0, reasonMax)
  }
}
