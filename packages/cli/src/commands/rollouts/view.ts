/** A rollout as text. */
import type { RolloutView } from '@seaworthy/api/rollouts'
import { describeMembers, describePolicy } from '@seaworthy/fleet/rollouts'
import type { Context } from '../../context.ts'
import { formatAgo, harmless } from '../../output/format.ts'
import type { Column } from '../../output/table.ts'

export type WaveView = RolloutView['waves'][number]

/** `wave 2 of 4, 44 healthy, 1 failed`. */
export function describeProgress(view: RolloutView): string {
  const opened = view.waves.filter(({ state }) => state === 'open' || state === 'passed').length
  const { healthy, failed } = sumWaves(view)
  return [
    `wave ${opened} of ${view.waves.length}`,
    `${healthy} healthy`,
    ...(failed === 0 ? [] : [`${failed} failed`]),
  ].join(', ')
}

export function sumWaves({ waves }: RolloutView) {
  const sum = (count: (wave: WaveView) => number) =>
    waves.reduce((total, wave) => total + count(wave), 0)
  return {
    offered: sum((wave) => wave.offeredCount),
    inFlight: sum((wave) => wave.inFlightCount),
    healthy: sum((wave) => wave.healthyCount),
    failed: sum((wave) => wave.failedCount),
  }
}

/** `paused: more than 5 % of wave 1 failed (failure_gate)`. */
export function describeState({ state, stopCode, stopReason }: RolloutView): string {
  const code = stopCode === null ? '' : ` (${stopCode})`
  return `${state}${stopReason === null ? '' : `: ${stopReason}`}${code}`
}

export const waveStates: Readonly<Record<WaveView['state'], string>> = {
  waiting: 'waiting',
  awaiting_approval: 'to approve',
  open: 'open',
  passed: 'passed',
}

export function describeRollout(
  context: Context,
  view: RolloutView,
  { isShort = false }: { isShort?: boolean } = {},
): string[] {
  const now = context.ports.clock.now()
  const startsLater = Date.parse(view.startAt) > now.getTime()
  const head = context.fields([
    ['rollout', view.id],
    ['fleet', view.fleet],
    ['release', `${view.product}@${view.version}, counter ${view.counter}`],
    ['digest', isShort ? undefined : `sha256:${view.sha256}`],
    ['way back of', view.wayBackOf ?? undefined],
    ['state', describeState(view)],
    ['created', isShort ? undefined : `${view.createdAt} by ${view.createdBy}`],
    [
      startsLater ? 'starts' : 'started',
      isShort && !startsLater ? undefined : `${view.startAt} (${formatAgo(view.startAt, now)})`,
    ],
    ['ended', view.endedAt ?? undefined],
    ['next', view.next],
  ])
  const waves = context.table(waveColumns(view), view.waves, 'No waves.')
  const policy = isShort ? [] : ['', ...describePolicy(view.policy), ...describeChanges(view)]
  return [...head, '', ...waves, ...policy]
}

/** The changes of the policy, by whom and when; nothing where there are none. */
function describeChanges({ policyChanges }: RolloutView): string[] {
  return policyChanges.flatMap(({ at, by, reason, lines }) => [
    '',
    `Changed ${at} by ${by}${reason === null ? '' : `: ${harmless(reason)}`}`,
    ...lines.map((line) => `  ${harmless(line)}`),
  ])
}

function waveColumns(view: RolloutView): Column<WaveView>[] {
  const columns: Column<WaveView>[] = [
    { title: 'wave', text: (w) => String(w.number), align: 'right' },
    { title: 'members', text: (w) => describeMembers(view.policy.waves[w.number - 1]!.members) },
    { title: 'state', text: (w) => waveStates[w.state] },
    { title: 'devices', text: describeDevices, align: 'right' },
    { title: 'offered', text: (w) => String(w.offeredCount), align: 'right' },
    { title: 'in flight', text: (w) => String(w.inFlightCount), align: 'right' },
    { title: 'healthy', text: (w) => String(w.healthyCount), align: 'right' },
    { title: 'failed', text: (w) => String(w.failedCount), align: 'right' },
  ]
  if (view.waves.some((wave) => wave.supersededCount > 0)) {
    columns.push({
      title: 'no verdict',
      text: (w) => String(w.supersededCount),
      align: 'right',
    })
  }
  if (view.waves.some((wave) => wave.approvedBy !== null)) {
    columns.push({ title: 'approved', text: (w) => w.approvedBy ?? '-', isShrinkable: true })
  }
  return columns
}

/** `12`, or `12, 3 silent`. */
function describeDevices({ membersCount, silentCount }: WaveView): string {
  if (membersCount === null) return '-'
  return silentCount ? `${membersCount}, ${silentCount} silent` : String(membersCount)
}

/** Describes what to do after making a rollout. */
export function describeFollowUp({ id }: RolloutView): string[] {
  return [`Watch it with \`seaworthy rollout watch ${id}\`.`]
}
