/**
 * Slow hashes, for secrets that people choose: the only place that makes them, as a house rule
 * ensures. They run on the few threads of the process by which it also reads every file of content.
 */
import { argon2 } from 'node:crypto'
import { promisify } from 'node:util'
import type { SlowHashCost, SlowHashes } from '../app.ts'
import type { PersonRefusal } from '../refusals.ts'
import { TooOftenRefusal } from '../worker/index.ts'

/** How many wait behind the one that runs: about a second, at the costs in use. */
const waitingMax = 8
const retryAfterSeconds = 5

const argon2Async = promisify(argon2)

type Salted = SlowHashCost & { readonly salt: Uint8Array }

/** `run` makes one hash. */
export function createSlowHashes(run: typeof argon2id = argon2id): SlowHashes {
  let waiting = 0
  let last: Promise<unknown> = Promise.resolve()
  return {
    async hash(admit, secret, how) {
      if (waiting > waitingMax) {
        throw new TooOftenRefusal<PersonRefusal>(
          'hashes_waiting',
          `${waitingMax} secrets already wait to be checked: try again in a moment`,
          retryAfterSeconds,
        )
      }
      waiting++
      try {
        // This comes last, so that a try that is not carried out is not counted.
        await admit()
      } catch (error) {
        waiting--
        throw error
      }
      const turn = last.then(() => run(secret, how))
      // The caller gets the error; those waiting behind it are not affected.
      last = turn.catch(() => undefined).finally(() => waiting--)
      return turn
    },
  }
}

function argon2id(secret: string, { salt, memoryKiB, passes }: Salted): Promise<Uint8Array> {
  const parameters = { message: secret, nonce: salt, parallelism: 1, tagLength: 32 }
  return argon2Async('argon2id', { ...parameters, memory: memoryKiB, passes })
}
