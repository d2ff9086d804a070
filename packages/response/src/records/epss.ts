/**
 * Scores of EPSS: how probable it is that a vulnerability is exploited within 30 days. A table with
 * commas, behind a line that says the model and the day.
 */
import { utf8Decode } from '@seaworthy/std/bytes'
import { isCveId } from './cve.ts'

export interface EpssScore {
  /** Probability, from 0 to 1. */
  readonly score: number
  /** Share of all vulnerabilities that have at most this score. */
  readonly percentile: number
}

export interface EpssTable {
  readonly model: string
  /** The day of the scores: `YYYY-MM-DD`. */
  readonly day: string
  readonly scores: ReadonlyMap<string, EpssScore>
  /** The first lines that could not be used, with the reasons. */
  readonly faults: readonly string[]
  readonly faultCount: number
}

const rowsMax = 2_000_000
const lineMax = 200
const faultsMax = 100
const head = 'cve,epss,percentile'

/** The table, or why there is none. */
export function readEpss(bytes: Uint8Array): EpssTable | { readonly why: string } {
  let text: string
  try {
    text = utf8Decode(bytes)
  } catch {
    return { why: 'not UTF-8' }
  }
  const lines = linesOf(text)
  const first = lines.next().value ?? ''
  const [, model, day] =
    /^#\s*model_version:([^,]+),\s*score_date:(\d{4}-\d{2}-\d{2})/.exec(first) ?? []
  if (model === undefined || day === undefined) return { why: 'without its model and day' }
  if (lines.next().value !== head) return { why: `its columns are not ${head}` }
  const scores = new Map<string, EpssScore>()
  const faults: string[] = []
  let faultCount = 0
  let number = 2
  for (const line of lines) {
    number += 1
    if (line === '') continue
    if (scores.size === rowsMax) return { why: `it has more than ${rowsMax} lines` }
    const [cve = '', score = '', percentile = '', ...more] =
      line.length > lineMax ? [] : line.split(',')
    const read = { score: shareOf(score), percentile: shareOf(percentile) }
    const isWhole = isCveId(cve) && more.length === 0 && !scores.has(cve)
    if (isWhole && !Number.isNaN(read.score) && !Number.isNaN(read.percentile))
      scores.set(cve, read)
    else {
      faultCount += 1
      if (faults.length < faultsMax)
        faults.push(`line ${number}: not an id and two shares, or twice`)
    }
  }
  return { ...{ model, day, scores, faults, faultCount } }
}

function shareOf(text: string): number {
  const value = /^(?:\d(?:\.\d{1,20})?|\d(?:\.\d{1,20})?e-\d{1,3})$/i.test(text)
    ? Number(text)
    : NaN
  return value >= 0 && value <= 1 ? value : NaN
}

/** One line after another, without a list of all of them. */
function* linesOf(text: string): Generator<string, undefined> {
  for (let begin = 0; begin < text.length;) {
    const end = text.indexOf('\n', begin)
    const stop = end === -1 ? text.length : end
    yield text.slice(begin, stop).replace(/\r$/, '')
    begin = stop + 1
  }
  return undefined
}
