/**
 * Archives of Java: what Maven wrote into them, or else their manifest and name. An archive may
 * hold others, such as the libraries of a web application.
 */
import { utf8Decode } from '@seaworthy/std/bytes'
import { cutText } from '@seaworthy/std/printable'
import type { Found } from './components.ts'
import { linesOf } from './stanzas.ts'
import type { ZipEntry } from './zip.ts'
import { ZipError, zipEntries } from './zip.ts'

export const javaArchiveForm = /\.(?:jar|war|ear|aar|hpi|jpi)$/i
const pomForm = /^META-INF\/maven\/[^/]+\/[^/]+\/pom\.properties$/
const manifestForm = /^META-INF\/MANIFEST\.MF$/i

const textBytesMax = 256 * 1024
const nestedBytesMax = 64 * 1024 * 1024
const depthMax = 3
const nameMax = 300

/** What the archives of one tree may cost: a builder may have made them to be slow to read. */
export interface ArchiveBudget {
  /** Bytes that may still be unpacked. */
  bytes: number
  /** Entries that may still be walked. */
  entries: number
}

export function createArchiveBudget(): ArchiveBudget {
  return { bytes: 512 * 1024 * 1024, entries: 2_000_000 }
}

interface Reading {
  readonly budget: ArchiveBudget
  readonly found: Found[]
  readonly setAside: (path: string, why: string) => void
}

/** An archive that cannot be read is listed as unread; the others still count. */
export function readJavaArchive(
  bytes: Uint8Array,
  path: string,
  { budget, setAside }: Omit<Reading, 'found'>,
): Found[] {
  const found: Found[] = []
  readArchive(bytes, path, { budget, setAside, found }, 0)
  return found
}

function readArchive(bytes: Uint8Array, path: string, reading: Reading, depth: number): void {
  const { budget, found, setAside } = reading
  let poms = 0
  let manifest = new Map<string, string>()
  try {
    for (const entry of zipEntries(bytes)) {
      budget.entries -= 1
      if (budget.entries < 0) throw new ZipError('the archives of the tree have too many entries')
      const isPom = pomForm.test(entry.name)
      const isManifest = manifestForm.test(entry.name)
      const isNested = javaArchiveForm.test(entry.name)
      if (!isPom && !isManifest && !isNested) continue
      const inner = `${path}!/${shownName(entry.name)}`
      try {
        if (isNested) {
          if (depth === depthMax) throw new ZipError('an archive in too many others')
          readArchive(take(entry, nestedBytesMax, budget), inner, reading, depth + 1)
          continue
        }
        const text = utf8Decode(take(entry, textBytesMax, budget))
        if (isManifest) manifest = readManifest(text)
        else {
          const pom = readPom(text, path)
          if (pom === undefined) continue
          poms += 1
          found.push(pom)
        }
      } catch (error) {
        if (error instanceof ZipError) setAside(inner, error.message)
        else if (error instanceof TypeError) setAside(inner, 'not UTF-8')
        else throw error
      }
    }
  } catch (error) {
    if (!(error instanceof ZipError)) throw error
    setAside(path, error.message)
  }
  if (poms > 0) return
  const own = nameByManifest(manifest, path)
  if (own !== undefined) found.push(own)
}

/** The content, counted against what all archives of the tree may cost. */
function take(entry: ZipEntry, bytesMax: number, budget: ArchiveBudget): Uint8Array {
  if (budget.bytes <= 0) throw new ZipError('the tree has more in archives than is read')
  // A read that ends at a limit costs as much as one that succeeds.
  const allowed = Math.min(bytesMax, budget.bytes)
  try {
    const content = entry.read(allowed)
    budget.bytes -= content.length
    return content
  } catch (error) {
    budget.bytes -= Math.min(allowed, entry.size)
    throw error
  }
}

function shownName(name: string): string {
  return cutText(name.replaceAll(/[\p{Cc}\p{Cf}]/gu, '?'), nameMax)
}

/** `groupId`, `artifactId` and `version`, as lines `name=value`. */
function readPom(text: string, path: string): Found | undefined {
  const values = new Map<string, string>()
  for (const line of linesOf(text)) {
    const [, name, value] = /^\s*(groupId|artifactId|version)\s*[=:]\s*(\S+)\s*$/.exec(line) ?? []
    if (name !== undefined && !values.has(name)) values.set(name, value!)
  }
  const group = values.get('groupId')
  const artifact = values.get('artifactId')
  if (group === undefined || artifact === undefined) return undefined
  return {
    ...{ type: 'maven', name: `${group}:${artifact}`, path },
    version: values.get('version') ?? '',
  }
}

const manifestNames = [
  ...['automatic-module-name', 'bundle-license', 'bundle-symbolicname', 'bundle-version'],
  ...['implementation-title', 'implementation-vendor-id', 'implementation-version'],
]

/** The main section: it ends at the first empty line; a line that begins with a space continues. */
function readManifest(text: string): Map<string, string> {
  const values = new Map<string, string>()
  let name = ''
  for (const line of linesOf(text)) {
    if (line === '') break
    if (line.startsWith(' ')) {
      if (name !== '') values.set(name, values.get(name)! + line.slice(1))
      continue
    }
    const colon = line.indexOf(':')
    const said = line.slice(0, colon === -1 ? 0 : colon).toLowerCase()
    name = manifestNames.includes(said) && !values.has(said) ? said : ''
    if (name !== '') values.set(name, line.slice(colon + 1).trim())
  }
  return values
}

/**
 * An archive that Maven has not marked. Its group is known where an older Maven wrote it into the
 * manifest, with the version that also stands in the file's name.
 */
function nameByManifest(said: ReadonlyMap<string, string>, path: string): Found | undefined {
  const file = path.slice(path.lastIndexOf('/') + 1).replace(javaArchiveForm, '')
  const [, stem = file, named = ''] = /^(.+?)-(\d[\w.+-]*)$/.exec(file) ?? []
  const group = said.get('implementation-vendor-id') ?? ''
  const implementation = said.get('implementation-version') ?? ''
  const licence = said.get('bundle-license') ?? ''
  if (/^[\w.-]+$/.test(group) && named !== '' && named === implementation) {
    return { type: 'maven', name: `${group}:${stem}`, version: named, licence, path }
  }
  const version = implementation || named || (said.get('bundle-version') ?? '')
  const symbolic = said.get('bundle-symbolicname')?.split(';')[0]?.trim() ?? ''
  const name =
    stem || symbolic || said.get('automatic-module-name') || said.get('implementation-title')
  return name ? { type: 'jar', name, version, licence, path } : undefined
}
