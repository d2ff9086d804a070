/** Older versions of metadata that were verified, within a bound of bytes. */

const olderBytesMax = 4 * 1024 * 1024

/**
 * Older versions that were verified by the keys of one state, and hold for that state alone: a
 * stranger may ask for them as often as for the newest.
 */
export function createOlderVersions(bytesMax = olderBytesMax) {
  let keeper: object | undefined
  let bytesCount = 0
  // The least recently used one comes first.
  const kept = new Map<string, Uint8Array>()
  const keyOf = (role: string, version: number) => `${version}.${role}`
  const forgetOthers = (state: object | undefined) => {
    if (state === keeper) return
    keeper = state
    bytesCount = 0
    kept.clear()
  }
  const remove = (key: string) => {
    bytesCount -= kept.get(key)?.length ?? 0
    kept.delete(key)
  }
  return {
    get(state: object | undefined, role: string, version: number): Uint8Array | undefined {
      forgetOthers(state)
      const key = keyOf(role, version)
      const bytes = kept.get(key)
      if (bytes === undefined) return undefined
      kept.delete(key)
      kept.set(key, bytes)
      return bytes
    },
    set(state: object | undefined, role: string, version: number, bytes: Uint8Array): void {
      forgetOthers(state)
      const key = keyOf(role, version)
      remove(key)
      kept.set(key, bytes)
      bytesCount += bytes.length
      while (bytesCount > bytesMax) remove(kept.keys().next().value!)
    },
  }
}
