/**
 * `node packages/web/build/main.ts`: builds the pages into `dist/`, if they are missing there or
 * older than their sources, and points `dist/current` at them. `--out DIR` builds them into DIR,
 * whatever is there.
 */
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { systemClock } from '@seaworthy/std/time'
import { buildPages, ensurePages } from './pages.ts'

const args = process.argv.slice(2)
if (args.length !== 0 && (args.length !== 2 || args[0] !== '--out')) {
  process.stderr.write('Usage: node packages/web/build/main.ts [--out DIR]\n')
  process.exit(2)
}
const beginMs = systemClock.monotonicMs()
const print = (line: string) => process.stderr.write(`${line}\n`)
if (args[1] !== undefined) await buildPages(resolve(args[1]))
else {
  const folder = fileURLToPath(new URL('../dist', import.meta.url))
  const isBuilt = await ensurePages(folder, () => print('Building the pages that browsers get'))
  if (isBuilt) {
    print(`Built them in ${((systemClock.monotonicMs() - beginMs) / 1000).toFixed(1)} s`)
  }
}
