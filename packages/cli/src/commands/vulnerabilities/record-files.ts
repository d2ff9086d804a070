/** Files with records of vulnerabilities. */
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { CliError } from '../../failure.ts'

/** What of a file could not be used, and why. */
export interface SetAside {
  readonly file: string
  readonly why: string
}

export const recordBytesMax = 16 * 1024 * 1024

/** Files with a record each, at these paths and in the folders there. */
export async function listRecords(paths: readonly string[]): Promise<string[]> {
  const files = (await Promise.all(paths.map(listPath))).flat()
  if (files.length > 0) return files
  throw new CliError('usage', `${paths.join(', ')} holds no records`, {
    wayOut: 'Name a record, or a folder with files that end in .json.',
  })
}

async function listPath(path: string): Promise<string[]> {
  if (!(await stat(path)).isDirectory()) return [path]
  const names = await readdir(path, { recursive: true })
  return names
    .filter((name) => name.endsWith('.json'))
    .toSorted()
    .map((name) => join(path, name))
}
