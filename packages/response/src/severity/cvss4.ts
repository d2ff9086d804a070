/**
 * CVSS 4.0 after the specification of FIRST, section 8: a vector has the score of its macrovector,
 * less how far it is from the most severe vector of it, in each set of metrics.
 */
import { maxOf } from '@seaworthy/std/numbers'
import { macrovectorScore } from './cvss4-scores.ts'
import type { VectorMetrics } from './vector.ts'
import { parseVector } from './vector.ts'

const impacts = 'H L N'
const requirement = 'X H M L'
export const cvss4Metrics: VectorMetrics = {
  prefix: 'CVSS:4.0',
  mandatory: {
    ...{ AV: 'N A L P', AC: 'L H', AT: 'N P', PR: 'N L H', UI: 'N P A' },
    ...{ VC: impacts, VI: impacts, VA: impacts, SC: impacts, SI: impacts, SA: impacts },
  },
  optional: {
    ...{ E: 'X A P U', CR: requirement, IR: requirement, AR: requirement },
    ...{ MAV: 'X N A L P', MAC: 'X L H', MAT: 'X N P', MPR: 'X N L H', MUI: 'X N P A' },
    ...{ MVC: 'X H L N', MVI: 'X H L N', MVA: 'X H L N' },
    ...{ MSC: 'X H L N', MSI: 'X S H L N', MSA: 'X S H L N' },
    ...{ S: 'X N P', AU: 'X N Y', R: 'X A U I', V: 'X D C', RE: 'X L M H' },
    U: 'X Clear Green Amber Red',
  },
  isOrdered: true,
}

/** The values of each metric from the most severe to the least, one step apart. */
const severities: Readonly<Record<string, string>> = {
  ...{ AV: 'NALP', PR: 'NLH', UI: 'NPA', AC: 'LH', AT: 'NP' },
  ...{ VC: 'HLN', VI: 'HLN', VA: 'HLN', SC: 'SHLN', SI: 'SHLN', SA: 'SHLN' },
  ...{ CR: 'HML', IR: 'HML', AR: 'HML' },
}

type Values = Readonly<Record<string, string>>

/** The most severe vectors of a level of a set, and how many steps it has. */
interface Level {
  readonly most: readonly Values[]
  readonly depth: number
}

const level = (depth: number, ...most: readonly Values[]): Level => ({ most, depth })
const requirements = (CR: string, IR: string, AR: string) => ({ CR, IR, AR })
const vulnerable = (VC: string, VI: string, VA: string) => ({ VC, VI, VA })
const all = requirements('H', 'H', 'H')

const access: readonly Level[] = [
  level(1, { AV: 'N', PR: 'N', UI: 'N' }),
  level(
    4,
    { AV: 'A', PR: 'N', UI: 'N' },
    { AV: 'N', PR: 'L', UI: 'N' },
    { AV: 'N', PR: 'N', UI: 'P' },
  ),
  level(5, { AV: 'P', PR: 'N', UI: 'N' }, { AV: 'A', PR: 'L', UI: 'P' }),
]
const complexity: readonly Level[] = [
  level(1, { AC: 'L', AT: 'N' }),
  level(2, { AC: 'H', AT: 'N' }, { AC: 'L', AT: 'P' }),
]
/** The third and the sixth set depend on each other, and are one: by the levels of both. */
const impact: Readonly<Record<string, Level>> = {
  '00': level(7, { ...vulnerable('H', 'H', 'H'), ...all }),
  '01': level(
    6,
    { ...vulnerable('H', 'H', 'L'), ...requirements('M', 'M', 'H') },
    { ...vulnerable('H', 'H', 'H'), ...requirements('M', 'M', 'M') },
  ),
  '10': level(
    8,
    { ...vulnerable('L', 'H', 'H'), ...all },
    { ...vulnerable('H', 'L', 'H'), ...all },
  ),
  '11': level(
    8,
    { ...vulnerable('L', 'H', 'L'), ...requirements('H', 'M', 'H') },
    { ...vulnerable('L', 'H', 'H'), ...requirements('H', 'M', 'M') },
    { ...vulnerable('H', 'L', 'H'), ...requirements('M', 'H', 'M') },
    { ...vulnerable('H', 'L', 'L'), ...requirements('M', 'H', 'H') },
    { ...vulnerable('L', 'L', 'H'), ...requirements('H', 'H', 'M') },
  ),
  '21': level(10, { ...vulnerable('L', 'L', 'L'), ...all }),
}
const subsequent: readonly Level[] = [
  level(6, { SC: 'H', SI: 'S', SA: 'S' }),
  level(5, { SC: 'H', SI: 'H', SA: 'H' }),
  level(4, { SC: 'L', SI: 'L', SA: 'L' }),
]

