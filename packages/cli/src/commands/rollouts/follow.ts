/**
 * Asks for a rollout again and again until it ends; a server that does not answer is waited for.
 */
import type { ApiClient } from '@seaworthy/api/client'
import type { RolloutView } from '@seaworthy/api/rollouts'
import { showRollout, showRolloutHistory } from '@seaworthy/api/rollouts'
import { ProblemError } from '@seaworthy/api/problems'
import { TransportError } from '@seaworthy/std/http'
import type { CliPorts } from '../../ports.ts'
import type { Watched } from './watch-screen.ts'
import { sumWaves } from './view.ts'

/**
 * The interval while something changes, and the longest one, which it grows to while nothing does.
 */
const pollMs = 1000
const pollMsMax = 5000
/** The pause between tries while the server does not answer, and the longest one. */
const retryMs = 500
const retryMsMax = 10_000
/** A server that is gone for longer is not restarting. */
const troubleMsMax = 15 * 60_000

type Ports = Pick<CliPorts, 'clock' | 'sleep' | 'signal'>

export interface Display {
  state(watched: Watched, isChanged: boolean): void
  /** Draws again because time has passed, although nothing else has changed. */
  redraw(watched: Watched): void
  trouble(why: string): void
}

export interface Followed {
  client: ApiClient
  /** Called before the next request once the server has been away. */
  recheck: () => Promise<unknown>
  rolloutId: string
  show: Display
}

/**
 * Returns how the rollout ended: `stopped` is aborted, or paused because of failures. Throws when
 * the server stays away.
 */
export async function followRollout(
  ports: Ports,
  followed: Followed,
): Promise<'finished' | 'stopped'> {
  const { show } = followed
  let watched: Watched | undefined
  let delayMs = pollMs
  for (;;) {
    const next = await fetchPatiently(ports, followed, watched)
    const isChanged = watched === undefined || formOf(watched) !== formOf(next)
    show.state(next, isChanged)
    watched = next
    const outcome = outcomeOf(next.view)
    if (outcome !== 'running') return outcome
    delayMs = isChanged ? pollMs : Math.min(pollMsMax, delayMs * 1.2)
    await wait(ports, delayMs, () => show.redraw(next))
  }
}

/** The countdowns at a terminal go on while the server is not asked. */
async function wait({ sleep, signal }: Ports, ms: number, redraw: () => void): Promise<void> {
  for (let leftMs = ms; leftMs > 0; leftMs -= 1000) {
    await sleep(Math.min(1000, leftMs), signal)
    if (leftMs > 1000) redraw()
  }
}

function outcomeOf({ state, stopCode }: RolloutView): 'running' | 'finished' | 'stopped' {
  if (state === 'finished') return 'finished'
  if (state === 'aborted') return 'stopped'
  if (state === 'paused' && stopCode !== null && stopCode !== 'by_person') return 'stopped'
  return 'running'
}

/** Everything but the sentence about what comes next, which changes with the time. */
function formOf({ view, failures }: Watched): string {
  return JSON.stringify([{ ...view, next: '' }, failures])
}

/**
 * Asks until the server answers. An error that will not pass is thrown at once; one that may pass
 * is thrown when the server stays away for too long, or has not answered before.
 */
async function fetchPatiently(
  { clock, sleep, signal }: Ports,
  followed: Followed,
  before: Watched | undefined,
): Promise<Watched> {
  const startedMs = clock.monotonicMs()
  let delayMs = retryMs
  let isTrouble = false
  for (;;) {
    try {
      if (isTrouble) await followed.recheck()
      return await fetchState(followed, before)
    } catch (error) {
      const isOver = clock.monotonicMs() - startedMs > troubleMsMax
      if (!isPassing(error) || before === undefined || signal.aborted || isOver) throw error
      isTrouble = true
      followed.show.trouble(error.message)
      const askedMs = error instanceof ProblemError ? (error.retryAfterSeconds ?? 0) * 1000 : 0
      await sleep(Math.min(retryMsMax, Math.max(askedMs, delayMs)), signal)
      delayMs = Math.min(retryMsMax, delayMs * 2)
    }
  }
}

function isPassing(error: unknown): error is TransportError | ProblemError {
  if (error instanceof TransportError) {
    return error.code === 'unreachable' || error.code === 'timed_out'
  }
  return error instanceof ProblemError && [429, 502, 503, 504].includes(error.status)
}

/** Codes of failures are asked for when there are more of them than before. */
async function fetchState(
  { client, rolloutId }: Followed,
  before: Watched | undefined,
): Promise<Watched> {
  const params = { rolloutId }
  const view = await client.call(showRollout, { params })
  const { failed } = sumWaves(view)
  if (failed === 0) return { view, failures: [] }
  if (before !== undefined && sumWaves(before.view).failed === failed) {
    return { view, failures: before.failures }
  }
  const { failures } = await client.call(showRolloutHistory, { params })
  return { view, failures }
}
