/**
 * Reads what releases say they are made of, and compares it with the records that there are. What
 * was begun and not finished is done again the next time.
 */
import { createHash } from 'node:crypto'
import type { ReadSbom, SbomComponent, SbomRefusal } from '@seaworthy/response/components'
import { readCycloneDx } from '@seaworthy/response/components'
import { ecosystemOf, placeOf, subjectKey } from '@seaworthy/response/matching'
import { storeContent } from '@seaworthy/oci/content'
import { parseDigest } from '@seaworthy/oci/digests'
import { findDocuments, readDocument } from '@seaworthy/oci/release-documents'
import { readReleaseIndex } from '@seaworthy/oci/release-content'
import { hexEncode } from '@seaworthy/std/bytes'
import { cycloneDxMediaType } from '@seaworthy/std/media-types'
import { Refusal, TrustError } from '@seaworthy/std/refusal'
import { hourMs } from '@seaworthy/std/time'
import type { NewComponent, SbomRow } from '../../db/components.ts'
import {
  insertSbom,
  listNewComponents,
  listUnreadReleases,
  lockComparison,
  markCompared,
} from '../../db/components.ts'
import { findRecordCandidates, writeFindings } from '../../db/vulnerabilities.ts'
import type { App } from '../app.ts'
import { judge, parseAffected } from './comparing.ts'

type Deps = Pick<App, 'clock' | 'db' | 'store'>

const limits = {
  documentBytesMax: 64 * 1024 * 1024,
  componentsMax: 50_000,
  /** A real tree has a few; each is compared with every record of the package. */
  versionsOfOneMax: 100,
  /** A release of a distribution is one of its own. */
  ecosystemsMax: 100,
  textMax: 500,
} as const
/** What could not be used may be there again, or be read by a newer server. */
const againMs = hourMs
const page = { releases: 20, components: 200 } as const

/** Reads every release that was not read yet, and compares every new component. */
export async function readSboms(app: Deps, signal: AbortSignal): Promise<void> {
  const againBefore = new Date(app.clock.now().getTime() - againMs)
  for (;;) {
    const releases = await listUnreadReleases(app.db.reader, againBefore, page.releases)
    for (const release of releases) {
      signal.throwIfAborted()
      await readRelease(app, release)
    }
    if (releases.length < page.releases) break
  }
  while (!signal.aborted && (await compareNew(app))) continue
}

interface UnreadRelease {
  readonly product: string
  readonly version: string
  readonly digest: string
  readonly platforms: readonly string[]
}

async function readRelease(app: Deps, release: UnreadRelease): Promise<void> {
  const { product, version, digest, platforms } = release
  const sha256 = digest.slice('sha256:'.length)
  const documents = await findAll(app, release)
  // A release for no platform must not be read again and again either.
  for (const platform of platforms.length === 0 ? ['none'] : platforms) {
    const sbom = typeof documents === 'string' ? documents : await documents(platform)
    const row: SbomRow = {
      ...{ product, version, platform, sha256 },
      ...(typeof sbom === 'string'
        ? { state: sbom === absent ? ('missing' as const) : ('unusable' as const), why: sbom }
        : { state: 'read' as const, why: null }),
      componentsCount: typeof sbom === 'string' ? 0 : sbom.components.length,
      othersCount: typeof sbom === 'string' ? 0 : sbom.others.length,
      isIncomplete: typeof sbom !== 'string' && sbom.isIncomplete,
      ecosystems: typeof sbom === 'string' ? [] : ecosystemsOf(sbom),
    }
    const components = typeof sbom === 'string' ? [] : sbom.components.map(takeComponent)
    await app.db.write(async (tx) => insertSbom(tx, row, components, await tx.now()))
  }
}

const absent = 'the release has none'

