/**
 * The key pair for what others seal so that this device alone can read it. Only the installer holds
 * it.
 */
import { base64Decode, base64Encode, utf8Encode } from '@seaworthy/std/bytes'
import { parseAnyJson } from '@seaworthy/std/json'
import type { ReceivingKey } from '@seaworthy/trust/hpke'
import { generateReceivingKey, openReceivingKey } from '@seaworthy/trust/hpke'
import type { Disk } from '../ports.ts'
import type { Layout } from './layout.ts'
import { readStateFile, stateUnreadable } from './read-state.ts'
import { replaceFile } from './replace-file.ts'

const format = 'seaworthy-receiving-key-v1'
const keyFileBytesMax = 4096

/** Reads the pair, or makes it. Throws `TrustError<'state_unreadable'>` for a damaged one. */
export async function ensureReceivingKey(
  disk: Disk,
  layout: Pick<Layout, 'trust'>,
): Promise<ReceivingKey> {
  const path = `${layout.trust}/receiving.key`
  const bytes = await readStateFile(disk, path, keyFileBytesMax)
  if (bytes !== undefined) return parseKeyFile(path, bytes)
  const { pkcs8 } = await generateReceivingKey()
  const file = JSON.stringify({ format, pkcs8: base64Encode(pkcs8) })
  await replaceFile(disk, path, utf8Encode(file), 0o600)
  return openReceivingKey(pkcs8)
}

async function parseKeyFile(path: string, bytes: Uint8Array): Promise<ReceivingKey> {
  try {
    const file = parseAnyJson(bytes) as { format: string; pkcs8: string }
    if (file.format !== format) throw new SyntaxError('unknown format')
    return await openReceivingKey(base64Decode(file.pkcs8))
  } catch (cause) {
    throw stateUnreadable(`${path}: the receiving key is damaged`, cause)
  }
}
