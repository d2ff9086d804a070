/**
 * Our programs as integration tests start them: each built as one file from the sources of the run.
 * To find and read its hundreds of modules takes a program longer than what most tests have it do.
 * Tests ask `programAt` of `std/testing` for the file. Tests of how people start a program, its
 * launcher, its package or the one file that is handed out, start just that.
 */
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Plugin } from 'esbuild'
import { build } from 'esbuild'
import { repositoryRoot } from './source-tree.ts'

/** Where each program begins, and what those call it who start it. */
const programs = [
  { source: 'packages/agent/src/main.ts', name: '@seaworthy/agent/main' },
  { source: 'packages/cli/src/main.ts' },
  { source: 'packages/server/src/main.ts', name: '@seaworthy/server/main' },
  { source: 'packages/server/src/testing/end-confirmations.ts' },
  { source: 'packages/server/src/transfers/main.ts', name: '@seaworthy/server/transfers' },
  { source: 'sim/src/stolen/main.ts', name: '@seaworthy/sim/stolen' },
] as const

/** Lets a module find the files beside it, such as migrations, where they are. */
const keepPlaces: Plugin = {
  name: 'keep-places',
  setup(bundler) {
    bundler.onLoad({ filter: /\.[mc]?[jt]s$/ }, async ({ path }) => {
      const text = await readFile(path, 'utf8')
      if (!text.includes('import.meta.url')) return undefined
      const contents = text.replaceAll('import.meta.url', JSON.stringify(pathToFileURL(path).href))
      return { contents, loader: path.endsWith('ts') ? 'ts' : 'js' }
    })
  },
}

/** The server repairs this package while Node loads it, which goes by where its files are. */
const repairedPackage = 'postgres'
const leaveRepaired: Plugin = {
  name: 'leave-repaired',
  setup(bundler) {
    bundler.onResolve({ filter: new RegExp(`^${repairedPackage}$`) }, () => ({
      path: import.meta.resolve(repairedPackage),
      external: true,
    }))
  },
}

/**
 * Has the programs make key files at the lowest cost that one may have, as the tests of commands in
 * their own process do: no test depends on it, and a process spends more on it than on all else.
 */
const cheapKeys: Plugin = {
  name: 'cheap-keys',
  setup(bundler) {
    bundler.onLoad({ filter: /\/trust\/src\/keys\/key-file\.ts$/ }, async ({ path }) => {
      const text = await readFile(path, 'utf8')
      const cost = '{ memoryKiB: 8192, passes: 1, parallelism: 1 }'
      const contents = text.replace(/(?<=defaultKeyFileCost: KeyFileCost = )\{.*\}/, cost)
      if (contents === text) throw new Error(`${path} does not say what a key file costs`)
      return { contents, loader: 'ts' }
    })
  },
}

/** Builds all of them below the folder. Throws what esbuild throws. */
export async function buildPrograms(folder: string): Promise<void> {
  const placeOf = (source: string) => join(folder, `${source}.mjs`)
  const places = programs.flatMap((program) =>
    'name' in program ? [[program.name, pathToFileURL(placeOf(program.source)).href]] : [],
  )
  const from = createRequire(join(repositoryRoot, 'packages/cli/package.json'))
  const { metafile } = await build({
    absWorkingDir: repositoryRoot,
    entryPoints: programs.map(({ source }) => ({ in: source, out: source })),
    outdir: folder,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'esnext',
    define: { 'import.meta.resolve': 'testedPlace' },
    minifySyntax: true,
    minifyWhitespace: true,
    legalComments: 'none',
    banner: {
      js: `import { createRequire as testedRequire } from 'node:module'
import { pathToFileURL as testedUrl } from 'node:url'
const require = testedRequire(${JSON.stringify(from.resolve('./package.json'))})
const testedPlaces = ${JSON.stringify(Object.fromEntries(places))}
const testedPlace = (name) => testedPlaces[name] ?? testedUrl(require.resolve(name)).href`,
    },
    plugins: [cheapKeys, keepPlaces, leaveRepaired],
    metafile: true,
    logLevel: 'warning',
  })
  const inside = `node_modules/${repairedPackage}/`
  const unrepaired = Object.keys(metafile.inputs).filter((path) => path.includes(inside))
  if (unrepaired.length > 0) throw new Error(`nothing repairs ${unrepaired.join(', ')}`)
}
