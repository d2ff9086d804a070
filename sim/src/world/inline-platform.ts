/**
 * The parts of the platform that work in a thread pool or by chance, made immediate and seeded. The
 * same algorithms of the same libraries, but each call is finished when it returns, keys come from
 * a seed, and ECDSA signs with a nonce that follows from key and message (as in RFC 6979). A world
 * in which everything has settled after a turn of the event loop repeats itself.
 */
import {
  createECDH,
  createHash,
  createPrivateKey,
  createPublicKey,
  sign,
  verify,
} from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { syncBuiltinESMExports } from 'node:module'
import { Transform } from 'node:stream'
import zlib from 'node:zlib'
import type { Random } from '@seaworthy/std/random'
import { base64UrlDecode, base64UrlEncode, concatBytes } from '@seaworthy/std/bytes'
import { bigIntOf, bytesOfBigInt, invertModulo } from './big-integers.ts'

type Method = (...args: never[]) => unknown

const hashNames: Readonly<Record<string, string>> = {
  'SHA-256': 'sha256',
  'SHA-384': 'sha384',
  'SHA-512': 'sha512',
}

/** Makes cryptography and decompression work at once from here on. Returns how to undo it. */
export function runPlatformInline(random: Random): () => void {
  const undoCrypto = runCryptoInline(random)
  const undoZstd = runZstdInline()
  return () => {
    undoCrypto()
    undoZstd()
  }
}

function runCryptoInline(random: Random): () => void {
  const prototype = Object.getPrototypeOf(crypto.subtle) as Record<string, Method>
  const originals = new Map<string, Method>()
  /** `undefined` from `inline` leaves the call to the original. */
  const replace = (name: string, inline: (args: unknown[]) => unknown) => {
    const original = prototype[name]!
    originals.set(name, original)
    const value = async (...args: unknown[]) =>
      inline(args) ?? Reflect.apply(original, crypto.subtle, args)
    Object.defineProperty(prototype, name, { value, configurable: true, writable: true })
  }

  /** The same keys, as the calls below take them. */
  const known = new WeakMap<CryptoKey, KeyObject>()
  const remember = (key: CryptoKey, object: KeyObject) => {
    known.set(key, object)
    return key
  }
  replace('importKey', (args) => {
    const [format, bytes, algorithm, extractable, usages] = args as [
      string,
      BufferSource,
      { name: string; namedCurve?: string },
      boolean,
      KeyUsage[],
    ]
    if (!['Ed25519', 'ECDSA'].includes(algorithm.name)) return undefined
    const object = readKey(format, bytesOf(bytes))
    return object && remember(object.toCryptoKey(algorithm, extractable, usages), object)
  })
  replace('digest', (args) => {
    const [algorithm, bytes] = args as [string | { name: string }, BufferSource]
    const hash = hashNames[typeof algorithm === 'string' ? algorithm : algorithm.name]
    return hash && bufferOf(createHash(hash).update(bytesOf(bytes)).digest())
  })
  replace('verify', (args) => {
    const [, key, signature, bytes] = args as [unknown, CryptoKey, BufferSource, BufferSource]
    const object = known.get(key)
    if (object === undefined) return undefined
    const options = { key: object, dsaEncoding: 'ieee-p1363' as const }
    return verify(hashFor(key), bytesOf(bytes), options, bytesOf(signature))
  })
  replace('sign', (args) => {
    const [, key, bytes] = args as [unknown, CryptoKey, BufferSource]
    const object = known.get(key)
    if (object === undefined) return undefined
    if (hashFor(key) !== null) return bufferOf(signP256(object, bytesOf(bytes)))
    return bufferOf(sign(null, bytesOf(bytes), object))
  })
  replace('generateKey', (args) => {
    const [algorithm, extractable, usages] = args as [{ name: string }, boolean, KeyUsage[]]
    const secret = random.bytes(32)
    const isP256 = algorithm.name === 'ECDSA'
    if (!isP256 && algorithm.name !== 'Ed25519') return undefined
    const own = isP256 ? p256FromSecret(secret) : ed25519FromSecret(secret)
    const named = isP256 ? { name: 'ECDSA', namedCurve: 'P-256' } : { name: 'Ed25519' }
    const use = (name: KeyUsage) => (usages.includes(name) ? [name] : [])
    const publicKey = createPublicKey(own)
    return {
      privateKey: remember(own.toCryptoKey(named, extractable, use('sign')), own),
      publicKey: remember(publicKey.toCryptoKey(named, true, ['verify']), publicKey),
    }
  })
  return () => {
    for (const [name, value] of originals) {
      Object.defineProperty(prototype, name, { value, configurable: true, writable: true })
    }
  }
}

