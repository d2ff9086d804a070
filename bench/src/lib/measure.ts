/** Compares us with a baseline on a noisy machine: both take turns, and medians count. */

export interface Comparison {
  name: string
  baseline: string
  /** The medians, in `unit`. */
  ours: number
  theirs: number
  unit: string
  ratio: number
  /** The target, such as `at most 1.5`. */
  target: string
  isMet: boolean
}

export function medianOf(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/**
 * Runs all sides `rounds` times, one after the other, beginning with another side each round; one
 * more round before that is not counted. Each side returns its milliseconds.
 */
export async function takeTurns<Side extends string>(
  sides: Readonly<Record<Side, () => Promise<number>>>,
  rounds: number,
): Promise<Record<Side, number[]>> {
  const names = Object.keys(sides) as Side[]
  const times = Object.fromEntries(names.map((n) => [n, [] as number[]])) as Record<Side, number[]>
  for (let round = -1; round < rounds; round++) {
    for (let i = 0; i < names.length; i++) {
      const name = names[(i + round + names.length) % names.length]!
      const ms = await sides[name]()
      if (round >= 0) times[name].push(ms)
    }
  }
  return times
}

export interface Paired {
  /** The medians. */
  readonly ours: number
  readonly theirs: number
  /** The median of the rounds' ratios. */
  readonly ratio: number
}

/**
 * Two sides on a machine whose pace drifts from one second to the next: each round is ours, theirs,
 * theirs, ours, so that a drift favours neither, and has a ratio of its own. One of each before
 * that is not counted.
 */
export async function compareInPairs(
  ours: () => Promise<number>,
  theirs: () => Promise<number>,
  rounds: number,
): Promise<Paired> {
  await ours()
  await theirs()
  const list: Paired[] = []
  for (let round = 0; round < rounds; round++) {
    const first = await ours()
    const between = [await theirs(), await theirs()] as const
    const [a, b] = [(first + (await ours())) / 2, (between[0] + between[1]) / 2]
    list.push({ ours: a, theirs: b, ratio: a / b })
  }
  const median = (name: keyof Paired) => medianOf(list.map((round) => round[name]))
  return { ours: median('ours'), theirs: median('theirs'), ratio: median('ratio') }
}

/** Milliseconds that `action` took. */
export async function timed(action: () => Promise<unknown>): Promise<number> {
  const startMs = performance.now()
  await action()
  return performance.now() - startMs
}

export function formatComparison(c: Comparison): string {
  const figures = `${c.ours.toFixed(0)} ${c.unit} against ${c.theirs.toFixed(0)} ${c.unit}`
  const verdict = c.isMet ? 'met' : 'MISSED'
  return `${c.name}: ratio ${c.ratio.toFixed(2)} to ${c.baseline} (${figures}; target ${c.target}: ${verdict})`
}
