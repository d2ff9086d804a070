/**
 * The key pair of this command line, to which each secret that it sets is sealed too: with it,
 * whoever set a secret seals it to devices that come later.
 */
import { join } from 'node:path'
import { base64Decode, base64Encode, utf8Decode } from '@seaworthy/std/bytes'
import type { ReceivingKey } from '@seaworthy/trust/hpke'
import { generateReceivingKey, openReceivingKey } from '@seaworthy/trust/hpke'
import type { Context } from '../context.ts'
import type { Session } from '../session.ts'
import { readIfThere, writeDurably } from '../state/files.ts'

const keyFileBytesMax = 1024

/** Reads the pair of this server's folder, or makes it. */
export async function ensureHolderKey(
  context: Context,
  { folder }: Pick<Session, 'folder'>,
): Promise<ReceivingKey> {
  const path = join(folder, 'secrets.key')
  const bytes = await readIfThere(path, keyFileBytesMax)
  if (bytes !== undefined) return await openReceivingKey(base64Decode(utf8Decode(bytes).trim()))
  const { pkcs8 } = await generateReceivingKey()
  await writeDurably(path, `${base64Encode(pkcs8)}\n`, {
    random: context.ports.random,
    isNew: true,
  })
  return await openReceivingKey(pkcs8)
}
