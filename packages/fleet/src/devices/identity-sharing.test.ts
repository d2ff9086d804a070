import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { IdentityTrace, ReportPosition } from './index.ts'
import { mayMatter, noTrace, traceIdentity } from './index.ts'

const hourMs = 3_600_000

/** What a server makes of reports in the order in which it handles them, one an hour. */
function traceOf(reports: readonly ReportPosition[]): IdentityTrace {
  let trace = noTrace
  for (const [i, after] of reports.entries()) {
    const before = reports[i - 1]
    if (before === undefined) continue
    const next = traceIdentity(trace, before, after, i * hourMs)
    if (!mayMatter(before, after)) assert.deepEqual(next.wentBackAtMs, trace.wentBackAtMs)
    trace = next
  }
  return trace
}

/** One machine: it reports, repeats itself, restarts (the machine or the agent), and counts on. */
const life = fc
  .array(fc.constantFrom('report', 'repeat', 'boot', 'jump'), { maxLength: 200 })
  .map((steps) => {
    let bootId = 'boot-0'
    let sequence = 0
    let boots = 0
    return steps.map((step): ReportPosition => {
      if (step === 'report') sequence += 1
      if (step === 'jump') sequence += 1000
      if (step === 'boot') bootId = `boot-${++boots}`
      return { bootId, sequence }
    })
  })

test('D8 one machine never counts as two, however often it restarts, repeats itself and counts on (property)', () => {
  fc.assert(
    fc.property(life, (reports) => {
      const trace = traceOf(reports)
      assert.equal(trace.sharedSinceMs, null)
      assert.equal(trace.wentBackAtMs.length, 0)
    }),
  )
})

test('D8 nor does one machine whose state is restored, or of whose requests one comes late, twice in all (property)', () => {
  const places = fc.array(fc.nat({ max: 198 }), { maxLength: 2 })
  fc.assert(
    fc.property(life, places, fc.boolean(), (reports, at, isRestored) => {
      const handled = [...reports]
      for (const place of at) {
        const [one, other] = [handled[place], handled[place + 1]]
        if (one === undefined || other === undefined) continue
        // A power cut that took the state with it: an older number, in a boot that nobody has seen.
        if (isRestored) handled[place + 1] = { bootId: `restored-${place}`, sequence: 0 }
        else [handled[place], handled[place + 1]] = [other, one]
      }
      assert.equal(traceOf(handled).sharedSinceMs, null)
    }),
  )
})

test('D8 attack: two machines that take turns under one identity are noticed within six turns, on one boot or two (property)', () => {
  const machine = (bootId: string) =>
    fc.record({ bootId: fc.constant(bootId), sequence: fc.nat({ max: 5000 }) })
  const pair = fc.oneof(
    fc.tuple(machine('boot-a'), machine('boot-b')),
    fc
      .tuple(machine('boot-a'), machine('boot-a'))
      .filter(([one, other]) => Math.abs(one.sequence - other.sequence) > 10),
  )
  fc.assert(
    fc.property(pair, fc.nat({ max: 1 }), ([one, other], growth) => {
      const turns = Array.from({ length: 6 }, (_, turn) => [
        { ...one, sequence: one.sequence + turn * growth },
        { ...other, sequence: other.sequence + turn * growth },
      ]).flat()
      assert.notEqual(traceOf(turns).sharedSinceMs, null)
    }),
  )
})

test('D8 what went back long ago is forgotten, and what counts as shared stays so until a person decides', () => {
  const at = (bootId: string, sequence: number): ReportPosition => ({ bootId, sequence })
  const dayMs = 24 * hourMs
  let trace = noTrace
  for (let i = 0; i < 12; i++) trace = traceIdentity(trace, at('a', 5), at('a', 4), i * 20 * dayMs)
  assert.equal(trace.sharedSinceMs, null)
  for (let i = 0; i < 5; i++) trace = traceIdentity(trace, at('a', 5), at('a', 4), 300 * dayMs + i)
  assert.equal(trace.sharedSinceMs, 300 * dayMs + 4)
  assert.equal(
    traceIdentity(trace, at('a', 5), at('a', 6), 400 * dayMs).sharedSinceMs,
    300 * dayMs + 4,
  )
})
