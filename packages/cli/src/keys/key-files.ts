/**
 * Signers and public keys from what `--key` names. Passphrases come from a file, the environment or
 * a hidden prompt, never from an argument.
 */
import { argon2 } from 'node:crypto'
import { promisify } from 'node:util'
import { parseAnyJson } from '@seaworthy/std/json'
import { TrustError } from '@seaworthy/std/refusal'
import type { Argon2id, PublicKey, Signer } from '@seaworthy/trust/keys'
import {
  keyFileBytesMax,
  keyFileFormat,
  keyId,
  openKeyFile,
  parsePublicKeyFile,
} from '@seaworthy/trust/keys'
import { CliError } from '../failure.ts'
import type { CliPorts } from '../ports.ts'
import { readBounded, readFileOrInput } from '../state/files.ts'
import { readPassphrase } from './passphrases.ts'

const argon2Async = promisify(argon2)

/** The argon2id implementation of Node. */
export const argon2id: Argon2id = async ({
  passphrase,
  salt,
  memoryKiB,
  passes,
  parallelism,
  lengthBytes,
}) =>
  new Uint8Array(
    await argon2Async('argon2id', {
      message: passphrase,
      nonce: salt,
      memory: memoryKiB,
      passes,
      parallelism,
      tagLength: lengthBytes,
    }),
  )

/** A key that an option named: its public half, and whether its file could sign. */
export interface NamedKey {
  path: string
  key: PublicKey
  keyId: string
  /** True for a sealed key file, false for a public one. */
  canSign: boolean
}

/** Reads the public half; needs no passphrase. */
export async function readNamedKey(path: string): Promise<NamedKey> {
  refusePkcs11(path)
  const bytes = await readBounded(path, keyFileBytesMax)
  try {
    const key = await parsePublicKeyFile(bytes)
    return { path, key, keyId: await keyId(key), canSign: isSealed(bytes) }
  } catch (cause) {
    throw nameFile(path, cause)
  }
}

export async function readNamedKeys(paths: readonly string[]): Promise<NamedKey[]> {
  const keys = await Promise.all(paths.map((path) => readNamedKey(path)))
  const seen = new Map<string, string>()
  for (const { keyId: id, path } of keys) {
    const before = seen.get(id)
    if (before !== undefined) {
      throw new CliError('usage', `${before} and ${path} are the same key`, {
        wayOut: 'A threshold counts different keys: name each once.',
      })
    }
    seen.set(id, path)
  }
  return keys
}

/** Opens the key for signing; asks for the passphrase where nothing else gives it. */
export async function openSigner(named: NamedKey, passphrases: PassphraseSource): Promise<Signer> {
  if (!named.canSign) {
    throw new CliError('usage', `${named.path} holds a public key; it cannot sign`, {
      wayOut: 'Name the key file that `seaworthy key create` made.',
    })
  }
  const bytes = await readBounded(named.path, keyFileBytesMax)
  const passphrase = await passphrases.read(named.path)
  try {
    const signer = await openKeyFile(bytes, passphrase, { argon2id })
    if (signer.keyId !== named.keyId)
      throw new CliError('failed', `${named.path} changed while it was read`, {
        wayOut: 'Try again once nobody writes to it.',
      })
    return signer
  } catch (cause) {
    throw nameFile(named.path, cause)
  }
}

export interface PassphraseSource {
  /** The passphrase of that key file. */
  read(path: string): Promise<string>
}

/**
 * `--passphrase-file` once for all keys, or once per key in their order; else SEAWORTHY_PASSPHRASE;
 * else a hidden prompt.
 */
export function createPassphraseSource(
  ports: CliPorts,
  files: readonly string[] | undefined,
): PassphraseSource {
  const order: string[] = []
  return {
    async read(path) {
      if (!order.includes(path)) order.push(path)
      if (files !== undefined && files.length > 0) {
        const file = files.length === 1 ? files[0] : files[order.indexOf(path)]
        if (file === undefined) {
          throw new CliError('usage', `no --passphrase-file for ${path}`, {
            wayOut: 'Give one for all keys, or one for each in the same order.',
          })
        }
        return await readPassphraseFile(ports, file)
      }
      const fromEnvironment = ports.environment['SEAWORTHY_PASSPHRASE']
      if (fromEnvironment !== undefined && fromEnvironment !== '') {
        return readPassphrase(fromEnvironment, 'SEAWORTHY_PASSPHRASE')
      }
      if (!ports.prompt.isInteractive) throw nobodyToAsk(path)
      const [passphrase] = await ports.prompt.askSecrets([`Passphrase of ${path}: `])
      return readPassphrase(passphrase!, path)
    },
  }
}

/** A passphrase for a new key; at a terminal it is asked for twice. */
export async function readNewPassphrase(
  ports: CliPorts,
  path: string,
  file: string | undefined,
): Promise<string> {
  if (file !== undefined) return checkPassphrase(await readPassphraseFile(ports, file))
  const given = ports.environment['SEAWORTHY_PASSPHRASE']
  if (given !== undefined && given !== '') {
    return checkPassphrase(readPassphrase(given, 'SEAWORTHY_PASSPHRASE'))
  }
  if (!ports.prompt.isInteractive) throw nobodyToAsk(path)
  const questions = [`New passphrase for ${path}: `, 'The same again: ']
  const check = (answer: string) => checkPassphrase(readPassphrase(answer, path))
  const [first, second] = await ports.prompt.askSecrets(questions, check)
  if (first !== second)
    throw new CliError('failed', 'the two passphrases differ; no key was made', {
      wayOut: 'Try again, and type the same twice.',
    })
  return checkPassphrase(readPassphrase(first!, path))
}

const passphraseLengthMin = 8

function checkPassphrase(passphrase: string): string {
  if (passphrase.length < passphraseLengthMin) {
    throw new CliError('refused', `a passphrase has at least ${passphraseLengthMin} characters`, {
      wayOut: 'Choose a longer one: several words are better than one.',
    })
  }
  return passphrase
}

/** The limit leaves room for further lines, which are not read. */
const passphraseFileBytesMax = 64 * 1024

async function readPassphraseFile(ports: Pick<CliPorts, 'input'>, path: string): Promise<string> {
  return readPassphrase(await readFileOrInput(ports, path, passphraseFileBytesMax), path)
}

function nobodyToAsk(path: string): CliError {
  return new CliError('usage', `nobody is there to type the passphrase of ${path}`, {
    wayOut: 'Use --passphrase-file, or the environment variable SEAWORTHY_PASSPHRASE.',
  })
}

/** PKCS#11 keys are a `Signer` too, but this version has no driver for them. */
function refusePkcs11(path: string): void {
  if (!path.startsWith('pkcs11:')) return
  throw new CliError('failed', 'this version cannot use PKCS#11 tokens', {
    wayOut: 'Use an encrypted key file made by `seaworthy key create`.',
  })
}

function isSealed(bytes: Uint8Array): boolean {
  const file = parseAnyJson(bytes) as { format?: unknown }
  return file.format === keyFileFormat
}

/** Puts the file's name in front of the refusal. */
function nameFile(path: string, cause: unknown): unknown {
  if (!(cause instanceof TrustError)) return cause
  return new TrustError<string>(cause.code, `${path}: ${cause.message}`, { cause })
}
