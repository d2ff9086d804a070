/**
 * Quotas of bytes: what a product may hold in the registry. What it holds is counted in the
 * database: each content once, and what is set aside for uploads that have not ended. Bytes are set
 * aside before they are read, under a lock of the product, so that uploads at the same time never
 * hold more together than is allowed.
 */
import type { Digest } from '@seaworthy/oci/digests'
import type { StoredBlob } from '@seaworthy/oci/store'
import { Refusal } from '@seaworthy/std/refusal'
import * as db from '../../db/storage.ts'
import type { StorageRow, UploadRow } from '../../db/storage.ts'
import type { App, WriteTx } from '../app.ts'
import { TooOftenRefusal } from '../worker/index.ts'

export type StorageRefusal = 'quota_exceeded' | 'uploads_too_many'

type Deps = Pick<App, 'db'>

/**
 * The most uploads under way, more than any client has; each takes a folder, or a record, for a
 * day.
 */
const uploadsMax = 1000
const retryAfterSeconds = 60

/** Notes an upload that begins. Throws `uploads_too_many`, and `quota_exceeded` for a full one. */
export function beginUpload(app: Deps, upload: UploadRow): Promise<void> {
  return app.db.write(async (tx) => {
    await db.lockStorage(tx, upload.product)
    if ((await db.countUploads(tx, upload.actor)) >= uploadsMax) {
      throw new TooOftenRefusal<StorageRefusal>(
        'uploads_too_many',
        `${uploadsMax} uploads of this token have not ended: finish or cancel some, or wait a day, after which they are removed`,
        retryAfterSeconds,
      )
    }
    requireRoom(upload.product, await db.readStorage(tx, upload.product), 1)
    await db.setUpload(tx, upload, 0, await tx.now())
  })
}

/**
 * Sets bytes aside for an upload: `wanted` in all if there is room, and at least `needed`. Answers
 * how many are. Throws `quota_exceeded`.
 */
export function setAside(
  app: Deps,
  upload: UploadRow,
  { needed, wanted }: { readonly needed: number; readonly wanted: number },
): Promise<number> {
  return app.db.write(async (tx) => {
    await db.lockStorage(tx, upload.product)
    const own = await db.readUpload(tx, upload.id)
    if (own >= wanted) return own
    const storage = await db.readStorage(tx, upload.product)
    if (own < needed) requireRoom(upload.product, storage, needed - own)
    const room = roomOf(storage)
    const bytes = Math.max(own, needed, Math.min(wanted, own + room))
    await db.setUpload(tx, upload, bytes, await tx.now())
    return bytes
  })
}

/** Gives back what was set aside for an upload beyond what it has. */
export function giveBackRest(app: Deps, upload: UploadRow, bytes: number): Promise<void> {
  return app.db.write(async (tx) => db.setUpload(tx, upload, bytes, await tx.now()))
}

/** The upload has become content. */
export function keepUpload(app: Deps, upload: UploadRow, blob: StoredBlob): Promise<void> {
  return app.db.write(async (tx) => {
    await db.deleteUpload(tx, upload.id)
    const content = { digest: blob.digest, bytes: blob.size }
    await db.addContent(tx, upload.product, content, await tx.now())
  })
}

export function dropUpload(app: Deps, uploadId: string): Promise<void> {
  return app.db.write((tx) => db.deleteUpload(tx, uploadId))
}

/** Counts content that comes at once. Throws `quota_exceeded`. */
export function addContent(app: Deps, product: string, blob: StoredBlob): Promise<void> {
  return app.db.write(async (tx) => {
    await db.lockStorage(tx, product)
    if (await db.hasContent(tx, product, blob.digest)) return
    requireRoom(product, await db.readStorage(tx, product), blob.size)
    await db.addContent(tx, product, { digest: blob.digest, bytes: blob.size }, await tx.now())
  })
}

export function removeContent(app: Deps, product: string, digest: Digest): Promise<void> {
  return app.db.write((tx) => db.removeContent(tx, product, digest))
}

const roomOf = ({ quotaBytes, usedBytes, uploadingBytes }: StorageRow) =>
  quotaBytes === null ? Number.POSITIVE_INFINITY : quotaBytes - usedBytes - uploadingBytes

function requireRoom(product: string, storage: StorageRow, bytes: number): void {
  if (bytes <= roomOf(storage)) return
  const { quotaBytes, usedBytes, uploadingBytes } = storage
  throw new Refusal<StorageRefusal>(
    'quota_exceeded',
    `${product} holds ${usedBytes} bytes, and uploads that have not ended ${uploadingBytes}, of the ${quotaBytes} that it may hold: ${bytes} more do not fit. Delete what no release needs, or ask an administrator for more (seaworthy product set ${product} --quota SIZE)`,
  )
}

/** Sets how much a product may hold; `null` for as much as there is. */
export async function setQuota(
  tx: WriteTx,
  quota: { readonly product: string; readonly bytes: number | null },
  by: string,
): Promise<StorageRow & { readonly isUnchanged: boolean }> {
  await db.lockStorage(tx, quota.product)
  const before = await db.readStorage(tx, quota.product)
  const isUnchanged = before.quotaBytes === quota.bytes
  if (!isUnchanged) await db.setQuota(tx, quota, by, await tx.now())
  return { ...before, quotaBytes: quota.bytes, isUnchanged }
}

/** Counts anew what each product holds. Answers how much was counted wrongly. */
export async function recountStorage(
  app: Pick<App, 'db' | 'store'>,
  uploadsUnusedSince: Date,
): Promise<{ addedCount: number; removedCount: number; uploadsCount: number }> {
  const { store } = app
  const counts = { addedCount: 0, removedCount: 0, uploadsCount: 0 }
  const repositories = await store.listRepositories()
  for (const product of new Set([...repositories, ...(await db.listCounted(app.db.reader))])) {
    const begun = await app.db.write((tx) => tx.now())
    const blobs = await store.listBlobs(product)
    const manifests = await store.listManifests(product)
    const present = new Set<Digest>(blobs).union(new Set(manifests))
    const counted = new Set(await db.listContent(app.db.reader, product))
    for (const digest of present.difference(counted)) {
      const size = await sizeOf(app, product, digest)
      if (size === undefined) continue
      await app.db.write(async (tx) =>
        db.addContent(tx, product, { digest, bytes: size }, await tx.now()),
      )
      counts.addedCount++
    }
    const gone = [...counted.difference(present)]
    if (gone.length > 0) {
      counts.removedCount += await app.db.write((tx) =>
        db.removeContentBefore(tx, product, gone, begun),
      )
    }
  }
  counts.uploadsCount = await app.db.write((tx) => db.deleteUploadsBefore(tx, uploadsUnusedSince))
  return counts
}

/** The size of a blob or manifest; `undefined` for one that has gone or is damaged. */
async function sizeOf(
  { store }: Pick<App, 'store'>,
  product: string,
  digest: Digest,
): Promise<number | undefined> {
  const blob = await store.statBlob(product, digest)
  if (blob !== undefined) return blob.size
  try {
    return (await store.peekManifest(product, digest))?.bytes.length
  } catch (error) {
    if (error instanceof Refusal && error.code === 'content_damaged') return undefined
    throw error
  }
}
