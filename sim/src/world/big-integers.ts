/** Whole numbers as big-endian bytes. */
export function bigIntOf(bytes: Uint8Array): bigint {
  let value = 0n
  for (const byte of bytes) value = (value << 8n) | BigInt(byte)
  return value
}

export function bytesOfBigInt(value: bigint, length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length)
  let rest = value
  for (let i = length - 1; i >= 0; i--) {
    bytes[i] = Number(rest & 0xffn)
    rest >>= 8n
  }
  return bytes
}

/** The inverse of `value` modulo a prime. */
export function invertModulo(value: bigint, prime: bigint): bigint {
  let [r, nextR] = [prime, ((value % prime) + prime) % prime]
  let [t, nextT] = [0n, 1n]
  while (nextR !== 0n) {
    const quotient = r / nextR
    ;[t, nextT] = [nextT, t - quotient * nextT]
    ;[r, nextR] = [nextR, r - quotient * nextR]
  }
  return ((t % prime) + prime) % prime
}
