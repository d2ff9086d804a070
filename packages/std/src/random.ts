/** Randomness as a port: secrets need `systemRandom`, reproducible worlds need `seededRandom`. */

export interface Random {
  /** `count` bytes, at most 65,536. */
  bytes(count: number): Uint8Array<ArrayBuffer>
  /** A number from 0 to 1, 1 excluded. */
  fraction(): number
}

export const systemRandom: Random = {
  bytes: (count) => crypto.getRandomValues(new Uint8Array(count)),
  fraction: () => crypto.getRandomValues(new Uint32Array(1))[0]! / 2 ** 32,
}

/**
 * The same seed gives the same sequence (mulberry32). Used in simulations and tests: it is no
 * source of secrets.
 */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return (t ^ (t >>> 14)) >>> 0
  }
  return {
    bytes: (count) => Uint8Array.from({ length: count }, () => next() & 0xff),
    fraction: () => next() / 2 ** 32,
  }
}

/** A whole number from 0 to `limit`, `limit` excluded. */
export function randomBelow(random: Random, limit: number): number {
  return Math.floor(random.fraction() * limit)
}
