/** `seaworthy rollout watch`: asks again and again until the rollout ends, and shows what changed. */
import type { RolloutView } from '@seaworthy/api/rollouts'
import { showRollout, showRolloutHistory } from '@seaworthy/api/rollouts'
import { ProblemError } from '@seaworthy/api/problems'
import { TransportError } from '@seaworthy/std/http'
import { formatInstant } from '@seaworthy/std/time'
import type { Context } from '../../context.ts'
import { exitCodes, ExitCodeError } from '../../failure.ts'
import type { Session } from '../../session.ts'
import { logSettings, withSession } from '../../session.ts'
import { checkLog } from '../../state/audit-log.ts'
import type { Failures, Watched } from './watch-screen.ts'
import { describeChange, drawRollout } from './watch-screen.ts'
import { sumWaves } from './view.ts'

/** While something changes, and up to which interval it slows down while nothing does. */
const pollMs = 1000
const pollMsMax = 5000
/** Between tries while the server does not answer. */
const retryMs = 500
const retryMsMax = 10_000
/** A server that is gone for longer is not restarting. */
const troubleMsMax = 15 * 60_000

/** Returns when the rollout has finished. Throws `ExitCodeError` 3 when it was aborted, or paused because of failures. */
export async function watchRollout(context: Context, rolloutId: string): Promise<void> {
  await withSession(context, async (session) => {
    const show = createDisplay(context)
    let watched: Watched | undefined
    let delayMs = pollMs
    for (;;) {
      const next = await fetchPatiently(context, session, rolloutId, watched, (why) =>
        show.trouble(why),
      )
      const isChanged = watched === undefined || formOf(watched) !== formOf(next)
      show.state(next, isChanged)
      watched = next
      const outcome = outcomeOf(next.view)
      if (outcome === 'finished') return
      if (outcome === 'stopped') throw new ExitCodeError(exitCodes.refused)
      delayMs = isChanged ? pollMs : Math.min(pollMsMax, delayMs * 1.2)
      await wait(context, delayMs, () => show.redraw(next))
    }
  })
}

/** At a terminal the countdowns go on while nothing is asked. */
async function wait(context: Context, ms: number, redraw: () => void): Promise<void> {
  const { sleep, signal } = context.ports
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

/** Asks until there is an answer. Throws what is an answer, and `TransportError` when the server stays away. */
async function fetchPatiently(
  context: Context,
  session: Session,
  rolloutId: string,
  before: Watched | undefined,
  onTrouble: (why: string) => void,
): Promise<Watched> {
  const { clock, sleep, signal } = context.ports
  const startedMs = clock.monotonicMs()
  let delayMs = retryMs
  let isTrouble = false
  for (;;) {
    try {
      // a server that was away may have come back with another history
      if (isTrouble) await checkLog(logSettings(context, session))
      return await fetchState(session, rolloutId, before)
    } catch (error) {
      const isOver = clock.monotonicMs() - startedMs > troubleMsMax
      if (!isPassing(error) || before === undefined || signal.aborted || isOver) throw error
      isTrouble = true
      onTrouble(error.message)
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
  { client }: Session,
  rolloutId: string,
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

interface Display {
  state(watched: Watched, isChanged: boolean): void
  /** Time has passed, nothing else. */
  redraw(watched: Watched): void
  trouble(why: string): void
}

function createDisplay(context: Context): Display {
  if (context.options.json) return createJsonDisplay(context)
  return context.ports.out.isTerminal ? createScreenDisplay(context) : createLineDisplay(context)
}

/** One object a line: `{ at, rollout, failures }`. */
function createJsonDisplay({ ports, warn }: Context): Display {
  return {
    state({ view, failures }, isChanged) {
      if (!isChanged) return
      const at = formatInstant(ports.clock.now())
      ports.out.write(`${JSON.stringify({ at, rollout: view, failures })}\n`)
    },
    redraw() {},
    trouble: (why) => warn(`${why}; trying again`),
  }
}

function createLineDisplay({ ports, say, warn }: Context): Display {
  let before: Watched | undefined
  const write = (line: string) => say(`${formatInstant(ports.clock.now())} ${line}`)
  return {
    state(watched, isChanged) {
      if (!isChanged) return
      for (const line of describeChange(before?.view, watched.view)) write(line)
      const failed = describeFailures(watched.failures)
      if (failed !== describeFailures(before?.failures ?? [])) write(`failures: ${failed}`)
      before = watched
    },
    redraw() {},
    trouble: (why) => warn(`${formatInstant(ports.clock.now())} ${why}; trying again`),
  }
}

function describeFailures(failures: Failures): string {
  return failures
    .map(({ state, code, count }) => `${count} ${state}${code === null ? '' : ` (${code})`}`)
    .join(', ')
}

/** Draws over the picture before it, in place. */
function createScreenDisplay({ ports, paint }: Context): Display {
  const { out, clock } = ports
  let last: Watched | undefined
  let linesDrawn = 0
  const draw = (watched: Watched, trouble?: string) => {
    const { columns, rows } = out
    const lines = drawRollout(watched, { now: clock.now(), columns, rows, paint, trouble })
    const back = linesDrawn === 0 ? '' : `\u001b[${linesDrawn}A`
    // each line is cleared behind its end, and what lies below the last one
    out.write(`\r${back}${lines.map((line) => `${line}\u001b[K\n`).join('')}\u001b[J`)
    linesDrawn = lines.length
    last = watched
  }
  return {
    state: (watched) => draw(watched),
    redraw: (watched) => draw(watched),
    trouble(why) {
      if (last !== undefined) draw(last, why)
    },
  }
}
