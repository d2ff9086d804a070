/** What is counted and traced about decisions on rollouts. */
import type { UpdateChange } from '@seaworthy/fleet/rollouts'
import { isUnderWay } from '@seaworthy/fleet/rollouts'
import type { Tracer } from '../traces/index.ts'
import type { Counter } from './meter.ts'
import type { Metrics } from './server-metrics.ts'

/** Counts updates that have ended. Call it after the commit of the changes. */
export function countEnded(counter: Counter, changes: readonly UpdateChange[]): void {
  for (const { before, after } of changes) {
    const wasUnderWay = before === null || isUnderWay(before)
    if (wasUnderWay && !isUnderWay(after)) counter.add(1, after.state)
  }
}

export interface SettlementObserver {
  /** Wraps one transaction that decides for `checkInsCount` check-ins. */
  settle<T extends { readonly changes: readonly UpdateChange[] }>(
    checkInsCount: number,
    work: () => Promise<T>,
  ): Promise<T>
}

export function observeSettlements(options: {
  readonly metrics: Pick<Metrics, 'updatesEnded'>
  readonly tracer: Tracer | undefined
}): SettlementObserver {
  const { metrics, tracer } = options
  return {
    async settle(checkInsCount, work) {
      const settled =
        tracer === undefined
          ? await work()
          : await tracer.span('rollout.settle', { 'batch.size': checkInsCount }, work)
      countEnded(metrics.updatesEnded, settled.changes)
      return settled
    },
  }
}
