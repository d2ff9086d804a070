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