type KeyUsage = 'sign' | 'verify'
type BufferSource = ArrayBuffer | ArrayBufferView

/** Throws, as the original does, for bytes that are no key. */
function readKey(format: string, bytes: Uint8Array): KeyObject | undefined {
  if (format === 'pkcs8') {
    return createPrivateKey({ key: Buffer.from(bytes), format: 'der', type: 'pkcs8' })
  }
  if (format === 'spki') {
    return createPublicKey({ key: Buffer.from(bytes), format: 'der', type: 'spki' })
  }
  if (format !== 'raw' || bytes.length !== 32) return undefined
  const key = Buffer.concat([spkiEd25519, bytes])
  return createPublicKey({ key, format: 'der', type: 'spki' })
}

function hashFor(key: CryptoKey): string | null {
  if (key.algorithm.name === 'Ed25519') return null
  return (key.algorithm as { namedCurve?: string }).namedCurve === 'P-384' ? 'sha384' : 'sha256'
}

function bytesOf(source: BufferSource): Uint8Array {
  if (!ArrayBuffer.isView(source)) return new Uint8Array(source)
  return new Uint8Array(source.buffer, source.byteOffset, source.byteLength)
}

function bufferOf(bytes: Uint8Array): ArrayBuffer {
  return new Uint8Array(bytes).buffer
}

const pkcs8Ed25519 = Buffer.from('302e020100300506032b657004220420', 'hex')
const spkiEd25519 = Buffer.from('302a300506032b6570032100', 'hex')

function ed25519FromSecret(secret: Uint8Array): KeyObject {
  return createPrivateKey({
    key: Buffer.concat([pkcs8Ed25519, secret]),
    format: 'der',
    type: 'pkcs8',
  })
}

const p256Order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n

/** The point that `secret` times the base point is, without its first byte. */
function multiplyBase(secret: Uint8Array): Uint8Array {
  const curve = createECDH('prime256v1')
  curve.setPrivateKey(secret)
  return curve.getPublicKey().subarray(1)
}

function p256FromSecret(secret: Uint8Array): KeyObject {
  const point = multiplyBase(secret)
  const jwk = {
    kty: 'EC',
    crv: 'P-256',
    d: base64UrlEncode(secret),
    x: base64UrlEncode(point.subarray(0, 32)),
    y: base64UrlEncode(point.subarray(32)),
  }
  return createPrivateKey({ key: jwk, format: 'jwk' })
}

function signP256(key: KeyObject, message: Uint8Array): Uint8Array {
  const secret = base64UrlDecode(key.export({ format: 'jwk' }).d!)
  const digest = createHash('sha256').update(message).digest()
  const nonce = createHash('sha256').update(secret).update(digest).digest()
  const r = bigIntOf(multiplyBase(nonce).subarray(0, 32)) % p256Order
  const product = bigIntOf(digest) + r * bigIntOf(secret)
  const s = (invertModulo(bigIntOf(nonce), p256Order) * product) % p256Order
  return concatBytes(bytesOfBigInt(r, 32), bytesOfBigInt(s, 32))
}

function runZstdInline(): () => void {
  const original = zlib.createZstdDecompress
  const inline = () => {
    const pieces: Uint8Array[] = []
    let bytesWritten = 0
    const stream = new Transform({
      transform(piece: Uint8Array, _encoding, done) {
        pieces.push(new Uint8Array(piece))
        bytesWritten += piece.length
        done()
      },
      flush(done) {
        try {
          this.push(zlib.zstdDecompressSync(Buffer.concat(pieces)))
          done()
        } catch (error) {
          done(error as Error)
        }
      },
    })
    return Object.defineProperty(stream, 'bytesWritten', { get: () => bytesWritten })
  }
  const replaceBy = (value: unknown) => {
    Object.defineProperty(zlib, 'createZstdDecompress', {
      value,
      configurable: true,
      enumerable: true,
    })
    syncBuiltinESMExports()
  }
  replaceBy(inline)
  return () => replaceBy(original)
}
