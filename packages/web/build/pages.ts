/**
 * Bundles the pages: scripts and styles with their digest in the name, one `index.html` without a
 * word of script or style in it, every file compressed beforehand, the licences of what was
 * bundled, and `manifest.json`, from which the server serves.
 */
import { createHash, hash } from 'node:crypto'
import { readFileSync, readlinkSync } from 'node:fs'
import {
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises'
import { basename, dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { brotliCompress, constants, gzip, zstdCompress } from 'node:zlib'
import type { WebCoding, WebManifest } from '@seaworthy/api/web-manifest'
import type { Metafile, Plugin } from 'esbuild'
import { build } from 'esbuild'
import { pagePaths } from '../src/page-paths.ts'
import { listLicences } from './licences.ts'

const home = fileURLToPath(new URL('..', import.meta.url))
const root = join(home, '../..')

/** Folders and files from whose content the pages are made. */
const sources = [
  ...['packages/web/src', 'packages/web/build', 'packages/web/package.json'],
  ...['packages/api/src', 'packages/fleet/src', 'packages/std/src'],
  ...['packages/trust/src', 'package-lock.json'],
]

/** Oldest browsers that are served; the pages tell older ones so in a sentence. */
const target = ['chrome140', 'edge140', 'firefox133', 'safari18.4']

type BuiltFile = WebManifest['files'][number]

/** The digest of everything that the pages are made of. */
async function digestSources(): Promise<string> {
  const digest = createHash('sha256')
  for (const source of sources) {
    const path = join(root, source)
    const isFolder = (await stat(path)).isDirectory()
    const names = isFolder ? await readdir(path, { recursive: true, withFileTypes: true }) : []
    const files = isFolder
      ? names.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
      : [path]
    for (const file of files.toSorted()) {
      if (file.endsWith('.test.ts')) continue
      digest.update(`${relative(root, file)}\0${hash('sha256', readFileSync(file))}\n`)
    }
  }
  return digest.digest('hex').slice(0, 16)
}

/**
 * Makes `current` in the folder lead to pages of the present sources; answers whether they had to
 * be built. Several processes may do this at once.
 */
export async function ensurePages(folder: string, onBegin: () => void): Promise<boolean> {
  const name = await digestSources()
  const former = formerPages(folder)
  if (former === name) return false
  await makeFolder(folder)
  const isThere = (await readdir(folder)).includes(name)
  if (!isThere) {
    onBegin()
    const work = await mkdtemp(join(folder, 'building-'))
    try {
      await buildPages(work)
      await rename(work, join(folder, name))
    } catch (error) {
      await rm(work, { recursive: true, force: true })
      // Another process was first, with the same result.
      if (!['ENOTEMPTY', 'EEXIST'].includes((error as NodeJS.ErrnoException).code ?? '')) {
        throw error
      }
    }
  }
  const link = join(folder, `current-${process.pid}`)
  await rm(link, { force: true })
  await symlink(name, link)
  await rename(link, join(folder, 'current'))
  await removeOlder(folder, [name, former ?? name])
  return !isThere
}

function formerPages(folder: string): string | undefined {
  try {
    return readlinkSync(join(folder, 'current'))
  } catch {
    return undefined
  }
}

async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
}

/** The pages before these stay: a server that starts just now may be reading them. */
async function removeOlder(folder: string, kept: readonly string[]): Promise<void> {
  for (const name of await readdir(folder)) {
    if (!/^[0-9a-f]{16}$/.test(name) || kept.includes(name)) continue
    await rm(join(folder, name), { recursive: true, force: true })
  }
}

/**
 * Names zod as a namespace where the contract imports its `z`, so that the bundle gets what is used
 * of it and not all of its languages: half a megabyte less.
 */
const takePartsOfZod: Plugin = {
  name: 'take parts of zod',
  setup(bundle) {
    bundle.onLoad({ filter: /\/packages\/api\/src\/[^/]+\.ts$/ }, async ({ path }) => {
      const source = await readFile(path, 'utf8')
      const contents = source.replace(
        /^import (type )?\{ z \} from 'zod'$/m,
        "import $1* as z from 'zod'",
      )
      if (/\{[^}]*\bz\b[^}]*\} from 'zod'/.test(contents)) {
        throw new Error(`${path} imports zod in another way than the rest of the contract`)
      }
      return { contents, loader: 'ts' }
    })
  },
}

/**
 * Sets zod’s `jitless` where its settings are made, before the first schema: the content security
 * policy allows no code that is made at run time, and scripts that are loaded in parts have no
 * statement that runs before all others.
 */
const setZod: Plugin = {
  name: 'set zod',
  setup(bundle) {
    const core = join(dirname(fileURLToPath(import.meta.resolve('zod/v4/core'))), 'core.js')
    bundle.onLoad({ filter: /\/core\.js$/ }, async ({ path }) => {
      if (path !== core) return undefined
      const source = await readFile(path, 'utf8')
      const made = 'export const globalConfig = globalThis.__zod_globalConfig;'
      if (!source.includes(made)) throw new Error(`${path} makes its settings in another way`)
      const contents = source.replace(made, `${made}\nglobalConfig.jitless = true;`)
      return { contents, loader: 'js' }
    })
  },
}

