/**
 * `node packages/cli/build/main.ts OUT`: the command line as one file, OUT/seaworthy.mjs, that
 * needs only Node beside it. It talks to a server and signs, without a network too; `up`, `demo`,
 * `export` and `import` start programs of the server, which are not in it.
 */
import { createHash } from 'node:crypto'
import { chmod, readFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { makeFolders } from '@seaworthy/oci/folders'
import type { Plugin } from 'esbuild'
import { build } from 'esbuild'

export interface BuiltCli {
  readonly file: string
  readonly bytes: number
  /** The same for everybody who builds the same sources with the same locked packages. */
  readonly sha256: string
}

/** The first Node that has `Uint8Array.fromHex` and zstd. */
const nodeMajorMin = 26

/**
 * Runs before anything else is loaded, on any Node that knows modules: it can say what is missing
 * without printing the file.
 */
const start = `#!/usr/bin/env node
import { createRequire } from 'node:module'
const cliUrl = import.meta.url
const cliResolve = (name) => { throw new Error(name + ' is not in this file') }
const require = createRequire(cliUrl)
if (Number(process.versions.node.split('.')[0]) < ${nodeMajorMin}) {
  process.stderr.write('seaworthy: needs Node ${nodeMajorMin} or newer, and this is Node ' + process.versions.node + ' at ' + process.execPath + ': start this file with node_modules/node-linux-' + process.arch + '/bin/node of a Seaworthy checkout, or with one from nodejs.org\\n')
  process.exit(2)
}`

/** Puts the script that checks an export into the module that reads it from its folder. */
const inlineScript: Plugin = {
  name: 'inline-script',
  setup(bundler) {
    bundler.onLoad({ filter: /\/cli\/src\/verify-export\.ts$/ }, async ({ path }) => {
      const script = await readFile(path.replace(/ts$/, 'sh'), 'utf8')
      return {
        contents: `export const readVerifyExport = async () => ${JSON.stringify(script)}`,
        loader: 'ts',
      }
    })
  },
}

/**
 * Builds the command line into the folder, which is made if need be. Throws what esbuild throws.
 */
export async function buildCli(out: string): Promise<BuiltCli> {
  const file = resolve(out, 'seaworthy.mjs')
  makeFolders(dirname(file))
  await build({
    // Paths in the bundle would be those of whoever builds it.
    absWorkingDir: fileURLToPath(new URL('../../../', import.meta.url)),
    entryPoints: [fileURLToPath(new URL('../src/main.ts', import.meta.url))],
    outfile: file,
    bundle: true,
    platform: 'node',
    format: 'iife',
    target: 'node18',
    define: { 'import.meta.url': 'cliUrl', 'import.meta.resolve': 'cliResolve' },
    minifySyntax: true,
    minifyWhitespace: true,
    legalComments: 'none',
    banner: { js: start },
    plugins: [inlineScript],
    logLevel: 'warning',
  })
  await chmod(file, 0o755)
  const content = await readFile(file)
  const sha256 = createHash('sha256').update(content).digest('hex')
  return { file, bytes: content.length, sha256 }
}

if (import.meta.main) {
  const out = process.argv[2]
  if (out === undefined) {
    process.stderr.write('Usage: node packages/cli/build/main.ts OUT\n')
    process.exit(2)
  }
  const { file, bytes, sha256 } = await buildCli(out)
  process.stdout.write(`${file} ${bytes} bytes\nsha256:${sha256}\n`)
}
