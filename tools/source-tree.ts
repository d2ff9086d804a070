/** The repository as the house rules see it: every TypeScript file, scanned, with its workspace. */
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { type Scan, scanSource } from './source-scan.ts'

export const repositoryRoot = fileURLToPath(new URL('..', import.meta.url))

export interface SourceFile extends Scan {
  /** Path from the root of the repository, with slashes. */
  readonly path: string
  readonly source: string
  /** `trust`, `server`, … for `packages/*`; `sim`, `bench`, `tools` as they are. */
  readonly workspace: string
  /** Tests and what only tests may use. */
  readonly isTest: boolean
  /**
   * `main.ts`, `main.tsx` and the launchers in `bin/`: only there does code reach the system
   * itself.
   */
  readonly isMain: boolean
}

const skippedFolders = new Set(['node_modules', 'dist', '.git'])

/**
 * Paths below `folder` of the repository, sorted; folders that hold what others made are left out.
 */
export function listFiles(folder = '', root = repositoryRoot): string[] {
  const paths: string[] = []
  for (const entry of readdirSync(`${root}/${folder}`, { withFileTypes: true })) {
    const path = folder === '' ? entry.name : `${folder}/${entry.name}`
    if (entry.isFile()) paths.push(path)
    else if (entry.isDirectory() && !skippedFolders.has(entry.name))
      paths.push(...listFiles(path, root))
  }
  return paths.toSorted()
}

export function placeSource(path: string, source: string): SourceFile {
  const [top, name] = path.split('/')
  return {
    ...scanSource(source, path.endsWith('.tsx')),
    path,
    source,
    workspace: top === 'packages' ? name! : top!,
    isTest:
      /\.(?:test|suite|fixture)\.tsx?$|\/testing(?:\.ts$|\/)/.test(path) || /^tools\//.test(path),
    isMain: /(?:^|\/)main\.tsx?$|\/bin\/[^/]+$/.test(path),
  }
}

export function readSources(): SourceFile[] {
  return ['packages', 'sim', 'bench', 'tools']
    .flatMap((folder) => listFiles(folder))
    .filter((path) => /\.(?:tsx?|mjs|js)$/.test(path) && !path.endsWith('.d.ts'))
    .map((path) => placeSource(path, readFileSync(`${repositoryRoot}/${path}`, 'utf8')))
}