/** Builds into the folder, which is emptied first. */
export async function buildPages(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true })
  await makeFolder(dirname(folder))
  await makeFolder(folder)
  await makeFolder(join(folder, 'assets'))
  const result = await build({
    entryPoints: [{ in: join(home, 'src/main.tsx'), out: 'app' }],
    outdir: join(folder, 'assets'),
    bundle: true,
    write: false,
    splitting: true,
    platform: 'browser',
    format: 'esm',
    target,
    minify: true,
    sourcemap: false,
    legalComments: 'none',
    entryNames: '[name]-[hash]',
    chunkNames: 'chunk-[hash]',
    assetNames: '[name]-[hash]',
    loader: { '.svg': 'file' },
    plugins: [takePartsOfZod, setZod],
    define: { 'process.env.NODE_ENV': '"production"' },
    tsconfig: join(home, 'src/tsconfig.json'),
    metafile: true,
    logLevel: 'warning',
  })
  const files: BuiltFile[] = []
  const put = async (path: string, bytes: Uint8Array) => {
    files.push(await writeCompressed(folder, path, bytes))
  }
  requireOneStyle(result.metafile.outputs)
  const built = result.outputFiles.filter(({ path }) => !isLaterStyle(path))
  const names = built.map((file) => basename(file.path))
  for (const file of built) {
    await put(`/assets/${basename(file.path)}`, file.contents)
  }
  const find = (pattern: RegExp) => {
    const name = names.find((one) => pattern.test(one))
    if (name === undefined) throw new Error(`nothing built matches ${pattern.source}`)
    return `/assets/${name}`
  }
  const icon = readFileSync(join(home, 'src/icon.svg'))
  const iconPath = `/assets/icon-${hash('sha256', icon).slice(0, 8)}.svg`
  await put(iconPath, icon)
  const index = readFileSync(join(home, 'src/index.html'), 'utf8')
    .replaceAll('{{script}}', find(/^app-.*\.js$/))
    .replaceAll('{{style}}', find(/^app-.*\.css$/))
    .replaceAll('{{icon}}', iconPath)
  await put('/index.html', Buffer.from(index))
  const bundled = Object.values(result.metafile.outputs).flatMap(({ inputs }) =>
    Object.entries(inputs).flatMap(([path, { bytesInOutput }]) =>
      bytesInOutput > 0 ? [path] : [],
    ),
  )
  const licences = listLicences(root, bundled)
  await put('/assets/licences.txt', Buffer.from(licences))
  files.sort((a, b) => (a.path < b.path ? -1 : 1))
  const manifest: WebManifest = { pages: [...pagePaths], files }
  await writeFile(join(folder, 'manifest.json'), `${JSON.stringify(manifest, null, 1)}\n`)
}

/**
 * A style sheet beside a script that is loaded later: nothing loads it, because the first style
 * sheet has all of it.
 */
const isLaterStyle = (path: string) => /^chunk-.*\.css$/.test(basename(path))

/** Fails if pages that are loaded later have styles that the first style sheet has not. */
function requireOneStyle(outputs: Metafile['outputs']): void {
  const styles = Object.entries(outputs).filter(([path]) => path.endsWith('.css'))
  const [, first] = styles.find(([path]) => !isLaterStyle(path))!
  const missing = styles
    .flatMap(([, { inputs }]) => Object.keys(inputs))
    .filter((input) => !Object.hasOwn(first.inputs, input))
  if (missing.length === 0) return
  throw new Error(`only pages that are loaded later have ${[...new Set(missing)].join(', ')}`)
}

const types: Readonly<Record<string, string>> = {
  css: 'text/css; charset=utf-8',
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  svg: 'image/svg+xml',
  txt: 'text/plain; charset=utf-8',
}

const { BROTLI_PARAM_QUALITY, ZSTD_c_compressionLevel } = constants
const codings = [
  [
    'zstd',
    (bytes) => promisify(zstdCompress)(bytes, { params: { [ZSTD_c_compressionLevel]: 19 } }),
  ],
  ['br', (bytes) => promisify(brotliCompress)(bytes, { params: { [BROTLI_PARAM_QUALITY]: 9 } })],
  ['gzip', (bytes) => promisify(gzip)(bytes, { level: 9 })],
] as const satisfies readonly [WebCoding, (bytes: Uint8Array) => Promise<Uint8Array>][]

/** Writes the file, and beside it each coding that makes it smaller. */
async function writeCompressed(
  folder: string,
  path: string,
  bytes: Uint8Array,
): Promise<BuiltFile> {
  const file = join(folder, path)
  await writeFile(file, bytes)
  const coded = await Promise.all(
    codings.map(async ([name, compress]) => ({ name, bytes: await compress(bytes) })),
  )
  const smaller = coded
    .filter((one) => one.bytes.length < bytes.length)
    .toSorted((a, b) => a.bytes.length - b.bytes.length)
  for (const one of smaller) await writeFile(`${file}.${one.name}`, one.bytes)
  return {
    path,
    type: types[path.slice(path.lastIndexOf('.') + 1)]!,
    sha256: hash('sha256', bytes),
    codings: smaller.map(({ name }) => name),
  }
}
