/**
 * `npm run bench -- NAME`: runs `bench/src/NAME.ts` and prints each ratio to its named baseline.
 * Exit codes: 0 done, 1 a target was missed, 2 usage.
 */
import { readdirSync } from 'node:fs'
import type { Comparison } from './lib/measure.ts'
import { formatComparison } from './lib/measure.ts'

/** What each `bench/src/NAME.ts` exports. */
export interface Bench {
  title: string
  run: (log: (line: string) => void) => Promise<Comparison[]>
}

const names = readdirSync(import.meta.dirname)
  .filter((file) => file.endsWith('.ts') && file !== 'main.ts' && !file.endsWith('.test.ts'))
  .map((file) => file.slice(0, -3))
  .toSorted()

async function loadBench(name: string): Promise<Bench> {
  return (await import(`./${name}.ts`)) as Bench
}

async function printHelp(write: (line: string) => void): Promise<void> {
  write('usage: npm run bench -- NAME')
  for (const name of names) write(`  ${name.padEnd(12)} ${(await loadBench(name)).title}`)
}

const [name, ...rest] = process.argv.slice(2)
if (name === '--help' || name === '-h') await printHelp(console.log)
else if (name === undefined || rest.length > 0 || !names.includes(name)) {
  if (name !== undefined) console.error(`no benchmark ${[name, ...rest].join(' ')}`)
  await printHelp(console.error)
  process.exitCode = 2
} else {
  const bench = await loadBench(name)
  console.log(`${name}: ${bench.title}`)
  const comparisons = await bench.run((line) => console.log(`  ${line}`))
  for (const comparison of comparisons) console.log(formatComparison(comparison))
  if (comparisons.some((comparison) => !comparison.isMet)) process.exitCode = 1
}
