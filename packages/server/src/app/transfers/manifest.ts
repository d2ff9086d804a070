/**
 * `export.json`: what an export holds. It is written last, so that an export without one is known
 * to be cut; its digest stands for the whole export.
 */
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import type { Json } from '@seaworthy/std/json'
import { parseJson } from '@seaworthy/std/json'
import type { AppliedMigration } from '../../db/migrate.ts'
import type { Sums } from './files.ts'
import { manifestName, readSmall, writePieces } from './files.ts'
import { refuse } from './refusals.ts'

const exportFormat = 'seaworthy-server-export-v1'
const bytesMax = 1024 * 1024

export interface ExportManifest {
  /** The version of the program that wrote it. */
  readonly program: string
  readonly at: string
  /** What had been applied to the database: its schema. */
  readonly migrations: readonly AppliedMigration[]
  /** The number of rows by table. */
  readonly tables: ReadonlyMap<string, number>
  /** The last number that was given, by `table.column`. */
  readonly counters: ReadonlyMap<string, number>
  readonly sums: Sums
}

/** Answers the SHA-256 of the file. */
export async function writeManifest(folder: string, manifest: ExportManifest): Promise<string> {
  const text = `${JSON.stringify(
    {
      format: exportFormat,
      ...manifest,
      tables: Object.fromEntries(manifest.tables),
      counters: Object.fromEntries(manifest.counters),
    },
    null,
    2,
  )}\n`
  await writePieces(join(folder, manifestName), [text])
  return createHash('sha256').update(text).digest('hex')
}

/** Throws `export_incomplete` without one, `export_malformed`, `export_changed`. */
export async function readManifest(
  folder: string,
  expected: string | null,
): Promise<{ manifest: ExportManifest; sha256: string }> {
  const path = join(folder, manifestName)
  const bytes = await readSmall(path, bytesMax)
  if (bytes === undefined) {
    return refuse(
      'export_incomplete',
      `${path} is missing: the export broke off, or this is another folder`,
    )
  }
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  if (expected !== null && sha256 !== expected) {
    return refuse('export_changed', `${path} has the SHA-256 ${sha256}, not the one expected`)
  }
  return { manifest: parseExportManifest(bytes), sha256 }
}

function parseExportManifest(bytes: Uint8Array): ExportManifest {
  let json: Json
  try {
    json = parseJson(bytes)
  } catch (cause) {
    return refuse('export_malformed', `${manifestName} is not JSON`, cause)
  }
  const members = asObject(json, 'it')
  if (members['format'] !== exportFormat) {
    return refuse(
      'export_malformed',
      `${manifestName} is of another format than ${exportFormat}: import it with the version that made it`,
    )
  }
  const sums = asObject(members['sums'], 'sums')
  return {
    program: asText(members['program'], 'program'),
    at: asText(members['at'], 'at'),
    migrations: asList(members['migrations'], 'migrations').map((item) => {
      const { name, sha256 } = asObject(item, 'a migration')
      return { name: asText(name, 'name'), sha256: asText(sha256, 'sha256') }
    }),
    tables: asCounts(members['tables'], 'tables'),
    counters: asCounts(members['counters'], 'counters'),
    sums: {
      sha256: asText(sums['sha256'], 'sums.sha256'),
      files: asCount(sums['files'], 'sums.files'),
      bytes: asCount(sums['bytes'], 'sums.bytes'),
    },
  }
}

function wrong(what: string): never {
  return refuse('export_malformed', `${manifestName}: ${what} is not what it must be`)
}

function asObject(json: Json | undefined, what: string): { [name: string]: Json } {
  return typeof json === 'object' && json !== null && !Array.isArray(json) ? json : wrong(what)
}

function asList(json: Json | undefined, what: string): Json[] {
  return Array.isArray(json) ? json : wrong(what)
}

function asText(json: Json | undefined, what: string): string {
  return typeof json === 'string' ? json : wrong(what)
}

function asCount(json: Json | undefined, what: string): number {
  return typeof json === 'number' && Number.isSafeInteger(json) && json >= 0 ? json : wrong(what)
}

function asCounts(json: Json | undefined, what: string): Map<string, number> {
  return new Map(
    Object.entries(asObject(json, what)).map(([name, count]) => [name, asCount(count, what)]),
  )
}
