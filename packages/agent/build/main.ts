/**
 * `node packages/agent/build/main.ts OUT`: the whole agent as one file, OUT/seaworthy-agent.mjs,
 * that needs only Node beside it.
 */
import { chmod } from 'node:fs/promises'
import { makeFolders } from '@seaworthy/oci/folders'
import { build } from 'esbuild'

export interface BuiltAgent {
  file: string
  bytes: number
}

/**
 * The first Node that has all of it: `Uint8Array.fromHex`, zstd, and a permission model that denies
 * the network.
 */
const nodeMajorMin = 26

/**
 * Runs before anything of the agent is loaded, on any Node that knows modules. It imports nothing
 * that an older Node lacks and keeps to syntax that an older Node reads, so that it can say what is
 * missing without printing the file.
 */
const start = `#!/usr/bin/env node
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
const agentFile = fileURLToPath(import.meta.url)
const require = createRequire(import.meta.url)
if (Number(process.versions.node.split('.')[0]) < ${nodeMajorMin}) {
  process.stderr.write('seaworthy-agent: needs Node ${nodeMajorMin} or newer, and this is Node ' + process.versions.node + ' at ' + process.execPath + ': start this file with node_modules/node-linux-' + process.arch + '/bin/node of a Seaworthy checkout, or with one from nodejs.org\\n')
  process.exit(2)
}`

/** Builds the agent into the folder, which is made if need be. Throws what esbuild throws. */
export async function buildAgent(out: string): Promise<BuiltAgent> {
  makeFolders(out)
  const file = `${out}/seaworthy-agent.mjs`
  const result = await build({
    entryPoints: [new URL('../src/main.ts', import.meta.url).pathname],
    outfile: file,
    bundle: true,
    platform: 'node',
    format: 'iife',
    target: 'node18',
    define: { 'import.meta.filename': 'agentFile' },
    minifySyntax: true,
    minifyWhitespace: true,
    legalComments: 'none',
    banner: { js: start },
    metafile: true,
    logLevel: 'warning',
  })
  await chmod(file, 0o755)
  const [output] = Object.values(result.metafile.outputs)
  return { file, bytes: output!.bytes }
}

if (import.meta.main) {
  const out = process.argv[2]
  if (out === undefined) {
    process.stderr.write('Usage: node packages/agent/build/main.ts OUT\n')
    process.exit(2)
  }
  const { file, bytes } = await buildAgent(out)
  process.stdout.write(`${file} ${bytes} bytes\n`)
}
