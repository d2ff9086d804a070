/**
 * `node tools/pack.ts OUT`: packs the command line and all that it starts as npm packages, one
 * tarball for each, to be installed beside each other. Node strips the types of no file below
 * `node_modules`, so they are stripped here: every line and column stays where it is in the source.
 */
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { scanSource } from './source-scan.ts'
import { repositoryRoot } from './source-tree.ts'

interface Manifest {
  readonly name: string
  readonly exports?: Readonly<Record<string, string>>
  readonly dependencies?: Readonly<Record<string, string>>
  readonly devDependencies?: Readonly<Record<string, string>>
  readonly files?: readonly string[]
}

/** What Apache-2.0 wants beside every copy. */
const legalFiles = ['LICENSE', 'NOTICE']

function readManifest(folder: string): Manifest {
  return JSON.parse(readFileSync(join(repositoryRoot, folder, 'package.json'), 'utf8')) as Manifest
}

const folderOf = (name: string): string => {
  const own = name.replace('@seaworthy/', '')
  return own === 'sim' ? own : `packages/${own}`
}

/** The folders of a workspace and of all workspaces that it depends on. */
function listShipped(start: string, read = readManifest): string[] {
  const seen = new Set<string>()
  const visit = (folder: string) => {
    if (seen.has(folder)) return
    seen.add(folder)
    for (const name of Object.keys(read(folder).dependencies ?? {}))
      if (name.startsWith('@seaworthy/')) visit(folderOf(name))
  }
  visit(start)
  return [...seen]
}

const asScript = (path: string) => path.replace(/\.ts$/, '.js')

/** The module without its types; the files beside it are named as they are shipped. */
function shipModule(source: string): string {
  const bare = stripTypeScriptTypes(source)
  let shipped = ''
  let copied = 0
  for (const { text, start } of scanSource(bare).strings) {
    if (!/^\.{1,2}\/[^\s]*\.ts$/.test(text)) continue
    shipped += bare.slice(copied, start) + asScript(text)
    copied = start + text.length
  }
  return shipped + bare.slice(copied)
}

/** The manifest of what is shipped: exports and packages that only tests or builds use are gone. */
function shipManifest(manifest: Manifest, files: ReadonlySet<string>): Manifest {
  const { files: _, devDependencies: __, exports = {}, ...rest } = manifest
  const kept = Object.entries(exports)
    .filter(([, target]) => files.has(target.replace('./', '')))
    .map(([subpath, target]) => [subpath, asScript(target)] as const)
  return { ...rest, exports: Object.fromEntries(kept) }
}

function stage(folder: string, files: readonly string[], out: string): void {
  const known = new Set(files)
  for (const path of files) {
    const from = join(repositoryRoot, folder, path)
    const to = join(out, asScript(path))
    mkdirSync(dirname(to), { recursive: true })
    const bytes = readFileSync(from)
    const { mode } = statSync(from)
    if (path === 'package.json') {
      const manifest = shipManifest(readManifest(folder), known)
      writeFileSync(to, `${JSON.stringify(manifest, null, 2)}\n`)
    } else if (path.endsWith('.ts')) writeFileSync(to, shipModule(bytes.toString()))
    else if (path.startsWith('bin/'))
      writeFileSync(to, bytes.toString().replaceAll('src/main.ts', 'src/main.js'))
    else writeFileSync(to, bytes)
    chmodSync(to, mode & 0o777)
  }
}

/** Builds the pages for browsers, which are shipped as they are served. */
function buildPages(): void {
  const web = join(repositoryRoot, 'packages/web')
  const args = [join(web, 'build/main.ts'), '--out', join(web, 'dist/packed')]
  execFileSync(process.execPath, args, { stdio: ['ignore', 'inherit', 'inherit'] })
}

/** Makes the tarballs in `out`. */
function pack(out: string): void {
  const folders = listShipped('packages/cli')
  buildPages()
  const npm = (args: readonly string[]) =>
    execFileSync('npm', ['pack', '--json', ...args], { cwd: repositoryRoot, encoding: 'utf8' })
  const listed = JSON.parse(npm(['--dry-run', ...folders.map((folder) => `./${folder}`)])) as {
    name: string
    files: { path: string }[]
  }[]
  const staged = mkdtempSync(join(tmpdir(), 'seaworthy-pack-'))
  try {
    for (const { name, files } of listed) {
      const to = join(staged, folderOf(name))
      stage(
        folderOf(name),
        files.map(({ path }) => path),
        to,
      )
      for (const legal of legalFiles) copyFileSync(join(repositoryRoot, legal), join(to, legal))
    }
    mkdirSync(out, { recursive: true })
    npm(['--pack-destination', out, ...folders.map((folder) => join(staged, folder))])
  } finally {
    rmSync(staged, { recursive: true })
  }
}

if (import.meta.main) {
  const out = process.argv[2]
  if (out === undefined) {
    process.stderr.write('Usage: node tools/pack.ts OUT\n')
    process.exit(2)
  }
  pack(resolve(out))
}
