/**
 * Compares what the fetcher may open with what only the installer may. Node's permission model
 * grants whole folders, so a state or configuration that lies in one of them would be open to
 * anybody who takes the fetcher over.
 */
import { realpathSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { Refusal } from '@seaworthy/std/refusal'
import type { ConfigRefusal } from '../refusals.ts'

/** A folder that the fetcher's command opens to it. */
export interface OpenFolder {
  readonly path: string
  readonly right: 'read' | 'write'
  /** How a person can put it elsewhere, where that is possible. */
  readonly wayOut?: string
}

/** A file or folder that the fetcher must not open. */
export interface KeptPlace {
  /** What lies there, in words for people. */
  readonly what: string
  readonly path: string
  readonly wayOut: string
}

/**
 * Throws `Refusal<ConfigRefusal>` for the first path that lies in an open folder. Paths are real
 * ones.
 */
export function requireHidden(open: readonly OpenFolder[], kept: readonly KeptPlace[]): void {
  for (const place of kept) {
    const folder = open.find(({ path }) => isWithin(place.path, path))
    if (folder === undefined) continue
    throw new Refusal<ConfigRefusal>(
      'folder_unusable',
      `${place.what} ${place.path} lies in ${folder.path}, which the process that talks to the network may ${folder.right}: ${folder.wayOut ?? place.wayOut}`,
    )
  }
}

function isWithin(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder === '/' ? folder : `${folder}/`)
}

/** The path to which links lead; what does not exist yet will lie where its folder leads. */
export function realPlace(path: string): string {
  try {
    return realpathSync(path)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    const parent = dirname(path)
    if (code !== 'ENOENT' || parent === path) return path
    return join(realPlace(parent), basename(path))
  }
}
