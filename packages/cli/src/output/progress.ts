/**
 * Progress on the error stream: a bar at a terminal, a line now and then elsewhere, nothing for
 * what is over within a second.
 */
import type { Clock } from '@seaworthy/std/time'
import type { Screen } from '../ports.ts'
import { formatBytes, formatMs, harmless } from './format.ts'

export interface Progress {
  /** Bytes done so far; `total` may become known, or grow, later. */
  update(doneBytes: number, totalBytes?: number): void
  /** The last state stays on the screen, if any was shown. */
  finish(): void
}

const quietMs = 1000
const redrawMs = 100
const lineEveryMs = 10_000
const barWidth = 24

export function createProgress(options: {
  title: string
  screen: Screen
  clock: Clock
  /** Whether nothing is drawn, as with `--json`, where nobody is watching. */
  isQuiet?: boolean
}): Progress {
  const { screen, clock } = options
  const startedMs = clock.monotonicMs()
  let state = { doneBytes: 0, totalBytes: undefined as number | undefined }
  let drawnMs = startedMs
  let isShown = false

  const line = (nowMs: number) => describeProgress(options.title, state, nowMs - startedMs)
  const draw = (nowMs: number) => {
    drawnMs = nowMs
    isShown = true
    screen.write(
      screen.isTerminal
        ? `\r\u001b[K${line(nowMs).slice(0, Math.max(20, screen.columns - 1))}`
        : `${line(nowMs)}\n`,
    )
  }
  return {
    update(doneBytes, totalBytes) {
      state = { doneBytes, totalBytes: totalBytes ?? state.totalBytes }
      if (options.isQuiet) return
      const nowMs = clock.monotonicMs()
      if (nowMs - startedMs < quietMs) return
      if (nowMs - drawnMs >= (screen.isTerminal ? redrawMs : lineEveryMs)) draw(nowMs)
    },
    finish() {
      if (!isShown) return
      draw(clock.monotonicMs())
      if (screen.isTerminal) screen.write('\n')
    },
  }
}

/** `push   [######------]  42%  10 MiB / 24 MiB  3.1 MiB/s  4s left` */
function describeProgress(
  title: string,
  { doneBytes, totalBytes }: { doneBytes: number; totalBytes: number | undefined },
  elapsedMs: number,
): string {
  const rate = elapsedMs > 0 ? (doneBytes * 1000) / elapsedMs : 0
  const speed = `${formatBytes(rate)}/s`
  const name = harmless(title)
  if (totalBytes === undefined || totalBytes === 0)
    return `${name}  ${formatBytes(doneBytes)}  ${speed}`
  const share = Math.min(1, doneBytes / totalBytes)
  const full = Math.floor(share * barWidth)
  const bar = '#'.repeat(full) + '-'.repeat(barWidth - full)
  const percent = `${Math.floor(share * 100)}%`.padStart(4)
  const left =
    rate > 0 && share < 1 ? `  ${formatMs(((totalBytes - doneBytes) / rate) * 1000)} left` : ''
  return `${name}  [${bar}] ${percent}  ${formatBytes(doneBytes)} / ${formatBytes(totalBytes)}  ${speed}${left}`
}
