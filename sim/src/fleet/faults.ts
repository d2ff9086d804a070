/** What can go wrong between a replica and its database, at a moment that the story names. */
import type { Db } from '@seaworthy/server/testing'

class ReplicaKilled extends Error {
  override readonly name = 'ReplicaKilled'
}

export interface FaultyDb {
  readonly db: Db
  /**
   * The next transaction that changes a rollout is the last: the process dies just before or just
   * after its commit.
   */
  killAtWrite(moment: 'before-commit' | 'after-commit'): void
  /** Nothing reaches the database, and nothing comes back. */
  setCutOff(isCutOff: boolean): void
  readonly isKilled: () => boolean
}

/**
 * A killed replica answers nothing any more; a caller that waits for it gets an error, as from a
 * broken connection.
 */
export function createFaultyDb(real: Db): FaultyDb {
  let moment: 'before-commit' | 'after-commit' | undefined
  let isKilled = false
  let isCutOff = false
  const requireAlive = () => {
    if (isKilled || isCutOff) throw new ReplicaKilled('the database does not answer')
  }
  const db: Db = {
    ...real,
    async readSnapshot(work) {
      requireAlive()
      return real.readSnapshot(work)
    },
    async writeRows(work) {
      requireAlive()
      const result = await real.writeRows(work)
      requireAlive()
      return result
    },
    async write(work) {
      requireAlive()
      const planned = moment
      moment = undefined
      if (planned === undefined) {
        const result = await real.write(work)
        requireAlive()
        return result
      }
      isKilled = true
      if (planned === 'before-commit') {
        await real
          .write(async (tx) => {
            await work(tx)
            throw new ReplicaKilled('killed before the commit')
          })
          .catch((error: unknown) => {
            if (!(error instanceof ReplicaKilled)) throw error
          })
      } else await real.write(work)
      throw new ReplicaKilled('killed')
    },
  }
  return {
    db,
    killAtWrite(at) {
      moment = at
    },
    setCutOff(value) {
      isCutOff = value
    },
    isKilled: () => isKilled,
  }
}
