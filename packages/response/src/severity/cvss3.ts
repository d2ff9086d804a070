/** CVSS 3.1 after the specification of FIRST, revision 1, sections 7 and appendix A. */
import type { VectorMetrics } from './vector.ts'
import { parseVector } from './vector.ts'

const impacts = 'N L H'
const modified = 'X N L H'
export const cvss3Metrics: VectorMetrics = {
  prefix: 'CVSS:3.1',
  mandatory: {
    ...{ AV: 'N A L P', AC: 'L H', PR: 'N L H', UI: 'N R', S: 'U C' },
    ...{ C: impacts, I: impacts, A: impacts },
  },
  optional: {
    ...{ E: 'X H F P U', RL: 'X U W T O', RC: 'X C R U' },
    ...{ CR: 'X H M L', IR: 'X H M L', AR: 'X H M L' },
    ...{ MAV: 'X N A L P', MAC: 'X L H', MPR: modified, MUI: 'X N R', MS: 'X U C' },
    ...{ MC: modified, MI: modified, MA: modified },
  },
  isOrdered: false,
}

/** The weight of a value of each metric. */
const weights: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  AV: { N: 0.85, A: 0.62, L: 0.55, P: 0.2 },
  AC: { L: 0.77, H: 0.44 },
  UI: { N: 0.85, R: 0.62 },
  impact: { H: 0.56, L: 0.22, N: 0 },
  E: { X: 1, H: 1, F: 0.97, P: 0.94, U: 0.91 },
  RL: { X: 1, U: 1, W: 0.97, T: 0.96, O: 0.95 },
  RC: { X: 1, C: 1, R: 0.96, U: 0.92 },
  requirement: { X: 1, H: 1.5, M: 1, L: 0.5 },
}
const privileges: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  U: { N: 0.85, L: 0.62, H: 0.27 },
  C: { N: 0.85, L: 0.68, H: 0.5 },
}

export interface Cvss3Scores {
  readonly base: number
  readonly temporal: number
  readonly environmental: number
}

/** Throws `vector_malformed`. */
export function scoreCvss3(text: string): Cvss3Scores {
  const metrics = parseVector(cvss3Metrics, text)
  const weight = (table: string, name: string) => weights[table]![metrics[name]!]!
  const temporalFactor = weight('E', 'E') * weight('RL', 'RL') * weight('RC', 'RC')
  const base = scoreBase(metrics)
  return {
    base,
    temporal: roundUp(base * temporalFactor),
    environmental: scoreEnvironmental(metrics, temporalFactor),
  }
}

type Values = Readonly<Record<string, string>>

function exploitabilityOf(values: Values): number {
  const { AV, AC, PR, UI, S } = values
  const factor = weights['AV']![AV!]! * weights['AC']![AC!]! * weights['UI']![UI!]!
  return 8.22 * factor * privileges[S!]![PR!]!
}

function scoreBase(values: Values): number {
  const [c, i, a] = [values['C']!, values['I']!, values['A']!].map((v) => weights['impact']![v]!)
  const subScore = 1 - (1 - c!) * (1 - i!) * (1 - a!)
  const isChanged = values['S'] === 'C'
  const impact = isChanged
    ? 7.52 * (subScore - 0.029) - 3.25 * (subScore - 0.02) ** 15
    : 6.42 * subScore
  if (impact <= 0) return 0
  const sum = impact + exploitabilityOf(values)
  return roundUp(Math.min(isChanged ? 1.08 * sum : sum, 10))
}

function scoreEnvironmental(metrics: Values, temporalFactor: number): number {
  const of = (name: string) => (metrics[`M${name}`] === 'X' ? metrics[name]! : metrics[`M${name}`]!)
  const names = ['AV', 'AC', 'PR', 'UI', 'S', 'C', 'I', 'A']
  const values = Object.fromEntries(names.map((name) => [name, of(name)]))
  const kept = ['C', 'I', 'A'].map((name) => {
    const requirement = weights['requirement']![metrics[`${name}R`]!]!
    return 1 - requirement * weights['impact']![values[name]!]!
  })
  const subScore = Math.min(1 - kept[0]! * kept[1]! * kept[2]!, 0.915)
  const isChanged = values['S'] === 'C'
  const impact = isChanged
    ? 7.52 * (subScore - 0.029) - 3.25 * (subScore * 0.9731 - 0.02) ** 13
    : 6.42 * subScore
  if (impact <= 0) return 0
  const sum = impact + exploitabilityOf(values)
  return roundUp(roundUp(Math.min(isChanged ? 1.08 * sum : sum, 10)) * temporalFactor)
}

/** The smallest number with one decimal that is not less, as the specification computes it. */
function roundUp(value: number): number {
  const whole = Math.round(value * 100_000)
  return whole % 10_000 === 0 ? whole / 100_000 : (Math.floor(whole / 10_000) + 1) / 10
}