/** Throws `vector_malformed`. */
export function scoreCvss4(text: string): number {
  const values = effective(parseVector(cvss4Metrics, text))
  if (['VC', 'VI', 'VA', 'SC', 'SI', 'SA'].every((name) => values[name] === 'N')) return 0
  const levels = levelsOf(values)
  const score = macrovectorScore(levels)!
  const [eq1, eq2, eq3, eq4, , eq6] = levels as [number, number, number, number, number, number]
  const lower = (...changes: readonly (readonly [index: number, by: number])[]) => {
    const next = [...levels]
    for (const [index, by] of changes) next[index]! += by
    return macrovectorScore(next)
  }
  const ofSet = (next: number | undefined, { most, depth }: Level): number | undefined =>
    next === undefined ? undefined : (score - next) * (distance(values, most) / depth)
  const parts = [
    ofSet(lower([0, 1]), access[eq1]!),
    ofSet(lower([1, 1]), complexity[eq2]!),
    ofSet(lowerImpact(eq3, eq6, lower), impact[`${eq3}${eq6}`]!),
    ofSet(lower([3, 1]), subsequent[eq4]!),
    // All vectors of one level of the fifth set are equally severe.
    lower([4, 1]) === undefined ? undefined : 0,
  ].filter((part) => part !== undefined)
  const mean = parts.length === 0 ? 0 : parts.reduce((sum, part) => sum + part, 0) / parts.length
  return roundToTenth(Math.min(10, Math.max(0, score - mean)))
}

/** What counts of each metric: the modified value, or the worst case of what nobody has said. */
function effective(metrics: Values): Values {
  const worst: Values = { E: 'A', CR: 'H', IR: 'H', AR: 'H' }
  const names = [...Object.keys(severities), 'E']
  return Object.fromEntries(
    names.map((name) => {
      const changed = metrics[`M${name}`] ?? 'X'
      const value = changed === 'X' ? metrics[name]! : changed
      return [name, value === 'X' ? worst[name]! : value]
    }),
  )
}

function levelsOf(v: Values): number[] {
  const isN = [v['AV'] === 'N', v['PR'] === 'N', v['UI'] === 'N']
  const eq1 = isN.every(Boolean) ? 0 : isN.some(Boolean) && v['AV'] !== 'P' ? 1 : 2
  const eq2 = v['AC'] === 'L' && v['AT'] === 'N' ? 0 : 1
  const isHigh = (...names: readonly string[]) => names.map((name) => v[name] === 'H')
  const own = isHigh('VC', 'VI', 'VA')
  const eq3 = own[0]! && own[1]! ? 0 : own.some(Boolean) ? 1 : 2
  const isSafety = v['SI'] === 'S' || v['SA'] === 'S'
  const eq4 = isSafety ? 0 : isHigh('SC', 'SI', 'SA').some(Boolean) ? 1 : 2
  const eq5 = 'APU'.indexOf(v['E']!)
  const eq6 = isHigh('CR', 'IR', 'AR').some((isNeeded, i) => isNeeded && own[i]!) ? 0 : 1
  return [eq1, eq2, eq3, eq4, eq5, eq6]
}

/** The next lower macrovector where the third and the sixth set go down together. */
function lowerImpact(
  eq3: number,
  eq6: number,
  lower: (...changes: readonly (readonly [index: number, by: number])[]) => number | undefined,
): number | undefined {
  if (eq6 === 1) return lower([2, 1])
  if (eq3 === 1) return lower([5, 1])
  const both = [lower([2, 1]), lower([5, 1])].filter((score) => score !== undefined)
  return both.length === 0 ? undefined : maxOf(both)
}

/** Steps down from the first of the most severe vectors that is nowhere less severe. */
function distance(values: Values, most: readonly Values[]): number {
  for (const one of most) {
    const steps = Object.entries(one).map(([name, value]) => {
      const order = severities[name]!
      return order.indexOf(values[name]!) - order.indexOf(value)
    })
    if (steps.every((step) => step >= 0)) return steps.reduce((sum, step) => sum + step, 0)
  }
  return 0
}

/** Rounds half up, and takes what is less only by the error of binary fractions as a half. */
function roundToTenth(value: number): number {
  return Math.round((value + 1e-6) * 10) / 10
}
