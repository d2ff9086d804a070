/** Reads `/metrics` as a monitoring system does. */
import { utf8Decode } from '@seaworthy/std/bytes'
import type { TestClient } from './people.ts'

export interface ScrapedFamily {
  readonly kind: string
  readonly help: string
  readonly labels: readonly string[]
}

export interface Scraped {
  readonly text: string
  /** Values by whole series: name and labels as they are printed. */
  readonly samples: ReadonlyMap<string, number>
  /** Type, meaning and the labels that were seen, by metric family. */
  readonly families: ReadonlyMap<string, ScrapedFamily>
  /** The sum over all series of that name that have these labels. */
  readonly sum: (name: string, labels?: Readonly<Record<string, string>>) => number
}

export async function scrape(client: TestClient, token: string): Promise<Scraped> {
  const { status, bytes } = await client.send('GET', '/metrics', { token })
  const text = utf8Decode(bytes)
  if (status !== 200) throw new Error(`/metrics answered ${status}: ${text}`)
  const lines = text.split('\n')
  const samples = new Map(
    lines
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map((line) => {
        const space = line.lastIndexOf(' ')
        return [line.slice(0, space), Number(line.slice(space + 1))] as const
      }),
  )
  return {
    text,
    samples,
    families: listFamilies(lines, [...samples.keys()]),
    sum(name, labels = {}) {
      const wanted = Object.entries(labels).map(([label, value]) => `${label}="${value}"`)
      return [...samples]
        .filter(
          ([series]) =>
            (series === name || series.startsWith(`${name}{`)) &&
            wanted.every((pair) => series.includes(pair)),
        )
        .reduce((total, [, value]) => total + value, 0)
    },
  }
}

function listFamilies(
  lines: readonly string[],
  series: readonly string[],
): Map<string, ScrapedFamily> {
  const helps = new Map(
    lines.flatMap((line) => {
      const match = /^# HELP (\S+) (.*)$/.exec(line)
      return match === null ? [] : [[match[1]!, match[2]!] as const]
    }),
  )
  return new Map(
    lines.flatMap((line) => {
      const match = /^# TYPE (\S+) (\S+)$/.exec(line)
      if (match === null) return []
      const [, name = '', kind = ''] = match
      const isOwn = new RegExp(`^${name}${kind === 'histogram' ? '_(?:bucket|sum|count)' : ''}\\{`)
      const labels = series
        .filter((one) => isOwn.test(one))
        .flatMap((one) => [...one.matchAll(/[{,]([a-z_]+)="/g)].map((found) => found[1]!))
        .filter((label) => label !== 'le')
      return [[name, { kind, help: helps.get(name) ?? '', labels: [...new Set(labels)] }] as const]
    }),
  )
}
