/**
 * Where a zstd frame ends (RFC 8878, section 3.1.1), found without decompressing it. A layer is one
 * frame and nothing else. A decoder alone cannot enforce that: some go on with the next frame, some
 * stop, and Node does one or the other depending on how the bytes are cut into pieces.
 */

/** Takes the bytes piece by piece, each one looked at once. */
export interface FrameScanner {
  /** Returns how many bytes of the piece, from its start, belong to the frame. */
  push(piece: Uint8Array): number
  /** Whether the bytes so far are one whole frame, with nothing before or behind it. */
  isWhole(): boolean
}

const magic = [0x28, 0xb5, 0x2f, 0xfd]
const startBytes = 5
const blockHeaderBytes = 3
const checksumBytes = 4

export function createFrameScanner(): FrameScanner {
  const collected = new Uint8Array(startBytes)
  let collectedBytes = 0
  let skipBytes = 0
  let hasChecksum = false
  let state: 'start' | 'block' | 'last' | 'broken' = 'start'

  /** Reads the magic number and the byte that describes the rest of the header. */
  function takeStart(): void {
    const descriptor = collected[4]!
    const isSingleSegment = (descriptor & 0x20) !== 0
    const windowBytes = isSingleSegment ? 0 : 1
    const dictionaryBytes = [0, 1, 2, 4][descriptor & 3]!
    const contentSizeBytes = [isSingleSegment ? 1 : 0, 2, 4, 8][descriptor >> 6]!
    hasChecksum = (descriptor & 4) !== 0
    skipBytes = windowBytes + dictionaryBytes + contentSizeBytes
    state = magic.every((byte, i) => collected[i] === byte) ? 'block' : 'broken'
  }

  function takeBlockHeader(): void {
    const header = collected[0]! | (collected[1]! << 8) | (collected[2]! << 16)
    const type = (header >> 1) & 3
    // A run of one byte is that byte; the reserved type has no known length.
    skipBytes = type === 1 ? 1 : header >> 3
    if (type === 3) state = 'broken'
    else if ((header & 1) === 1) {
      skipBytes += hasChecksum ? checksumBytes : 0
      state = 'last'
    }
  }

  return {
    push(piece) {
      let at = 0
      while (at < piece.length) {
        if (skipBytes > 0) {
          const taken = Math.min(skipBytes, piece.length - at)
          skipBytes -= taken
          at += taken
          continue
        }
        if (state === 'last' || state === 'broken') {
          state = 'broken'
          return at
        }
        const wanted = state === 'start' ? startBytes : blockHeaderBytes
        const taken = Math.min(wanted - collectedBytes, piece.length - at)
        collected.set(piece.subarray(at, at + taken), collectedBytes)
        collectedBytes += taken
        at += taken
        if (collectedBytes < wanted) continue
        collectedBytes = 0
        if (state === 'start') takeStart()
        else takeBlockHeader()
      }
      return at
    },
    isWhole: () => state === 'last' && skipBytes === 0,
  }
}
