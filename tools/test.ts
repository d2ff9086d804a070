/**
 * The test runner behind the npm scripts: `node tools/test.ts unit|integration|long|golden [WORD …]`.
 * Words narrow the files down by their path. Finding no file is a failure, and so is a skipped test when
 * SEAWORTHY_TEST_STRICT=1 (a build machine has everything installed).
 */
import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { run } from 'node:test'
import { spec } from 'node:test/reporters'
import { pathToFileURL } from 'node:url'
import { listFiles, repositoryRoot } from './source-tree.ts'
import { createTestReport } from './test-report.ts'

type Suite = 'unit' | 'integration' | 'long' | 'golden'

interface Plan {
  selects(path: string): boolean
  /** Test files at the same time. */
  concurrency: number
  /** For one file, so that a test that hangs ends the run. */
  timeoutMs: number
}

const cores = availableParallelism()
const isLong = (path: string) => path.endsWith('.long.test.ts')
const isIntegration = (path: string) => path.endsWith('.integration.test.ts')
const minuteMs = 60_000

const plans: Record<Suite, Plan> = {
  unit: {
    selects: (path) => !isLong(path) && !isIntegration(path),
    concurrency: Math.max(1, Math.min(cores, 8)),
    timeoutMs: 3 * minuteMs,
  },
  // Each file may start a database and several processes of its own.
  integration: {
    selects: isIntegration,
    concurrency: Math.max(1, Math.min(Math.floor(cores / 2), 4)),
    timeoutMs: 15 * minuteMs,
  },
  long: { selects: isLong, concurrency: 1, timeoutMs: 180 * minuteMs },
  golden: {
    selects: (path) =>
      !isLong(path) && /golden/i.test(readFileSync(`${repositoryRoot}/${path}`, 'utf8')),
    concurrency: Math.max(1, Math.min(Math.floor(cores / 2), 4)),
    timeoutMs: 15 * minuteMs,
  },
}

export function selectTests(
  suite: Suite,
  paths: readonly string[],
  words: readonly string[],
): string[] {
  return paths.filter(
    (path) =>
      path.endsWith('.test.ts') &&
      plans[suite].selects(path) &&
      (words.length === 0 || words.some((word) => path.includes(word))),
  )
}

function isSuite(name: string | undefined): name is Suite {
  return name !== undefined && Object.hasOwn(plans, name)
}

function main(args: readonly string[]): void {
  const [suite, ...words] = args
  if (!isSuite(suite)) {
    process.stderr.write('usage: node tools/test.ts unit|integration|long|golden [WORD …]\n')
    process.exitCode = 2
    return
  }
  const paths = selectTests(suite, listFiles(), words)
  if (paths.length === 0) {
    process.stderr.write(`no ${suite} test file was found: that is no success\n`)
    process.exitCode = 1
    return
  }
  const report = createTestReport({ strict: process.env['SEAWORTHY_TEST_STRICT'] === '1' })
  const { concurrency, timeoutMs } = plans[suite]
  run({
    files: paths.map((path) => `${repositoryRoot}${path}`),
    concurrency,
    timeout: timeoutMs,
  })
    .compose(report.observe)
    .compose(spec)
    .pipe(process.stdout)
    .on('unpipe', () => {
      if (report.failed()) process.exitCode = 1
    })
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) main(process.argv.slice(2))
