/**
 * The key of stored credentials, which is kept outside of the data folder and the database: in a
 * file, or with a program that asks whatever holds it. It encrypts the key of each credential by
 * itself, so that only the one that is asked for is ever opened.
 */
import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { createCipheriv, createDecipheriv } from 'node:crypto'
import { realpath, readFile, stat } from 'node:fs/promises'
import { sep } from 'node:path'
import { base64Decode, base64Encode, createByteCollector, hexDecode } from '@seaworthy/std/bytes'
import { parseJson } from '@seaworthy/std/json'
import type { Random } from '@seaworthy/std/random'
import type { Sleep } from '@seaworthy/std/time'
import { secondMs } from '@seaworthy/std/time'
import type { Config } from './config.ts'
import { SealError } from './master-key.ts'

export interface CredentialKey {
  /** `context` says what the key is for: it is opened with the same context alone. */
  wrap(context: Uint8Array, key: Uint8Array): Promise<Uint8Array>
  /** Throws `SealError` when the key is another one, or the bytes were changed or swapped. */
  unwrap(context: Uint8Array, wrapped: Uint8Array): Promise<Uint8Array>
}

const nonceBytes = 12
const tagBytes = 16

/** AES-256-GCM: nonce, ciphertext, tag. */
export function encrypt(
  key: Uint8Array,
  context: Uint8Array,
  plain: Uint8Array,
  random: Random,
): Uint8Array {
  const nonce = random.bytes(nonceBytes)
  const cipher = createCipheriv('aes-256-gcm', key, nonce)
  cipher.setAAD(context)
  return Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()])
}

/** Throws `SealError`, whose message ends with `what` was encrypted. */
export function decrypt(
  key: Uint8Array,
  context: Uint8Array,
  sealed: Uint8Array,
  what: string,
): Uint8Array {
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, nonceBytes), {
      authTagLength: tagBytes,
    })
    decipher.setAAD(context)
    decipher.setAuthTag(sealed.subarray(-tagBytes))
    return Buffer.concat([
      decipher.update(sealed.subarray(nonceBytes, -tagBytes)),
      decipher.final(),
    ])
  } catch (cause) {
    throw new SealError(`not encrypted under this key, or changed since: ${what}`, { cause })
  }
}

/** Reads the file, or finds the program. Throws `SealError` that says what to do. */
export async function loadCredentialKey(
  { credentialKey: where, dataDir }: Pick<Config, 'credentialKey' | 'dataDir'>,
  { random, sleep }: { readonly random: Random; readonly sleep: Sleep },
): Promise<CredentialKey | null> {
  if (where === null) return null
  const path = await realpath(where.path).catch((cause: unknown) => {
    throw new SealError(
      `${where.path} cannot be read, which holds the key of stored credentials: put it back, or leave out --credential-key-${where.kind}`,
      { cause },
    )
  })
  const folder = await realpath(dataDir).catch(() => dataDir)
  if (path.startsWith(`${folder}${sep}`)) {
    throw new SealError(
      `${path} is in the data folder: whoever has that would have the key of stored credentials too. Keep it elsewhere, and name it with --credential-key-${where.kind}.`,
    )
  }
  if (where.kind === 'command') return askingKey(path, sleep)
  const { mode } = await stat(path)
  if ((mode & 0o077) !== 0) {
    throw new SealError(`${path} is open to other accounts: close it with \`chmod 600 ${path}\``)
  }
  const text = await readFile(path, 'utf8')
  if (!/^[0-9a-f]{64}\n?$/.test(text)) {
    throw new SealError(
      `${path} is no key of stored credentials: 64 hex digits, such as \`openssl rand -hex 32\` makes`,
    )
  }
  const key = hexDecode(text.trim())
  return {
    wrap: async (context, plain) => encrypt(key, context, plain, random),
    unwrap: async (context, wrapped) => decrypt(key, context, wrapped, 'the key of a credential'),
  }
}

/**
 * Each question is one JSON object on standard input, and each answer one on standard output:
 * `{"operation": "wrap", "context": BASE64, "key": BASE64}`, `{"key": BASE64}`.
 */
function askingKey(program: string, sleep: Sleep): CredentialKey {
  const ask = async (operation: 'wrap' | 'unwrap', context: Uint8Array, key: Uint8Array) => {
    const question = { operation, context: base64Encode(context), key: base64Encode(key) }
    const answer = await run(program, `${JSON.stringify(question)}\n`, sleep)
    try {
      const { key: answered } = parseJson(answer) as { key?: unknown }
      if (typeof answered !== 'string') throw new SyntaxError('no key')
      return base64Decode(answered)
    } catch (cause) {
      throw new SealError(`${program} answered something else than {"key": …}`, { cause })
    }
  }
  return {
    wrap: (context, key) => ask('wrap', context, key),
    unwrap: (context, wrapped) => ask('unwrap', context, wrapped),
  }
}

const answerMs = 15 * secondMs
const answerBytesMax = 16 * 1024

/** Rejects with `SealError` unless the program ends well, soon, and with a short answer. */
async function run(program: string, question: string, sleep: Sleep): Promise<Uint8Array> {
  const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>()
  // What it starts itself is in its group, and ends with it.
  const child = spawn(program, [], {
    ...{ stdio: ['pipe', 'pipe', 'ignore'], detached: true },
    env: { PATH: '/usr/local/bin:/usr/bin:/bin' },
  })
  const fail = (why: string, cause?: unknown) => {
    reject(
      new SealError(`${program}, which holds the key of stored credentials, ${why}`, { cause }),
    )
  }
  const answer = createByteCollector()
  child.stdout.on('data', (part: Buffer) => {
    answer.add(part)
    if (answer.length > answerBytesMax) fail('answers too much')
  })
  child.on('error', (cause) => fail('cannot be started', cause))
  child.on('close', (code, signal) => {
    if (code === 0) resolve(answer.take())
    else fail(`ended with ${code ?? signal}`)
  })
  // A program that does not read its question ends in another way.
  child.stdin.on('error', () => undefined)
  child.stdin.end(question)
  const answered = new AbortController()
  sleep(answerMs, answered.signal).then(
    () => fail(`does not answer within ${answerMs / secondMs} seconds`),
    () => undefined,
  )
  try {
    return await promise
  } finally {
    answered.abort()
    endGroup(child)
  }
}

function endGroup({ pid, stdout }: ChildProcess): void {
  stdout?.destroy()
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL')
  } catch {
    // The whole group has ended already.
  }
}
