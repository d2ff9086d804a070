/** `seaworthy rollout watch`: shows what changes until the rollout ends. */
import { formatInstant } from '@seaworthy/std/time'
import type { Context } from '../../context.ts'
import { ExitCodeError } from '../../failure.ts'
import { exitCodes } from '../../exit-codes.ts'
import { logSettings, withConnection } from '../../connection.ts'
import { checkLog } from '../../state/audit-log.ts'
import { printableJson } from '@seaworthy/std/printable'
import { harmlessLine } from '../../output/harmless.ts'
import type { Display } from './follow.ts'
import { findRolloutId } from './find-rollout.ts'
import { followRollout } from './follow.ts'
import type { Failures, Watched } from './watch-screen.ts'
import { describeChange, drawRollout } from './watch-screen.ts'

/**
 * Returns when the rollout has finished. Throws `ExitCodeError` 3 when it was aborted, or paused
 * because of failures.
 */
export async function watchRollout(context: Context, rollout: string): Promise<void> {
  await withConnection(context, async (connection) => {
    const rolloutId = await findRolloutId(connection, rollout)
    const outcome = await followRollout(context.ports, {
      client: connection.client,
      // A server that was away may come back with another history.
      recheck: () => checkLog(logSettings(context, connection)),
      rolloutId,
      show: createDisplay(context),
    })
    if (outcome === 'stopped') throw new ExitCodeError(exitCodes.refused)
  })
}

function createDisplay(context: Context): Display {
  if (context.options.json) return createJsonDisplay(context)
  return context.ports.out.isTerminal ? createScreenDisplay(context) : createLineDisplay(context)
}

/** Prints one object per line: `{ at, rollout, failures }`. */
function createJsonDisplay({ ports, warn }: Context): Display {
  return {
    state({ view, failures }, isChanged) {
      if (!isChanged) return
      const at = formatInstant(ports.clock.now())
      ports.out.write(`${printableJson(JSON.stringify({ at, rollout: view, failures }))}\n`)
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

/** Draws each picture over the one before it, in place. */
function createScreenDisplay({ ports, paint }: Context): Display {
  const { out, clock } = ports
  let last: Watched | undefined
  let linesDrawn = 0
  const draw = (watched: Watched, trouble?: string) => {
    const { columns, rows } = out
    const lines = drawRollout(watched, { now: clock.now(), columns, rows, paint, trouble })
    const back = linesDrawn === 0 ? '' : `\u001b[${linesDrawn}A`
    // The rest of each line is cleared, and everything below the last one.
    out.write(`\r${back}${lines.map((line) => `${harmlessLine(line)}\u001b[K\n`).join('')}\u001b[J`)
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
