/** Codes of authenticators (RFC 6238 over RFC 4226), and their secrets as people type them. */
import { createHmac } from 'node:crypto'

export const periodSeconds = 30

type Algorithm = 'sha1' | 'sha256' | 'sha512'

export function stepOf(now: Date): number {
  return Math.floor(now.getTime() / 1000 / periodSeconds)
}

export function codeOf(
  secret: Uint8Array,
  step: number,
  { digits = 6, algorithm = 'sha1' }: { digits?: number; algorithm?: Algorithm } = {},
): string {
  const counter = Buffer.alloc(8)
  counter.writeBigUInt64BE(BigInt(step))
  const mac = createHmac(algorithm, secret).update(counter).digest()
  const offset = mac.at(-1)! & 0xf
  const number = (mac.readUInt32BE(offset) & 0x7fff_ffff) % 10 ** digits
  return String(number).padStart(digits, '0')
}

const base32Alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'

/** RFC 4648 without padding, as authenticators take it. */
export function base32(bytes: Uint8Array): string {
  let text = ''
  let bits = 0
  let value = 0
  for (const byte of bytes) {
    value = (value << 8) | byte
    bits += 8
    for (; bits >= 5; bits -= 5) text += base32Alphabet[(value >> (bits - 5)) & 31]
    value &= (1 << bits) - 1
  }
  return bits === 0 ? text : text + base32Alphabet[(value << (5 - bits)) & 31]
}
