/** The detail of an audit entry, bounded. */
import { createHash } from 'node:crypto'
import type { JsonValue } from '@seaworthy/trust/tuf'
import { canonicalJson } from '@seaworthy/trust/tuf'

/**
 * Leaves of the log are limited to 65,535 bytes, and everybody with a credential writes some of
 * them.
 */
const detailBytesMax = 4096
/** A fact that is longer than this is replaced by its digest. */
const factBytesMax = 512

/**
 * Replaces what is too long by its digest: each entry of the log is bounded, whoever writes it and
 * whatever they send.
 */
export function boundDetail(
  detail: Readonly<Record<string, JsonValue>>,
): Readonly<Record<string, JsonValue>> {
  const bound = (value: JsonValue, bytesMax: number): JsonValue => {
    const bytes = canonicalJson(value)
    return bytes.length <= bytesMax ? value : { bytes: bytes.length, sha256: sha256Hex(bytes) }
  }
  if (canonicalJson(detail).length <= detailBytesMax) return detail
  const facts = Object.entries(detail).map(([name, value]) => [name, bound(value, factBytesMax)])
  const bounded = Object.fromEntries(facts) as Readonly<Record<string, JsonValue>>
  return canonicalJson(bounded).length <= detailBytesMax
    ? bounded
    : { whole: bound(detail, detailBytesMax) }
}

function sha256Hex(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
