/**
 * What `rollout watch` shows, as values in and lines out: a picture for a terminal, and a line for
 * each change elsewhere.
 */
import type { RolloutView } from '@seaworthy/api/rollouts'
import type { ReplyOf } from '@seaworthy/api/route'
import type { showRolloutHistory } from '@seaworthy/api/rollouts'
import { describeMembers } from '@seaworthy/fleet/rollouts'
import { formatDuration } from '@seaworthy/std/time'
import { drawBar } from '../../output/bars.ts'
import { formatCount, formatMs, harmless } from '../../output/format.ts'
import type { Paint } from '../../output/paint.ts'
import type { WaveView } from './view.ts'
import { describeState, waveStates } from './view.ts'

export type Failures = ReplyOf<typeof showRolloutHistory>['failures']

export interface Watched {
  view: RolloutView
  failures: Failures
}

export interface Picture {
  now: Date
  columns: number
  rows: number
  paint: Paint
  /** Why the newest state could not be fetched; the picture is of the last one that was. */
  trouble?: string | undefined
}

const barMin = 10
const barMax = 40
/**
 * Header, reason, an empty line on either side of the waves, what comes next, failures, footer, and
 * a line to spare.
 */
const linesBesideWaves = 11

/**
 * At most `rows` - 1 lines, none wider than `columns` - 1, so that it can be drawn over in place.
 */
export function drawRollout({ view, failures }: Watched, picture: Picture): string[] {
  const { now, paint, trouble } = picture
  const width = Math.max(40, picture.columns) - 1
  const fit = (text: string) => cut(harmless(text), width)
  const lines = [
    paint.bold(fit(`${view.product}@${view.version} to ${view.fleet}  ${view.id}`)),
    paintState(view, paint, fit(describeTimes(view, now))),
    ...(view.stopReason === null ? [] : wrap(harmless(view.stopReason), width, 2)),
    '',
    ...drawWaves(view, picture, width),
    '',
    ...wrap(harmless(`next: ${view.next}`), width, 3),
    ...drawFailures(failures, width).map((line) => paint.red(line)),
  ]
  if (trouble !== undefined) lines.push(paint.yellow(fit(`! ${trouble}; trying again`)))
  lines.push(paint.dim(fit('# healthy  > in flight  x failed  ~ ended otherwise  . to come')))
  return lines.slice(0, Math.max(4, picture.rows - 1))
}

function describeTimes(view: RolloutView, now: Date): string {
  const state = view.stopCode === null ? view.state : `${view.state} (${view.stopCode})`
  const started = Date.parse(view.startAt)
  const until = view.endedAt === null ? now.getTime() : Date.parse(view.endedAt)
  if (started > until) return `${state}, starts in ${formatMs(started - until)}`
  return `${state}, ${view.endedAt === null ? 'for' : 'after'} ${formatMs(until - started)}`
}

function paintState({ state }: RolloutView, paint: Paint, text: string): string {
  switch (state) {
    case 'active':
      return text
    case 'finished':
      return paint.green(text)
    case 'paused':
      return paint.yellow(text)
    case 'aborted':
      return paint.red(text)
  }
}

/** Waves that passed fold into one line where the terminal is too low for all of them. */
function drawWaves(view: RolloutView, picture: Picture, width: number): string[] {
  const room = Math.max(3, picture.rows - linesBesideWaves)
  const all = view.waves.flatMap((wave) => drawWave(view, wave, picture, width))
  if (all.length <= room) return all
  const current = view.waves.findIndex(({ state }) => state !== 'passed')
  const from = current < 0 ? view.waves.length - 1 : current
  const shown = view.waves.slice(from).flatMap((wave) => drawWave(view, wave, picture, width))
  const kept = shown.slice(0, room - 2)
  const folded = from === 0 ? [] : [`    ${formatCount(from, 'wave')} before passed`]
  const left = shown.length - kept.length
  return [...folded, ...kept, ...(left === 0 ? [] : ['    …'])]
}

/**
 * The wave as a line, with the gate below it when it is open:
 *
 *      2 open       10%  [######>>x.......]  44/90  12 in flight  1 failed
 */
function drawWave(
  view: RolloutView,
  wave: WaveView,
  { paint, now }: Picture,
  width: number,
): string[] {
  const members = describeMembers(view.policy.waves[wave.number - 1]!.members)
  const counts = [
    `${wave.healthyCount}/${wave.membersCount ?? '?'}`,
    wave.inFlightCount === 0 ? undefined : `${wave.inFlightCount} in flight`,
    wave.failedCount === 0 ? undefined : `${wave.failedCount} failed`,
    wave.silentCount ? `${wave.silentCount} silent` : undefined,
  ].filter((part) => part !== undefined)
  const head = `${String(wave.number).padStart(2)} ${waveStates[wave.state].padEnd(10)} ${cut(harmless(members), 16).padEnd(6)} `
  const tail = ` ${counts.join('  ')}`
  const barWidth = Math.min(barMax, Math.max(barMin, width - head.length - 30))
  const bar = drawBar(
    [
      { count: wave.healthyCount, character: '#' },
      { count: wave.failedCount, character: 'x' },
      { count: wave.supersededCount, character: '~' },
      { count: wave.inFlightCount, character: '>' },
    ],
    wave.membersCount ?? 0,
    barWidth,
  )
  const line = `${head}${paintBar(bar, paint)}${cut(tail, Math.max(0, width - head.length - barWidth))}`
  const below = describeGate(view, wave, now).map((text) => paint.dim(cut(`   ${text}`, width)))
  return [
    wave.state === 'waiting' ? paint.dim(`${head}${bar}${tail}`.slice(0, width)) : line,
    ...below,
  ]
}