/** The documents by platform, or why there are none. Throws where the store cannot be read. */
async function findAll(
  app: Deps,
  { product, digest }: UnreadRelease,
): Promise<string | ((platform: string) => Promise<ReadSbom | string>)> {
  const source = storeContent(app.store, product)
  const index = await orReason(() => readReleaseIndex(source, parseDigest(digest)))
  if (typeof index === 'string') return index
  const artifacts = findDocuments(index.release, cycloneDxMediaType)
  return async (platform) => {
    const artifact = artifacts.get(platform)
    if (artifact === undefined) return absent
    return orReason(async () => {
      const bytes = await readDocument(
        source,
        artifact,
        cycloneDxMediaType,
        limits.documentBytesMax,
      )
      return bounded(readCycloneDx(bytes))
    })
  }
}

/**
 * Answers the message of an error that the content itself caused: it is malformed, or not what its
 * digest says. Throws every other error.
 */
async function orReason<T>(work: () => Promise<T>): Promise<T | string> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof Refusal || error instanceof TrustError)) throw error
    return error.message.slice(0, limits.textMax)
  }
}

function ecosystemsOf({ components }: ReadSbom): string[] {
  return [...new Set(components.map(ecosystemOf))].toSorted()
}

/** Throws `sbom_malformed`. */
function bounded(sbom: ReadSbom): ReadSbom {
  const components: SbomComponent[] = []
  const others = [...sbom.others]
  const versions = new Map<string, number>()
  for (const component of sbom.components) {
    if (!isStorable(component)) {
      others.push(component.name)
      continue
    }
    components.push(component)
    const key = keyOf(component)
    const count = (versions.get(key) ?? 0) + 1
    versions.set(key, count)
    if (count > limits.versionsOfOneMax) {
      throw tooMuch(`${limits.versionsOfOneMax} versions of one package`)
    }
  }
  if (components.length > limits.componentsMax) {
    throw tooMuch(`${limits.componentsMax} components`)
  }
  if (ecosystemsOf({ ...sbom, components }).length > limits.ecosystemsMax) {
    throw tooMuch(`${limits.ecosystemsMax} ecosystems`)
  }
  return { ...sbom, components, others }
}

function tooMuch(what: string): Refusal<SbomRefusal> {
  return new Refusal<SbomRefusal>('sbom_malformed', `the document lists more than ${what}`)
}

function isStorable(component: SbomComponent): boolean {
  return textsOf(component).every((text) => text.length <= limits.textMax && !text.includes('\0'))
}

function textsOf({ purl, name, version, ecosystem, release, subject }: SbomComponent): string[] {
  return [purl, name, version, ecosystem, release, subject.name, subject.version]
}

function keyOf({ ecosystem, subject }: SbomComponent): string {
  return subjectKey({ ecosystem, name: subject.name })
}

function takeComponent(component: SbomComponent): NewComponent {
  const { purl, name, version, ecosystem, release, subject } = component
  const place = placeOf(component)
  return {
    sha256: createHash('sha256')
      .update(JSON.stringify(textsOf(component)))
      .digest('hex'),
    ...{ purl, name, version, ecosystem, release },
    ...{ subjectName: subject.name, subjectVersion: subject.version },
    subjectKey: keyOf(component),
    versionKey: place === undefined ? null : hexEncode(place),
  }
}

/** Compares some components, and answers whether others may be left. */
async function compareNew({ db }: Deps): Promise<boolean> {
  // Where nothing is new, an import that has the lock keeps nobody from reading releases.
  if ((await listNewComponents(db.reader, 1)).length === 0) return false
  return db.write(async (tx) => {
    await lockComparison(tx)
    const rows = await listNewComponents(tx, page.components)
    if (rows.length === 0) return false
    const byId = new Map(rows.map((row) => [row.id, row]))
    const ids = [...byId.keys()]
    const { candidates, affected } = await findRecordCandidates(tx, ids)
    const parsed = new Map([...affected].map(([id, stored]) => [id, parseAffected(stored)]))
    const found = candidates.flatMap((candidate) =>
      judge(candidate, byId.get(candidate.component)!, parsed.get(candidate.vulnerability) ?? []),
    )
    await writeFindings(tx, found, await tx.now())
    await markCompared(tx, ids)
    return rows.length === page.components
  })
}
