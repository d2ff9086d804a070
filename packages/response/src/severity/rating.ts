import { maxOf } from '@seaworthy/std/numbers'
import { Refusal } from '@seaworthy/std/refusal'
import { scoreCvss3 } from './cvss3.ts'
import { scoreCvss4 } from './cvss4.ts'

/** The words for scores, which are the same in CVSS 3.1 and 4.0. */
export const severityRatings = ['none', 'low', 'medium', 'high', 'critical'] as const
export type SeverityRating = (typeof severityRatings)[number]

/** The word for a score, which is from 0 to 10. */
export function ratingOf(score: number): SeverityRating {
  if (score === 0) return 'none'
  if (score < 4) return 'low'
  if (score < 7) return 'medium'
  return score < 9 ? 'high' : 'critical'
}

/** The worst word for vectors of CVSS; `undefined` where none of them can be scored. */
export function rateVectors(vectors: readonly string[]): SeverityRating | undefined {
  const scores = vectors.map(scoreOf).filter((score) => score !== undefined)
  return scores.length === 0 ? undefined : ratingOf(maxOf(scores))
}

function scoreOf(vector: string): number | undefined {
  try {
    if (vector.startsWith('CVSS:4.0/')) return scoreCvss4(vector)
    // The metrics of 3.0 are those of 3.1, which rounds more exactly.
    return scoreCvss3(vector.replace(/^CVSS:3\.0\//, 'CVSS:3.1/')).base
  } catch (error) {
    if (error instanceof Refusal) return undefined
    throw error
  }
}
