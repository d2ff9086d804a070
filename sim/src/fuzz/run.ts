/**
 * Runs many cases of many targets, in rounds, so that what memory there is can be compared between
 * them.
 */
import type { Clock } from '@seaworthy/std/time'
import { makeCase, shareCases } from './cases.ts'
import type { FuzzTarget, FuzzOutcome } from './target.ts'
import { runCase } from './target.ts'

export interface FuzzOptions {
  readonly seed: number
  readonly total: number
  /** This process takes the cases whose number gives `part` when divided by `parts`. */
  readonly part: number
  readonly parts: number
  readonly clock: Clock
  /** Called before each case. */
  readonly enter: (targetIndex: number, caseNumber: number) => void
  /** Called with each fault. */
  readonly report: (fault: FuzzFault) => void
  /** Bytes that stay in use after everything else was given back; asked after each round. */
  readonly measure: () => Memory
}

export interface Memory {
  readonly heapBytes: number
  readonly residentBytes: number
}

export interface FuzzFault {
  readonly target: string
  readonly caseNumber: number
  readonly what: string
  readonly bytes: Uint8Array
}

export interface Summary {
  readonly cases: number
  /** Accepted cases by target. */
  readonly accepted: Readonly<Record<string, number>>
  readonly refused: Readonly<Record<string, number>>
  readonly faultCount: number
  readonly memory: readonly Memory[]
  readonly slowestMs: number
}

const rounds = 10
/**
 * The longest time of a case; one that takes longer, twice in a row, hangs as far as anybody who
 * waits for it is concerned.
 */
const caseMsMax = 1000

export async function runFuzz(
  targets: readonly FuzzTarget[],
  options: FuzzOptions,
): Promise<Summary> {
  const shares = shareCases(targets, options.total)
  const accepted: Record<string, number> = {}
  const refused: Record<string, number> = {}
  const memory: Memory[] = []
  let cases = 0
  let faultCount = 0
  let slowestMs = 0
  for (let round = 0; round < rounds; round++) {
    for (const [index, target] of targets.entries()) {
      const [from, to] = [round, round + 1].map((n) => Math.floor((shares[index]! * n) / rounds))
      for (let number = from!; number < to!; number++) {
        if (number % options.parts !== options.part) continue
        options.enter(index, number)
        const bytes = await makeCase(target, options.seed, number)
        const { outcome, tookMs } = await timeCase(target, bytes, options.clock)
        cases++
        slowestMs = Math.max(slowestMs, tookMs)
        if (outcome.kind === 'accepted') accepted[target.name] = (accepted[target.name] ?? 0) + 1
        if (outcome.kind === 'refused') refused[target.name] = (refused[target.name] ?? 0) + 1
        const what = describeFault(outcome, tookMs)
        if (what === undefined) continue
        faultCount++
        options.report({ target: target.name, caseNumber: number, what, bytes })
      }
    }
    memory.push(options.measure())
  }
  return { cases, accepted, refused, faultCount, memory, slowestMs }
}

async function timeCase(target: FuzzTarget, bytes: Uint8Array<ArrayBuffer>, clock: Clock) {
  const once = async () => {
    const startMs = clock.monotonicMs()
    const outcome = await runCase(target, bytes)
    return { outcome, tookMs: clock.monotonicMs() - startMs }
  }
  const first = await once()
  // The machine may have been busy with something else: the second time decides.
  return first.tookMs > caseMsMax ? once() : first
}

function describeFault(outcome: FuzzOutcome, tookMs: number): string | undefined {
  if (tookMs > caseMsMax) return `took ${Math.round(tookMs)} ms`
  if (outcome.kind !== 'fault') return undefined
  const { error } = outcome
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}
