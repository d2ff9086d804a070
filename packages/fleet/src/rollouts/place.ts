/**
 * A device's place in a rollout: the same on every replica, stored in no row, and for anyone to
 * compute again. It is MurmurHash3 x86_32 with seed 0 over the UTF-8 of `<rollout id>/<device id>`.
 * It is no secret and proves nothing: a device that wanted another place would have to be
 * registered again under another id.
 */

const placesCount = 2 ** 32

/** The place, 0 to 2^32 - 1. */
export function placeOf(rolloutId: string, deviceId: string): number {
  return murmur3(`${rolloutId}/${deviceId}`)
}

/** A wave of `percent` takes in the places below it. */
export function thresholdOf(percent: number): number {
  return Math.round((percent / 100) * placesCount)
}

/**
 * The share of the fleet, above 0 up to 100, from which a wave by percentage takes the place in.
 */
export function percentOf(place: number): number {
  return ((place + 1) / placesCount) * 100
}

/** MurmurHash3 x86_32 with seed 0 of the text's UTF-8. */
function murmur3(text: string): number {
  let hash = 0
  let block = 0
  let length = 0
  const add = (byte: number) => {
    block |= byte << ((length & 3) * 8)
    length += 1
    if ((length & 3) !== 0) return
    hash ^= scramble(block)
    hash = (hash << 13) | (hash >>> 19)
    hash = (Math.imul(hash, 5) + 0xe6546b64) | 0
    block = 0
  }
  for (let at = 0; at < text.length; at += 1) {
    const code = text.codePointAt(at) ?? 0
    if (code < 0x80) {
      add(code)
    } else if (code < 0x800) {
      add(0xc0 | (code >> 6))
      add(0x80 | (code & 0x3f))
    } else if (code < 0x10000) {
      add(0xe0 | (code >> 12))
      add(0x80 | ((code >> 6) & 0x3f))
      add(0x80 | (code & 0x3f))
    } else {
      at += 1
      add(0xf0 | (code >> 18))
      add(0x80 | ((code >> 12) & 0x3f))
      add(0x80 | ((code >> 6) & 0x3f))
      add(0x80 | (code & 0x3f))
    }
  }
  if ((length & 3) !== 0) hash ^= scramble(block)
  hash ^= length
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}

function scramble(block: number): number {
  const mixed = Math.imul(block, 0xcc9e2d51)
  return Math.imul((mixed << 15) | (mixed >>> 17), 0x1b873593)
}
