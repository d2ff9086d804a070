/** The updates of a rollout: by device, and over time. */
import type { UpdateView } from '@seaworthy/api/rollouts'
import { listRolloutUpdates, showRollout, showRolloutHistory } from '@seaworthy/api/rollouts'
import type { ReplyOf } from '@seaworthy/api/route'
import { updateStates } from '@seaworthy/fleet/rollouts'
import type { UpdateState } from '@seaworthy/fleet/rollouts'
import { maxOf } from '@seaworthy/std/numbers'
import type { Context } from '../../context.ts'
import { drawCurve } from '../../output/bars.ts'
import { formatAgo, formatCount } from '../../output/format.ts'
import type { Connection } from '../../connection.ts'
import { collectPages, withConnection } from '../../connection.ts'
import { findRolloutId } from './find-rollout.ts'

export { updateStates }

export interface UpdatesOptions {
  state?: UpdateState
  limit: number
}

export async function showUpdates(
  context: Context,
  rollout: string,
  { state, limit }: UpdatesOptions,
): Promise<void> {
  await withConnection(context, async (connection) => {
    const { client } = connection
    const rolloutId = await findRolloutId(connection, rollout)
    // One update more than wanted tells that there are more.
    const found = await collectPages(
      (query) =>
        client.call(listRolloutUpdates, {
          params: { rolloutId },
          query: { ...query, ...(state === undefined ? {} : { state }) },
        }),
      limit + 1,
    )
    const updates = found.slice(0, limit)
    const now = context.ports.clock.now()
    context.show(updates, () =>
      context.table<UpdateView>(
        [
          { title: 'device', text: (u) => u.deviceId },
          { title: 'wave', text: (u) => String(u.wave), align: 'right' },
          { title: 'try', text: (u) => String(u.attempt), align: 'right' },
          { title: 'state', text: (u) => u.state },
          { title: 'code', text: (u) => u.code ?? '-', isShrinkable: true },
          { title: 'reason', text: (u) => u.reason ?? '-', isShrinkable: true, isDroppable: true },
          { title: 'since', text: (u) => formatAgo(u.changedAt, now), isDroppable: true },
        ],
        updates,
        state === undefined ? 'No device has been offered it yet.' : `No update is ${state}.`,
      ),
    )
    if (found.length > limit) context.warn(`There are more than ${limit}: see --limit and --state.`)
  })
}

type History = ReplyOf<typeof showRolloutHistory>
const curveWidth = 60

export async function showHistory(context: Context, rollout: string): Promise<void> {
  await withConnection(context, async (connection) => {
    const { client } = connection
    const params = { rolloutId: await findRolloutId(connection, rollout) }
    const history = await client.call(showRolloutHistory, { params })
    if (context.options.json) return context.show(history, () => [])
    const { waves } = await client.call(showRollout, { params })
    context.show(history, () => describeHistory(context, history, waves.length))
  })
}

function describeHistory(
  context: Context,
  { samples, failures }: History,
  wavesCount: number,
): string[] {
  const [first] = samples
  const last = samples.at(-1)
  const codes = describeFailureCounts(context, failures)
  if (first === undefined || last === undefined) return ['No samples over time yet.', ...codes]
  const lines = [`${first.at} to ${last.at}`]
  for (let wave = 0; wave < wavesCount; wave++) {
    const of = (count: keyof (typeof first.waves)[number]) =>
      samples.map((sample) => sample.waves[wave]?.[count] ?? 0)
    for (const count of ['offered', 'healthy', 'failed'] as const) {
      const values = of(count)
      const max = maxOf(of('offered'))
      const now = values.at(-1)!
      if (max === 0 || (count === 'failed' && maxOf(values) === 0)) continue
      lines.push(`wave ${wave + 1} ${count.padEnd(8)} ${drawCurve(values, max, curveWidth)} ${now}`)
    }
  }
  return [...lines, ...codes]
}

/** Why updates of the rollout failed; nothing where none did. */
export async function readFailures(
  { client }: Pick<Connection, 'client'>,
  rolloutId: string,
): Promise<History['failures']> {
  const { failures } = await client.call(showRolloutHistory, { params: { rolloutId } })
  return failures
}

/** A table by code, most frequent first; nothing where nothing failed. */
export function describeFailureCounts(context: Context, failures: History['failures']): string[] {
  if (failures.length === 0) return ['', 'No update failed.']
  const total = failures.reduce((sum, { count }) => sum + count, 0)
  return [
    '',
    `${formatCount(total, 'failed update')}:`,
    ...context.table<History['failures'][number]>(
      [
        { title: 'state', text: (f) => f.state },
        { title: 'code', text: (f) => f.code ?? '-' },
        { title: 'count', text: (f) => String(f.count), align: 'right' },
        { title: 'such as', text: (f) => f.deviceId },
        { title: 'reason', text: (f) => f.reason ?? '-', isShrinkable: true },
      ],
      failures.toSorted((a, b) => b.count - a.count),
      'No update failed.',
    ),
  ]
}
