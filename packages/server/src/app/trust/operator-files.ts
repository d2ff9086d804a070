/** Files that the operator names on the command line: certificates and keys, in text. */
import { open } from 'node:fs/promises'
import { describeSystemError } from '@seaworthy/std/system-errors'
import { CertificateError } from './own-certificate.ts'

const bytesMax = 256 * 1024
/** Rights of a key file that let other accounts read it, or replace it. */
const modeForbidden = 0o027

/** Throws `CertificateError`. */
export async function readOperatorFile(
  option: string,
  path: string,
  { isSecret = false }: { isSecret?: boolean } = {},
): Promise<string> {
  const file = await open(path, 'r').catch((cause: unknown) => {
    const why = describeSystemError(cause)
    if (why === undefined) throw cause
    throw new CertificateError(`${option} ${path} cannot be read: ${why}`, { cause })
  })
  try {
    const { mode, size } = await file.stat()
    if (isSecret && (mode & modeForbidden) !== 0) {
      throw new CertificateError(
        `${option} ${path} is open to other accounts (mode ${(mode & 0o777).toString(8)}): close it with \`chmod 640 ${path}\`, and make the key anew if strangers could have read it`,
      )
    }
    if (size > bytesMax) {
      throw new CertificateError(
        `${option} ${path} has ${size} bytes, and certificates and keys have at most ${bytesMax}: check the path`,
      )
    }
    return (await file.readFile()).subarray(0, bytesMax).toString('latin1')
  } finally {
    await file.close()
  }
}
