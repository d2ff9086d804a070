/**
 * The test runner behind the npm scripts: `node tools/test.ts unit|integration|long|golden [WORD
 * …]`. Words narrow the files down by their path. Finding no file is a failure, and so is a skipped
 * test when SEAWORTHY_TEST_STRICT=1 (a build machine has everything installed).
 */
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { availableParallelism, tmpdir, totalmem } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { run } from 'node:test'
import { spec } from 'node:test/reporters'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { listFiles, repositoryRoot } from './source-tree.ts'
import { needsMachineAlone, orderByLength } from './test-pace.ts'
import { createTestReport, joinRuns } from './test-report.ts'
import { readNotes } from './test-usage.ts'

type Suite = 'unit' | 'integration' | 'long' | 'golden'

interface Plan {
  selects(path: string): boolean
  /** The number of test files that run at the same time. */
  concurrency: number
  /** The limit for one file, so that a test that hangs ends the run. */
  timeoutMs: number
}

const cores = availableParallelism()
const isLong = (path: string) => path.endsWith('.long.test.ts')
const isIntegration = (path: string) => path.endsWith('.integration.test.ts')
const minuteMs = 60_000
/** What a file with a database, a server and several agents of its own may take at most. */
const fileBytes = 1.5 * 1024 ** 3

const plans: Record<Suite, Plan> = {
  unit: {
    selects: (path) => !isLong(path) && !isIntegration(path),
    concurrency: Math.max(1, Math.min(cores, 8)),
    timeoutMs: 3 * minuteMs,
  },
  // Each file may start a database and several processes of its own, which wait for each other, for
  // disks and for intervals a third of the time: two files for each core keep all cores at work.
  integration: {
    selects: isIntegration,
    concurrency: Math.max(1, Math.min(cores * 2, Math.floor(memoryBytes() / fileBytes), 8)),
    timeoutMs: 20 * minuteMs,
  },
  long: { selects: isLong, concurrency: 1, timeoutMs: 180 * minuteMs },
  golden: {
    selects: (path) =>
      !isLong(path) && /golden/i.test(readFileSync(`${repositoryRoot}/${path}`, 'utf8')),
    concurrency: Math.max(1, Math.min(Math.floor(cores / 2), 4)),
    timeoutMs: 15 * minuteMs,
  },
}

/** Memory of this machine, or of the container. */
function memoryBytes(): number {
  const limit = process.constrainedMemory()
  return limit > 0 ? Math.min(limit, totalmem()) : totalmem()
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

async function main(args: readonly string[]): Promise<void> {
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
  const { concurrency, timeoutMs } = plans[suite]
  const shared = mkdtempSync(join(tmpdir(), 'seaworthy-tests-'))
  // PostgreSQL's own account must be able to pass.
  chmodSync(shared, 0o711)
  process.once('exit', () => rmSync(shared, { recursive: true, force: true }))
  const notesFile = join(shared, 'notes')
  // The repositories in which this runner is tested have none of our programs.
  const programs = new URL('./test-programs.ts', import.meta.url)
  if (suite === 'integration' && existsSync(programs)) {
    const { buildPrograms } = (await import(programs.href)) as typeof import('./test-programs.ts')
    await buildPrograms(join(shared, 'programs'))
  }
  const report = createTestReport({
    strict: process.env['SEAWORTHY_TEST_STRICT'] === '1',
    root: repositoryRoot,
    notes: () => readNotes(notesFile, repositoryRoot),
  })
  const env = {
    // What all files need is compiled once for the whole run, and not by each of the processes that
    // they start.
    NODE_COMPILE_CACHE: join(shared, 'compiled'),
    ...process.env,
    SEAWORTHY_TEST_NOTES: notesFile,
    // Test files put here what they make once and share; see the testing folders of packages.
    SEAWORTHY_TEST_SHARED: shared,
  }
  const runFiles = (files: readonly string[], atOnce: number) =>
    run({
      files: files.map((path) => `${repositoryRoot}${path}`),
      concurrency: atOnce,
      timeout: timeoutMs,
      execArgv: ['test-usage.ts', 'test-modules.ts'].flatMap((name) => [
        '--import',
        fileURLToPath(new URL(name, import.meta.url)),
      ]),
      env,
    })
  const runs = [
    { files: orderByLength(paths.filter((path) => !needsMachineAlone(path))), atOnce: concurrency },
    { files: paths.filter(needsMachineAlone), atOnce: 1 },
  ].filter(({ files }) => files.length > 0)
  Readable.from(
    joinRuns(
      runs.map(
        ({ files, atOnce }) =>
          () =>
            runFiles(files, atOnce),
      ),
    ),
  )
    .compose(report.observe)
    .compose(spec)
    .pipe(process.stdout)
    .on('unpipe', () => {
      if (report.failed()) process.exitCode = 1
    })
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  await main(process.argv.slice(2))
}
