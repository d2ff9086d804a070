/** An app that shows codes (RFC 6238), with the secret that a server gave it. */
import { createHmac } from 'node:crypto'

export interface TotpApp {
  readonly codeAt: (at: Date) => string
  /** The secret, raw. */
  readonly key: Uint8Array
}

export function createTotpApp(secret: string): TotpApp {
  const bits = Array.from(secret, (letter) =>
    'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(letter).toString(2).padStart(5, '0'),
  ).join('')
  const key = Buffer.from(bits.match(/.{8}/g)!.map((byte) => Number.parseInt(byte, 2)))
  return {
    key,
    codeAt(at) {
      const counter = Buffer.alloc(8)
      counter.writeBigUInt64BE(BigInt(Math.floor(at.getTime() / 30_000)))
      const mac = createHmac('sha1', key).update(counter).digest()
      const number = mac.readUInt32BE(mac.at(-1)! & 15) & 0x7fff_ffff
      return String(number % 1_000_000).padStart(6, '0')
    },
  }
}
