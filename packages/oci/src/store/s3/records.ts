/**
 * The small JSON objects of a store in object storage. Each is replaced as a whole, and only by a
 * writer that has seen the present one.
 */
import { createByteCollector, utf8Decode, utf8Encode } from '@seaworthy/std/bytes'
import { BodyTooLongError } from '@seaworthy/std/http'
import { Refusal } from '@seaworthy/std/refusal'
import type { Digest } from '../../digests.ts'
import { isDigest } from '../../digests.ts'
import type { Json } from '@seaworthy/std/json'
import { parseJson } from '@seaworthy/std/json'
import type { StoreRefusal } from '../index.ts'
import type { S3Client } from './client.ts'

/** Bytes that lie under a key of their own and never change; another ETag means other bytes. */
export interface StoredBytes {
  key: string
  etag: string
  size: number
}

export interface ContentRecord extends StoredBytes {
  usedAtMs: number
}

export interface LinkRecord {
  usedAtMs: number
  /** Media type of a manifest. */
  mediaType?: string
}

export interface Segment extends StoredBytes {
  /** Digest of this segment only. */
  digest: Digest | null
}

/**
 * An upload, which owns what lies below `bytes/<its id>/` while it exists. `open` takes segments;
 * `committing` is becoming the content `digest`; `removing` is being removed, all but what that
 * content points to.
 */
export interface UploadRecord {
  repository: string
  usedAtMs: number
  state: 'open' | 'committing' | 'removing'
  digest: Digest | null
  segments: Segment[]
}

export interface Kept<T> {
  value: T
  etag: string
}

const tagBytesMax = 1000
const recordBytesMax = 16 * 1024 * 1024
/** How much is kept of an object that is too long to be a record. */
const evidenceBytes = 65_536
/**
 * A record is marked as used at most once in this time; a sweep treats every mark as this much more
 * recent.
 */
const useStepMs = 10 * 60_000

type Parse<T> = (json: Json) => T | undefined
type Fields = { [name: string]: Json }

const fieldsOf = (json: Json): Fields | undefined =>
  json !== null && typeof json === 'object' && !Array.isArray(json) ? json : undefined

const isTime = (value: Json | undefined): value is number => typeof value === 'number' && value >= 0

function parseBytes(fields: Fields): StoredBytes | undefined {
  const { key, etag, size } = fields
  if (typeof key !== 'string' || !/^bytes\/[0-9a-f]{32}\/[0-9a-f]{16}$/.test(key)) return undefined
  if (typeof etag !== 'string' || etag.length > 200 || !isTime(size)) return undefined
  return { key, etag, size }
}

export const parseContent: Parse<ContentRecord> = (json) => {
  const fields = fieldsOf(json)
  const bytes = fields && parseBytes(fields)
  const usedAtMs = fields?.['usedAtMs']
  return bytes && isTime(usedAtMs) ? { ...bytes, usedAtMs } : undefined
}

export const parseLink: Parse<LinkRecord> = (json) => {
  const { usedAtMs, mediaType } = fieldsOf(json) ?? {}
  if (!isTime(usedAtMs)) return undefined
  if (mediaType === undefined) return { usedAtMs }
  return typeof mediaType === 'string' ? { usedAtMs, mediaType } : undefined
}

function parseSegment(json: Json): Segment | undefined {
  const fields = fieldsOf(json)
  const bytes = fields && parseBytes(fields)
  const digest = fields?.['digest'] ?? null
  if (!bytes) return undefined
  if (digest === null) return { ...bytes, digest }
  return typeof digest === 'string' && isDigest(digest) ? { ...bytes, digest } : undefined
}

export const parseUpload: Parse<UploadRecord> = (json) => {
  const fields = fieldsOf(json) ?? {}
  const { repository, usedAtMs, state } = fields
  const digest = fields['digest'] ?? null
  const listed = fields['segments']
  if (typeof repository !== 'string' || !isTime(usedAtMs) || !Array.isArray(listed))
    return undefined
  if (state !== 'open' && state !== 'committing' && state !== 'removing') return undefined
  if (digest !== null && !(typeof digest === 'string' && isDigest(digest))) return undefined
  const segments = listed.map(parseSegment)
  if (!segments.every((segment) => segment !== undefined)) return undefined
  return { repository, usedAtMs, state, digest, segments }
}

