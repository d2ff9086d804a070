/** What the run says besides passes and failures: what was skipped, and what takes the time. */
import type { TestEvent } from 'node:test/reporters'

const slowestShown = 8
const slowMs = 250

export interface TestReport {
  /** Hands every event on, and puts the lists in front of the closing lines. */
  readonly observe: (events: AsyncIterable<TestEvent>) => AsyncGenerator<TestEvent>
  /** After the last event: whether the run must end with an error. */
  readonly failed: () => boolean
}

/** With `strict`, a skipped test is a failure. */
export function createTestReport({ strict }: { strict: boolean }): TestReport {
  const skipped: { name: string; reason: string }[] = []
  const timed: { name: string; durationMs: number }[] = []
  let count = 0
  let failures = 0

  function summarize(): string {
    const slowest = timed
      .filter((t) => t.durationMs >= slowMs)
      .toSorted((a, b) => b.durationMs - a.durationMs)
      .slice(0, slowestShown)
    const lines: string[] = []
    if (slowest.length > 0) {
      lines.push('slowest tests:')
      for (const { name, durationMs } of slowest) {
        lines.push(`  ${(durationMs / 1000).toFixed(2).padStart(7)} s  ${name}`)
      }
    }
    if (skipped.length > 0) {
      lines.push(strict ? 'skipped, which SEAWORTHY_TEST_STRICT=1 forbids:' : 'skipped:')
      for (const { name, reason } of skipped) lines.push(`  ${name}: ${reason}`)
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
            timed.push({ name, durationMs: details.duration_ms })
          }
          if (event.type === 'test:fail' && todo === undefined) failures++
          if (skip !== undefined) {
            skipped.push({
              name,
              reason: typeof skip === 'string' ? skip : (file ?? 'no reason given'),
            })
          }
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
    failed: () => failures > 0 || count === 0 || (strict && skipped.length > 0),
  }
}
