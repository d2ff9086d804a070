/**
 * The primary process's side: it asks every worker and adds up the answers. Counts of a worker that
 * has ended stay in the totals, so that they never go down while the primary process lives. A
 * worker that does not answer in time counts with its last answer.
 */
import type { Sleep } from '@seaworthy/std/time'
import { keepTotals, mergeSnapshots } from './exposition.ts'
import type { Snapshot } from './meter.ts'

export interface Collector<Source> {
  add(source: Source): void
  /** Removes a process that has ended. */
  remove(source: Source): void
  /** Takes what `source` answers to the question `id`. */
  receive(source: Source, id: number, snapshot: Snapshot): void
  gather(): Promise<Snapshot>
}

interface Question<Source> {
  readonly open: Set<Source>
  readonly finish: () => void
}

const answerMs = 1000

export function createCollector<Source>(options: {
  readonly own: () => Snapshot
  readonly ask: (source: Source, id: number) => void
  readonly sleep: Sleep
}): Collector<Source> {
  const latest = new Map<Source, Snapshot>()
  const questions = new Map<number, Question<Source>>()
  let ended: Snapshot = []
  let lastId = 0

  const finishFor = (id: number, source: Source) => {
    const question = questions.get(id)
    if (question === undefined || !question.open.delete(source) || question.open.size > 0) return
    question.finish()
  }
  return {
    add(source) {
      latest.set(source, [])
    },
    remove(source) {
      ended = mergeSnapshots([ended, keepTotals(latest.get(source) ?? [])])
      latest.delete(source)
      for (const id of questions.keys()) finishFor(id, source)
    },
    receive(source, id, snapshot) {
      if (!latest.has(source) || !questions.has(id)) return
      latest.set(source, snapshot)
      finishFor(id, source)
    },
    async gather() {
      const id = ++lastId
      const done = new AbortController()
      if (latest.size > 0) {
        questions.set(id, { open: new Set(latest.keys()), finish: () => done.abort() })
        for (const source of latest.keys()) options.ask(source, id)
        await options.sleep(answerMs, done.signal).catch(() => undefined)
        questions.delete(id)
      }
      return mergeSnapshots([options.own(), ended, ...latest.values()])
    },
  }
}