export function encodeRecord(record: ContentRecord | LinkRecord | UploadRecord): Uint8Array {
  return utf8Encode(JSON.stringify(record))
}

/** A record that cannot be read, as it lies there, or the beginning of what is too long for one. */
export interface Unreadable {
  readonly bytes: Uint8Array
}

export function isUnreadable(value: object | null | undefined): value is Unreadable {
  return value !== null && value !== undefined && 'bytes' in value
}

/**
 * The record, or what lies in its place. An empty object is a record that was removed, on servers
 * that cannot remove on a condition.
 */
export async function lookAtRecord<T extends object>(
  client: S3Client,
  key: string,
  parse: Parse<T>,
): Promise<Kept<T | Unreadable | null> | undefined> {
  const found = await readBeginning(client, key)
  if (found === undefined) return undefined
  const { bytes, etag, isWhole } = found
  if (bytes.length === 0) return { value: null, etag }
  if (!isWhole) return { value: { bytes }, etag }
  try {
    return { value: parse(parseJson(bytes)) ?? { bytes }, etag }
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    return { value: { bytes }, etag }
  }
}

/** What lies there; of more than a record may have, which is none, the beginning alone. */
async function readBeginning(
  client: S3Client,
  key: string,
): Promise<{ bytes: Uint8Array; etag: string; isWhole: boolean } | undefined> {
  for (;;) {
    try {
      const found = await client.read(key, recordBytesMax)
      return found && { ...found, isWhole: true }
    } catch (error) {
      if (!(error instanceof BodyTooLongError)) throw error
    }
    const head = await client.head(key)
    if (head === undefined) return undefined
    const range = { start: 0, end: Math.min(head.size, evidenceBytes) }
    const body = await client.open(key, head.etag, range)
    // Another object took its place meanwhile.
    if (body === undefined) continue
    const whole = createByteCollector()
    for await (const piece of body) whole.add(piece)
    return { bytes: whole.take(), etag: head.etag, isWhole: false }
  }
}

/** What a tag points to; `undefined` where there is none, and for whatever else lies there. */
export async function readTag(client: S3Client, key: string): Promise<Digest | undefined> {
  try {
    const found = await client.read(key, tagBytesMax)
    const text = found && utf8Decode(found.bytes)
    return text !== undefined && isDigest(text) ? text : undefined
  } catch (error) {
    // The decoder throws the one for bytes that are no text.
    if (error instanceof TypeError || error instanceof BodyTooLongError) return undefined
    throw error
  }
}

/** Throws the refusal `content_damaged` for a record that cannot be read. */
export async function readRecord<T extends object>(
  client: S3Client,
  key: string,
  parse: Parse<T>,
): Promise<Kept<T | null> | undefined> {
  const kept = await lookAtRecord(client, key, parse)
  if (kept === undefined) return undefined
  const { value, etag } = kept
  if (!isUnreadable(value)) return { value, etag }
  throw new Refusal<StoreRefusal>('content_damaged', `the stored record ${key} cannot be read`)
}

/**
 * The record if there is one, marked as used now so that no sweep that is under way removes it. One
 * that cannot be read counts as missing, so that whoever pushes sends it again.
 */
export async function useRecord<T extends ContentRecord | LinkRecord>(
  client: S3Client,
  key: string,
  parse: Parse<T>,
  nowMs: number,
): Promise<T | undefined> {
  for (;;) {
    const kept = await lookAtRecord(client, key, parse)
    if (!kept?.value || isUnreadable(kept.value)) return undefined
    if (nowMs - kept.value.usedAtMs < useStepMs) return kept.value
    const value = { ...kept.value, usedAtMs: nowMs }
    const written = await client.write(key, encodeRecord(value), { etag: kept.etag })
    if (written !== undefined) return value
  }
}

export function isUnused(record: { usedAtMs: number }, unusedSince: Date): boolean {
  return record.usedAtMs + useStepMs < unusedSince.getTime()
}

/**
 * Removes a record unless somebody has changed it. `canRemove`: the server removes on a condition.
 */
export async function removeUnchanged(
  client: S3Client,
  key: string,
  etag: string,
  canRemove: boolean,
): Promise<boolean> {
  if (canRemove) return client.remove(key, { etag })
  return (await client.write(key, new Uint8Array(), { etag })) !== undefined
}
