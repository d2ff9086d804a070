/** What the run says besides passes and failures: what was skipped, and what takes the time. */
import type { TestEvent } from 'node:test/reporters'
import type { TestNotes } from './test-usage.ts'

const slowestShown = 20
const slowMs = 250
/** The runner's own closing lines. */
const closingLine = /^(tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) ([\d.]+)$/

export interface TestReport {
  /** Hands every event on, and puts the lists in front of the closing lines. */
  readonly observe: (events: AsyncIterable<TestEvent>) => AsyncGenerator<TestEvent>
  /** Whether the run must end with an error; asked after the last event. */
  readonly failed: () => boolean
}

export interface TestReportOptions {
  /** A skipped test is a failure. */
  readonly strict: boolean
  /** The prefix to remove from the paths of files. */
  readonly root: string
  /** What files noted of themselves until now. */
  readonly notes: () => TestNotes
}

/** Joins several runs as if they were one: closing lines and list of failures come once. */
export async function* joinRuns(
  runs: readonly (() => AsyncIterable<TestEvent>)[],
): AsyncGenerator<TestEvent> {
  const sums = new Map<string, number>()
  let summary: TestEvent | undefined
  for (const run of runs) {
    for await (const event of run()) {
      if (event.type === 'test:summary' && event.data.file === undefined) {
        summary = event
        continue
      }
      const closing =
        event.type === 'test:diagnostic' && event.data.nesting === 0
          ? closingLine.exec(event.data.message)
          : null
      if (closing === null) yield event
      else sums.set(closing[1]!, (sums.get(closing[1]!) ?? 0) + Number(closing[2]))
    }
  }
  for (const [what, sum] of sums) {
    const message = `${what} ${what === 'duration_ms' ? sum.toFixed(0) : sum}`
    yield { type: 'test:diagnostic', data: { nesting: 0, message, level: 'info' } }
  }
  if (summary !== undefined) yield summary
}

export function createTestReport({ strict, root, notes }: TestReportOptions): TestReport {
  const skipped: { name: string; reason: string }[] = []
  const tests: { name: string; durationMs: number }[] = []
  const files: { path: string; durationMs: number }[] = []
  const startedMs = performance.now()
  let count = 0
  let failures = 0

  const slowest = <T extends { durationMs: number }>(timed: readonly T[]): T[] =>
    timed
      .filter(({ durationMs }) => durationMs >= slowMs)
      .toSorted((a, b) => b.durationMs - a.durationMs)
      .slice(0, slowestShown)

  const seconds = (ms: number | undefined) =>
    ms === undefined ? '       ?  ' : `${(ms / 1000).toFixed(2).padStart(8)} s`

  function summarize(): string {
    const lines: string[] = []
    const { usage: processorMs, held } = notes()
    const slowFiles = slowest(files)
    if (slowFiles.length > 0) {
      const totalMs = [...processorMs.values()].reduce((sum, ms) => sum + ms, 0)
      const elapsedMs = performance.now() - startedMs
      lines.push(
        `processors worked ${seconds(totalMs).trim()} for ${files.length} files in ${seconds(elapsedMs).trim()}`,
        'slowest files (elapsed, processors):',
      )
      for (const { path, durationMs } of slowFiles) {
        lines.push(`${seconds(durationMs)} ${seconds(processorMs.get(path))}  ${path}`)
      }
    }
    const slowTests = slowest(tests)
    if (slowTests.length > 0) {
      lines.push('slowest tests:')
      for (const { name, durationMs } of slowTests) lines.push(`${seconds(durationMs)}  ${name}`)
    }
    if (skipped.length > 0) {
      lines.push(strict ? 'skipped, which SEAWORTHY_TEST_STRICT=1 forbids:' : 'skipped:')
      for (const { name, reason } of skipped) lines.push(`  ${name}: ${reason}`)
    }
    if (held.size > 0) lines.push('not ended 10 s after their last test, held by:')
    for (const [path, holders] of held) {
      lines.push(`  ${path}`)
      for (const holder of holders) lines.push(`    ${holder}`)
    }
    if (count === 0) lines.push('no test ran: that is no success')
    return lines.length > 0 ? `\n${lines.join('\n')}\n\n` : ''
  }

  return {
    async *observe(events: AsyncIterable<TestEvent>) {
      let summarized = false
      for await (const event of events) {
        if (event.type === 'test:pass' || event.type === 'test:fail') {
          const { name, skip, todo, details, file } = event.data
          if (details.type !== 'suite') {
            count++
            tests.push({ name, durationMs: details.duration_ms })
          }
          if (event.type === 'test:fail' && todo === undefined) failures++
          if (skip !== undefined) {
            skipped.push({
              name,
              reason: typeof skip === 'string' ? skip : (file ?? 'no reason given'),
            })
          }
        }
        // A file is a test too, which says when it has ended.
        if (event.type === 'test:complete' && event.data.name === event.data.file) {
          const { name, details } = event.data
          files.push({ path: name.replace(root, ''), durationMs: details.duration_ms })
        }
        if (
          !summarized &&
          event.type === 'test:diagnostic' &&
          event.data.nesting === 0 &&
          /^tests \d+$/.test(event.data.message)
        ) {
          summarized = true
          const message = summarize()
          if (message !== '') yield { type: 'test:stdout', data: { file: '', message } }
        }
        yield event
      }
    },
    failed: () =>
      failures > 0 || count === 0 || notes().held.size > 0 || (strict && skipped.length > 0),
  }
}
