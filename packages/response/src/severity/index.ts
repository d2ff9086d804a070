/**
 * How severe a flaw is, as CVSS says it (R4): vectors of 3.1 and 4.0 are parsed strictly and scored
 * as FIRST's calculators do.
 */
export type { Cvss3Scores } from './cvss3.ts'
export { cvss3Metrics, scoreCvss3 } from './cvss3.ts'
export { cvss4Metrics, scoreCvss4 } from './cvss4.ts'
export { rateVectors, ratingOf, severityRatings } from './rating.ts'
export type { SeverityRating } from './rating.ts'
export type { SeverityFault, VectorMetrics } from './vector.ts'
