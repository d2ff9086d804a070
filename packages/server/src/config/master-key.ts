/**
 * The master key, under which the server's online secrets lie sealed in the database; it is never
 * in there itself. The seal is AES-256-GCM with the name, version and purpose of each secret bound
 * into it, so that ciphertexts cannot be swapped for one another.
 */
import { createCipheriv, createDecipheriv } from 'node:crypto'
import { chmod, link, open, readFile, rm } from 'node:fs/promises'
import { hexDecode, hexEncode } from '@seaworthy/std/bytes'
import type { Random } from '@seaworthy/std/random'

export const secretPurposes = {
  'tls-key': 'tls.server',
  'tls-key-next': 'tls.server-next',
  'acme-account-key': 'acme.account',
  'snapshot-key': 'tuf.snapshot',
  'timestamp-key': 'tuf.timestamp',
  'log-key': 'log.checkpoint',
  'device-token-key': 'token.device',
  'registry-token-key': 'token.registry',
  'trust-anchor': 'tuf.anchor',
  'totp-secret': 'totp.person',
  'client-secret': 'oidc.provider',
  'held-secret': 'secret.application',
  'case-text': 'text.case',
  'advisory-text': 'text.advisory',
} as const
export type SecretName = keyof typeof secretPurposes

export interface MasterKey {
  /** `version` is between 1 and 2^31-1. The result carries its nonce and tag. */
  seal(name: SecretName, version: number, secret: Uint8Array): Uint8Array
  /** Throws `SealError` when the key is another one, or the bytes were changed or swapped. */
  open(name: SecretName, version: number, sealed: Uint8Array): Uint8Array
}

export class SealError extends Error {
  override readonly name = 'SealError'
}

const nonceBytes = 12
const tagBytes = 16

function masterKeyOf(key: Uint8Array, random: Random): MasterKey {
  const aad = (name: SecretName, version: number) =>
    Buffer.from(`seaworthy-seal-v1|${name}|${version}|${secretPurposes[name]}`)
  return {
    seal(name, version, secret) {
      const nonce = random.bytes(nonceBytes)
      const cipher = createCipheriv('aes-256-gcm', key, nonce)
      cipher.setAAD(aad(name, version))
      return Buffer.concat([nonce, cipher.update(secret), cipher.final(), cipher.getAuthTag()])
    },
    open(name, version, sealed) {
      if (sealed.length < nonceBytes + tagBytes) {
        throw new SealError(`the secret ${name} is cut short: restore the database from a backup`)
      }
      const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, nonceBytes), {
        authTagLength: tagBytes,
      })
      decipher.setAAD(aad(name, version))
      decipher.setAuthTag(sealed.subarray(sealed.length - tagBytes))
      try {
        return Buffer.concat([
          decipher.update(sealed.subarray(nonceBytes, sealed.length - tagBytes)),
          decipher.final(),
        ])
      } catch (cause) {
        throw new SealError(
          `the secret ${name} cannot be opened: the master key is not the one it was sealed with, or the database was changed. Give the right file with --master-key-file.`,
          { cause },
        )
      }
    },
  }
}

/**
 * Reads the master key. If there is none, makes one when `mayCreate` allows it. The file is private
 * (0600) and has 64 hex digits.
 */
export async function loadMasterKey(
  file: string,
  random: Random,
  mayCreate: boolean,
): Promise<MasterKey> {
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') throw cause
    if (!mayCreate) {
      throw new SealError(
        `there is no master key at ${file}, but the database has secrets sealed with one. Put the file back, or the copy that the other servers on this database use, or name it with --master-key-file.`,
        { cause },
      )
    }
    text = `${hexEncode(random.bytes(32))}\n`
    await createFile(file, text)
  }
  if (!/^[0-9a-f]{64}\n?$/.test(text)) {
    throw new SealError(
      `${file} is not a master key, which is 64 hex digits: put the right file back, or name it with --master-key-file`,
    )
  }
  return masterKeyOf(hexDecode(text.trim()), random)
}

/** Writes the file whole or not at all, and never over an existing one. */
async function createFile(file: string, text: string): Promise<void> {
  const temporary = `${file}.new`
  await rm(temporary, { force: true })
  const handle = await open(temporary, 'wx', 0o600)
  try {
    await handle.writeFile(text)
    await handle.sync()
  } finally {
    await handle.close()
  }
  await chmod(temporary, 0o600)
  await link(temporary, file)
  await rm(temporary)
}
