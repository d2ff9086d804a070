/** Merges the counts of several processes, and formats them as the text that Prometheus reads. */
import type { Distribution, Family, FamilySnapshot, Series, Snapshot } from './meter.ts'

/** Merges snapshots into one that has each family once, with one series per set of labels. */
export function mergeSnapshots(snapshots: readonly Snapshot[]): Snapshot {
  const families = new Map<string, { family: Family; series: Map<string, Series> }>()
  for (const snapshot of snapshots) {
    for (const { series, ...family } of snapshot) {
      const merged = families.get(family.name) ?? { family, series: new Map<string, Series>() }
      families.set(family.name, merged)
      for (const one of series) {
        const key = one.labels.join('\0')
        const known = merged.series.get(key)
        merged.series.set(key, known === undefined ? one : mergeSeries(family, known, one))
      }
    }
  }
  return [...families.values()].map(({ family, series }) => ({
    ...family,
    series: [...series.values()],
  }))
}

function mergeSeries(family: Family, a: Series, b: Series): Series {
  if (typeof a.value === 'number' && typeof b.value === 'number') {
    const value = family.merge === 'sum' ? a.value + b.value : Math.max(a.value, b.value)
    return { labels: a.labels, value }
  }
  const [x, y] = [a.value as Distribution, b.value as Distribution]
  const counts = x.counts.map((count, i) => count + (y.counts[i] ?? 0))
  return { labels: a.labels, value: { counts, sum: x.sum + y.sum } }
}

/**
 * The part of a snapshot that only ever grows. It is kept of a process that has ended, so that no
 * total goes down.
 */
export function keepTotals(snapshot: Snapshot): Snapshot {
  return snapshot.filter(({ kind }) => kind !== 'gauge')
}

export type ExpositionFormat = 'text' | 'openmetrics'

export const contentTypes: Readonly<Record<ExpositionFormat, string>> = {
  text: 'text/plain; version=0.0.4; charset=utf-8',
  openmetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
}

/** The format that a scraper's `Accept` header asks for; the older one when in doubt. */
export function chooseFormat(accept: string | undefined): ExpositionFormat {
  return /application\/openmetrics-text\s*;\s*version=1\.0\.0/.test(accept ?? '')
    ? 'openmetrics'
    : 'text'
}

/**
 * Formats a snapshot in the Prometheus text format 0.0.4, or as OpenMetrics 1.0.0. A family without
 * a value yet is shown with its name and meaning.
 */
export function formatSnapshot(snapshot: Snapshot, format: ExpositionFormat): string {
  const lines = snapshot
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((family) => formatFamily(family, format))
  if (format === 'openmetrics') lines.push('# EOF')
  return `${lines.join('\n')}\n`
}

function formatFamily(family: FamilySnapshot, format: ExpositionFormat): string[] {
  // OpenMetrics names the family of a counter without the suffix of its samples.
  const title =
    format === 'openmetrics' && family.kind === 'counter'
      ? family.name.replace(/_total$/, '')
      : family.name
  return [
    `# HELP ${title} ${escapeHelp(family.help, format)}`,
    `# TYPE ${title} ${family.kind}`,
    ...family.series.flatMap((series) => formatSeries(family, series)),
  ]
}

function formatSeries(family: Family, { labels, value }: Series): string[] {
  const pairs = family.labels.map((name, i) => `${name}="${escapeLabel(labels[i] ?? '')}"`)
  if (typeof value === 'number') return [sample(family.name, pairs, value)]
  let total = 0
  const buckets = value.counts.map((count, i) => {
    total += count
    const limit = i < family.limits.length ? formatNumber(family.limits[i]!) : '+Inf'
    return sample(`${family.name}_bucket`, [...pairs, `le="${limit}"`], total)
  })
  return [
    ...buckets,
    sample(`${family.name}_sum`, pairs, value.sum),
    sample(`${family.name}_count`, pairs, total),
  ]
}

function sample(name: string, pairs: readonly string[], value: number): string {
  return `${name}${pairs.length === 0 ? '' : `{${pairs.join(',')}}`} ${formatNumber(value)}`
}

function formatNumber(value: number): string {
  if (value === Infinity) return '+Inf'
  return value === -Infinity ? '-Inf' : String(value)
}

function escapeLabel(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}

function escapeHelp(text: string, format: ExpositionFormat): string {
  const escaped = text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')
  return format === 'openmetrics' ? escaped.replaceAll('"', '\\"') : escaped
}
