/**
 * When the agent polls: soon after its start, then as often as the server wants it, later and later
 * while polls fail, and at once when something wakes it.
 */
import type { Random } from '@seaworthy/std/random'
import { Refusal, TrustError } from '@seaworthy/std/refusal'
import { backOffMs } from '@seaworthy/std/retry'
import { FetchError } from '../refusals.ts'
import type { InstallerContext } from './context.ts'
import { publishStatus } from './context.ts'
import type { Poller } from './poller.ts'
import type { WakeUp } from './wake-up.ts'

/**
 * The longest random wait before the first poll: somebody waits for a new device; a fleet that
 * starts again after a power failure must not come at once.
 */
const firstPollMaxSeconds = { new: 10, known: 300 } as const
const backOffFirstMs = 5000
const backOffMaxMs = 15 * 60_000

/** Polls until the agent stops; rejects only for a bug or a disk that fails. */
export async function pollForever(
  poller: Pick<Poller, 'poll'>,
  context: InstallerContext,
  wakeUp: Pick<WakeUp, 'awaited'>,
): Promise<void> {
  const { ports, settings, store, signal } = context
  const { pollSeconds } = settings.config
  const isNew = store.state.deviceId === null
  const first = Math.min(
    isNew ? firstPollMaxSeconds.new : firstPollMaxSeconds.known,
    pollSeconds / 10,
  )
  await pause(context, wakeUp, first * 1000 * ports.random.fraction())
  let failures = 0
  while (!signal.aborted) {
    let waitMs: number
    try {
      waitMs = jitteredMs(await poller.poll(), ports.random)
      failures = 0
    } catch (error) {
      if (!isExpectedFault(error)) throw error
      failures++
      context.setLastError(error instanceof FetchError ? error.word : error.code)
      // An answer is no fault of the network, and the log must not send its reader there.
      const isAnswer = error instanceof FetchError && error.problem !== undefined
      ports.log.warn(isAnswer ? 'server-refused' : 'server-not-reached', { error })
      waitMs = waitAfterFailure(failures, error, { pollSeconds, random: ports.random })
    }
    publishStatus(context)
    await pause(context, wakeUp, waitMs)
  }
}

function waitAfterFailure(
  failures: number,
  error: ExpectedFault,
  { pollSeconds, random }: { readonly pollSeconds: number; readonly random: Random },
): number {
  const firstMs = Math.min(backOffFirstMs, pollSeconds * 1000)
  const maxMs = Math.max(firstMs, Math.min(backOffMaxMs, pollSeconds * 1000))
  const ownMs = backOffMs(failures, { firstMs, maxMs, random })
  const wantedSeconds = error instanceof FetchError ? (error.retryAfterSeconds ?? 0) : 0
  // Devices that were told the same time come back spread over a fifth of it.
  const wantedMs = Math.min(wantedSeconds, 24 * 3600) * 1000 * (1 + 0.2 * random.fraction())
  return Math.max(ownMs, wantedMs)
}

async function pause(
  { ports, signal }: InstallerContext,
  wakeUp: Pick<WakeUp, 'awaited'>,
  ms: number,
): Promise<void> {
  const early = new AbortController()
  const ends = AbortSignal.any([signal, early.signal])
  // Both reject when the wait is over by the other or by the end of the program: nothing failed.
  await Promise.race([ports.sleep(ms, ends).catch(() => {}), wakeUp.awaited(ends).catch(() => {})])
  early.abort(new Error('over'))
}

/** A pause of about `seconds`, drawn so that a fleet never polls at once. */
function jitteredMs(seconds: number, random: Random): number {
  return Math.round(seconds * 1000 * (0.9 + 0.2 * random.fraction()))
}

type ExpectedFault = FetchError | Refusal | TrustError

/** Whether an error is neither a bug nor a broken disk: the next poll may go better. */
export function isExpectedFault(error: unknown): error is ExpectedFault {
  return error instanceof FetchError || error instanceof Refusal || error instanceof TrustError
}
