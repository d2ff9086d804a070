/**
 * The key pair of this command line, to which each secret that it sets is sealed too: with it,
 * whoever set a secret seals it to devices that come later.
 */
import { base64Decode, base64Encode, utf8Decode } from '@seaworthy/std/bytes'
import type { ReceivingKey } from '@seaworthy/trust/hpke'
import { generateReceivingKey, openReceivingKey } from '@seaworthy/trust/hpke'
import type { Context } from '../context.ts'
import type { Connection } from '../connection.ts'
import { changeKept, keptFile, parseKept } from '../state/kept-files.ts'

/**
 * Reads the pair of this server's folder, or makes it: commands that do so at the same time end
 * with the same pair.
 */
export async function ensureHolderKey(
  context: Context,
  { folder }: Pick<Connection, 'folder'>,
): Promise<ReceivingKey> {
  const file = keptFile(folder, 'secrets.key')
  let key: ReceivingKey | undefined
  await changeKept(context.ports, file, async (bytes) => {
    if (bytes !== undefined) {
      key = await parseKept(file, bytes, (text) =>
        openReceivingKey(base64Decode(utf8Decode(text).trim())),
      )
      return undefined
    }
    const { pkcs8 } = await generateReceivingKey()
    key = await openReceivingKey(pkcs8)
    return `${base64Encode(pkcs8)}\n`
  })
  return key!
}