function paintBar(bar: string, paint: Paint): string {
  return bar.replace(/#+|x+|>+/g, (run) => {
    if (run.startsWith('#')) return paint.green(run)
    return run.startsWith('x') ? paint.red(run) : paint.yellow(run)
  })
}

/** How far the wave is from opening the next one; nothing for waves that are not open. */
function describeGate(view: RolloutView, wave: WaveView, now: Date): string[] {
  if (wave.state === 'awaiting_approval') {
    return [`seaworthy rollout approve ${view.id} --wave ${wave.number}`]
  }
  if (wave.state !== 'open') return []
  const { gate } = view.policy.waves[wave.number - 1]!
  const of = gate.successOf === 'members' ? 'its devices' : 'its ended updates'
  const bake = formatDuration(gate.bakeSeconds * 1000)
  if (wave.successSince === null) {
    const held = gate.bakeSeconds === 0 ? '' : ` for ${bake}`
    return [`gate: ${gate.successPercentMin}% of ${of} healthy${held}`]
  }
  const leftMs = Date.parse(wave.successSince) + gate.bakeSeconds * 1000 - now.getTime()
  return [`gate met: bakes, ${formatMs(leftMs)} left of ${bake}`]
}

function drawFailures(failures: Failures, width: number): string[] {
  if (failures.length === 0) return []
  const parts = failures
    .toSorted((a, b) => b.count - a.count)
    .map(({ state, code, count }) => `${count} ${state}${code === null ? '' : ` (${code})`}`)
  return wrap(harmless(`failures: ${parts.join(', ')}`), width, 2)
}

/** Lists what changed since `before`, one line each; everything when `before` is `undefined`. */
export function describeChange(before: RolloutView | undefined, after: RolloutView): string[] {
  const lines: string[] = []
  const isMoved = before?.state !== after.state || before.stopReason !== after.stopReason
  if (isMoved) lines.push(`rollout ${after.id} ${describeState(after)}`)
  let isOpened = false
  for (const [i, wave] of after.waves.entries()) {
    const old = before?.waves[i]
    const members = describeMembers(after.policy.waves[wave.number - 1]!.members)
    if (old?.state !== wave.state) {
      isOpened ||= old !== undefined
      lines.push(`wave ${wave.number} (${members}): ${waveStates[wave.state]}`)
    }
    const counts = describeCounts(wave)
    const was = old === undefined ? undefined : describeCounts(old)
    if (counts !== was && wave.offeredCount > 0) {
      lines.push(`wave ${wave.number}: ${counts}`)
    }
    if (old !== undefined && old.successSince === null && wave.successSince !== null) {
      lines.push(`wave ${wave.number}: gate met, bakes since ${wave.successSince}`)
    }
    if (old !== undefined && old.successSince !== null && wave.successSince === null) {
      lines.push(`wave ${wave.number}: gate no longer met`)
    }
  }
  if (isMoved || isOpened) lines.push(`next: ${after.next}`)
  return lines.map(harmless)
}

function describeCounts(wave: WaveView): string {
  const of = wave.membersCount === null ? '' : ` of ${wave.membersCount}`
  return `${wave.healthyCount}${of} healthy, ${wave.inFlightCount} in flight, ${wave.failedCount} failed, ${wave.offeredCount} offered${wave.silentCount ? `, ${wave.silentCount} silent` : ''}`
}

/** Wraps the text at blanks into at most `linesMax` lines; what is still too wide is cut. */
function wrap(text: string, width: number, linesMax: number): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    const longer = line === '' ? word : `${line} ${word}`
    if (Array.from(longer).length <= width || line === '') {
      line = longer
      continue
    }
    lines.push(line)
    line = `  ${word}`
  }
  lines.push(line)
  if (lines.length > linesMax) {
    const last = lines
      .slice(linesMax - 1)
      .join(' ')
      .replaceAll(/\s+/g, ' ')
    lines.splice(linesMax - 1, lines.length, linesMax === 1 ? last : `  ${last.trim()}`)
  }
  return lines.map((one) => cut(one, width))
}

function cut(text: string, width: number): string {
  const characters = Array.from(text)
  return characters.length <= width
    ? text
    : `${characters.slice(0, Math.max(0, width - 1)).join('')}…`
}
