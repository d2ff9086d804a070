/** `node packages/agent/build/main.ts OUT`: the whole agent as one file, OUT/seaworthy-agent.mjs, that needs only Node beside it. */
import { chmod, mkdir } from 'node:fs/promises'
import { build } from 'esbuild'

export interface BuiltAgent {
  file: string
  bytes: number
}

export async function buildAgent(out: string): Promise<BuiltAgent> {
  await mkdir(out, { recursive: true })
  const file = `${out}/seaworthy-agent.mjs`
  const result = await build({
    entryPoints: [new URL('../src/main.ts', import.meta.url).pathname],
    outfile: file,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node24',
    minifySyntax: true,
    minifyWhitespace: true,
    legalComments: 'none',
    banner: { js: '#!/usr/bin/env node' },
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
