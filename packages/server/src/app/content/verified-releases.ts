/**
 * Which releases this worker has read to their ends and found to be what they say. It reads one after the other, so that registering
 * never takes more than one share of a processor from the devices that ask meanwhile.
 */

export interface VerifiedReleases {
  /** Does the work unless it succeeded before for this key. Throws what the work throws. */
  once(key: string, work: () => Promise<void>): Promise<void>
}

const keysMax = 10_000

export function createVerifiedReleases(): VerifiedReleases {
  const verified = new Set<string>()
  let last: Promise<unknown> = Promise.resolve()
  return {
    async once(key, work) {
      if (verified.has(key)) return
      const turn = last.then(async () => {
        if (verified.has(key)) return
        await work()
        if (verified.size >= keysMax) verified.delete(verified.values().next().value!)
        verified.add(key)
      })
      last = turn.catch(() => {})
      await turn
    },
  }
}
