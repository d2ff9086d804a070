/** The catalogue of known exploited vulnerabilities (KEV), as JSON. */
import type { Json } from '@seaworthy/std/json'
import { openJson, parseJson } from '@seaworthy/std/json'
import { cutText } from '@seaworthy/std/printable'
import { isCveId } from './cve.ts'

export interface KevEntry {
  readonly cve: string
  readonly vendor: string
  readonly product: string
  readonly name: string
  /** The day on which it was added: `YYYY-MM-DD`. */
  readonly addedOn: string
  /** The day until which it is to be mended; empty where the catalogue says none. */
  readonly dueOn: string
  /** Whether campaigns with ransomware are known to use it. */
  readonly isUsedByRansomware: boolean
}

export interface KevCatalogue {
  readonly version: string
  readonly releasedAt: string
  readonly entries: readonly KevEntry[]
  /** Entries that could not be used, with the reasons; the list is bounded by that of entries. */
  readonly faults: readonly string[]
}

const limits = { ...openJson, valuesMax: 2_000_000 }
const dayForm = /^\d{4}-\d{2}-\d{2}$/

/** The catalogue, or why there is none. */
export function readKev(bytes: Uint8Array): KevCatalogue | { readonly why: string } {
  let root: Json
  try {
    root = parseJson(bytes, limits)
  } catch {
    return { why: 'not JSON' }
  }
  if (!isObject(root)) return { why: 'not an object' }
  const { catalogVersion, dateReleased, count, vulnerabilities } = root
  if (!Array.isArray(vulnerabilities)) return { why: 'without a list of vulnerabilities' }
  if (typeof catalogVersion !== 'string' || catalogVersion === '')
    return { why: 'without a version' }
  // A catalogue that was cut off must not make what is missing look unexploited.
  if (typeof count === 'number' && count !== vulnerabilities.length) {
    return { why: `it says ${count} entries, and has ${vulnerabilities.length}` }
  }
  const entries = new Map<string, KevEntry>()
  const faults: string[] = []
  for (const [i, one] of vulnerabilities.entries()) {
    const entry = readEntry(one)
    if (typeof entry === 'string') faults.push(`entry ${i + 1}: ${entry}`)
    else if (entries.has(entry.cve)) faults.push(`entry ${i + 1}: ${entry.cve} is there twice`)
    else entries.set(entry.cve, entry)
  }
  return {
    version: catalogVersion,
    releasedAt: textOf(dateReleased),
    entries: [...entries.values()],
    faults,
  }
}

function readEntry(value: Json): KevEntry | string {
  if (!isObject(value)) return 'not an object'
  const cve = textOf(value['cveID'])
  const addedOn = textOf(value['dateAdded'])
  const dueOn = textOf(value['dueDate'])
  if (!isCveId(cve)) return 'without the id of a CVE'
  if (!dayForm.test(addedOn)) return 'without the day on which it was added'
  return {
    ...{ cve, addedOn, dueOn: dayForm.test(dueOn) ? dueOn : '' },
    vendor: textOf(value['vendorProject']),
    product: textOf(value['product']),
    name: textOf(value['vulnerabilityName']),
    isUsedByRansomware: value['knownRansomwareCampaignUse'] === 'Known',
  }
}

function textOf(value: Json | undefined): string {
  return typeof value === 'string' ? cutText(value, 1000) : ''
}

function isObject(value: Json | undefined): value is { [name: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
