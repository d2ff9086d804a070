/** Files that say which flaws are exploited (KEV), and which probably will be (EPSS). */
import type { VulnerabilityRecord } from '@seaworthy/response/records'
import { readEpss, readKev } from '@seaworthy/response/records'
import { CliError } from '../../failure.ts'
import { readBounded } from '../../state/files.ts'
import type { SetAside } from './record-files.ts'

export interface Threats {
  /** The day on which each was listed, by the id of the CVE. */
  readonly exploited: ReadonlyMap<string, string>
  readonly scores: ReadonlyMap<string, { readonly score: number }>
  /** Lines and entries that could not be used. */
  readonly setAside: readonly SetAside[]
}

const bytesMax = 64 * 1024 * 1024

/** Throws where a whole file cannot be used: what it lists would look harmless. */
export async function readThreats({
  kev,
  epss,
}: {
  readonly kev: string | undefined
  readonly epss: string | undefined
}): Promise<Threats> {
  const setAside: SetAside[] = []
  const exploited = new Map<string, string>()
  if (kev !== undefined) {
    const { entries, faults } = orRefuse(kev, readKev(await readBounded(kev, bytesMax)), kevForm)
    for (const { cve, addedOn } of entries) exploited.set(cve, addedOn)
    for (const why of faults) setAside.push({ file: kev, why })
  }
  if (epss === undefined) return { exploited, scores: new Map(), setAside }
  const { scores, faults } = orRefuse(epss, readEpss(await readBounded(epss, bytesMax)), epssForm)
  for (const why of faults) setAside.push({ file: epss, why })
  return { exploited, scores, setAside }
}

const kevForm = 'the catalogue of known exploited vulnerabilities, as JSON'
const epssForm = 'an unpacked table of scores of EPSS, as CSV'

function orRefuse<T extends object>(
  file: string,
  read: T | { readonly why: string },
  form: string,
): T {
  if (!('why' in read)) return read
  throw new CliError('refused', `${file} cannot be used: ${read.why}`, {
    wayOut: `Give ${form}.`,
  })
}

/** What is said of the flaw under any of its names; the earliest day, and the highest score. */
export function threatOf(
  { id, aliases, upstream }: VulnerabilityRecord,
  { exploited, scores }: Threats,
): { readonly exploitedSince: string | undefined; readonly epss: number | undefined } {
  const names = [id, ...aliases, ...upstream]
  const known = <T>(from: ReadonlyMap<string, T>) =>
    names.map((name) => from.get(name)).filter((one) => one !== undefined)
  const [exploitedSince] = known(exploited).toSorted()
  const epss = known(scores).map(({ score }) => score)
  return { exploitedSince, epss: epss.toSorted((a, b) => b - a)[0] }
}
