/**
 * Counting in one process: plain number increments, read out as plain data that can travel to
 * another process. `exposition.ts` turns them into what Prometheus reads.
 */

/**
 * How the values of several processes become one: work is added up, and of states the largest
 * counts.
 */
export type Merge = 'sum' | 'max'

export interface Family {
  /** The name `seaworthy_…` with its base unit; that of a counter ends in `_total`. */
  readonly name: string
  readonly help: string
  readonly kind: 'counter' | 'gauge' | 'histogram'
  readonly labels: readonly string[]
  readonly merge: Merge
  /** Upper limits of a histogram's buckets, ascending, without infinity; empty for the others. */
  readonly limits: readonly number[]
}

/**
 * Values of a histogram: how many fell into each bucket, the one up to infinity last, and the sum
 * of all.
 */
export interface Distribution {
  readonly counts: readonly number[]
  readonly sum: number
}

export interface Series {
  /** Label values in the order of the family's labels. */
  readonly labels: readonly string[]
  readonly value: number | Distribution
}

export interface FamilySnapshot extends Family {
  readonly series: readonly Series[]
}

/** Everything one or several processes have counted; survives JSON. */
export type Snapshot = readonly FamilySnapshot[]

export interface Counter {
  /**
   * Adds to a series. `labels` are in the order of the family; each set of them is a series, so
   * they come from a closed set.
   */
  add(amount: number, ...labels: string[]): void
}

export interface Histogram {
  observe(value: number, ...labels: string[]): void
}

export interface Reading {
  readonly value: number
  readonly labels?: readonly string[]
}

interface Named {
  readonly name: string
  readonly help: string
  readonly labels?: readonly string[]
}

export interface Meter {
  counter(family: Named): Counter
  histogram(family: Named & { readonly limits: readonly number[] }): Histogram
  /**
   * Shows a state. `read` is called whenever a snapshot is taken; what it does not answer is not
   * shown.
   */
  gauge(family: Named & { readonly merge: Merge }, read: () => readonly Reading[]): void
  /** Shows a total that somebody else counts, such as the processor time of the process. */
  total(family: Named, read: () => readonly Reading[]): void
  snapshot(): Snapshot
}

/** The most series of a family. Labels come from closed sets, so this only guards against bugs. */
const seriesMax = 2000
const overflow = 'other'

interface Source {
  readonly family: Family
  readonly read: () => readonly Series[]
}

export function createMeter(): Meter {
  const sources: Source[] = []
  const define = (kind: Family['kind'], { name, help, labels = [] }: Named): Family => ({
    name,
    help,
    kind,
    labels,
    merge: 'sum',
    limits: [],
  })
  return {
    counter(named) {
      const family = define('counter', named)
      const table = createTable(family, () => ({ value: 0 }))
      // A counter without labels is there from the start, so that its first increase can be seen.
      if (family.labels.length === 0) table.find([])
      sources.push({
        family,
        read: () => table.list((cell) => cell.value),
      })
      return {
        add(amount, ...labels) {
          table.find(labels).value += amount
        },
      }
    },
    histogram({ limits, ...named }) {
      const family = { ...define('histogram', named), limits }
      const table = createTable(family, () => ({
        counts: new Array<number>(limits.length + 1).fill(0),
        sum: 0,
      }))
      if (family.labels.length === 0) table.find([])
      sources.push({
        family,
        read: () => table.list(({ counts, sum }) => ({ counts: [...counts], sum })),
      })
      return {
        observe(value, ...labels) {
          const cell = table.find(labels)
          let bucket = 0
          while (bucket < limits.length && value > limits[bucket]!) bucket++
          cell.counts[bucket]! += 1
          cell.sum += value
        },
      }
    },
    gauge({ merge, ...named }, read) {
      sources.push({ family: { ...define('gauge', named), merge }, read: () => seriesOf(read()) })
    },
    total(named, read) {
      sources.push({ family: define('counter', named), read: () => seriesOf(read()) })
    },
    snapshot: () => sources.map(({ family, read }) => ({ ...family, series: read() })),
  }
}

function seriesOf(readings: readonly Reading[]): Series[] {
  return readings.map(({ value, labels = [] }) => ({ labels, value }))
}

interface Table<Cell> {
  find(labels: readonly string[]): Cell
  list(view: (cell: Cell) => Series['value']): Series[]
}

function createTable<Cell>(family: Family, make: () => Cell): Table<Cell> {
  const cells = new Map<string, { labels: readonly string[]; cell: Cell }>()
  const add = (key: string, labels: readonly string[]) => {
    const made = { labels, cell: make() }
    cells.set(key, made)
    return made.cell
  }
  return {
    find(labels) {
      const key = labels.length === 1 ? labels[0]! : labels.join('\0')
      const found = cells.get(key)
      if (found !== undefined) return found.cell
      if (cells.size < seriesMax) return add(key, [...labels])
      const others = family.labels.map(() => overflow)
      const othersKey = others.join('\0')
      return cells.get(othersKey)?.cell ?? add(othersKey, others)
    },
    list: (view) => [...cells.values()].map(({ labels, cell }) => ({ labels, value: view(cell) })),
  }
}
