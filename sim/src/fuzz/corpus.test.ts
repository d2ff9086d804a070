import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { seededRandom } from '@seaworthy/std/random'
import { Refusal } from '@seaworthy/std/refusal'
import { systemClock } from '@seaworthy/std/time'
import { parseCorpus, readCorpus } from './corpus.ts'
import { mutateBytes, mutateJson } from './mutate.ts'
import { runFuzz } from './run.ts'
import type { FuzzTarget } from './target.ts'
import { runCase } from './target.ts'
import { createTargets } from './targets/index.ts'

test('T7 every case of the corpus is answered as it was when it was written down', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'seaworthy-corpus-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const targets = new Map((await createTargets(folder)).map((target) => [target.name, target]))
  const cases = readCorpus()
  for (const { place, target: name, expected, bytes } of cases) {
    const target = targets.get(name)
    assert.ok(target, `${place}: no target is called ${name}`)
    const outcome = await runCase(target, bytes)
    if (outcome.kind === 'fault') throw new Error(place, { cause: outcome.error })
    const answer = outcome.kind === 'refused' ? outcome.code : outcome.kind
    if (expected !== '-') assert.equal(answer, expected, place)
  }
  t.diagnostic(`${cases.length} cases`)
})

test('a corpus line of another form is an error, not a case left out', () => {
  assert.throws(() => parseCorpus('a', 'tuf/json refused'), /a:1/)
  const [only] = parseCorpus('a', '# comment\n\nx - repeat 3 "ab"')
  assert.equal(Buffer.from(only!.bytes).toString(), 'ababab')
})

/** A parser with the faults that fuzzing is there to find. */
const careless: FuzzTarget = {
  name: 'test/careless',
  form: 'json',
  seeds: [Buffer.from('{"a":[1,2],"b":"text"}')],
  weight: 1,
  run: (bytes) => {
    let value: { a: number[]; b: string }
    try {
      value = JSON.parse(Buffer.from(bytes).toString()) as typeof value
    } catch (cause) {
      throw new Refusal('malformed', 'no JSON', { cause })
    }
    return value.a.concat(value.b.length)
  },
}

test('a parser that takes what it should not is caught, and the case can be repeated', async () => {
  const found: { caseNumber: number; bytes: Uint8Array; what: string }[] = []
  const run = () =>
    runFuzz([careless], {
      seed: 3,
      total: 500,
      part: 0,
      parts: 1,
      clock: systemClock,
      enter: () => {},
      report: (fault) => found.push(fault),
      measure: () => ({ heapBytes: 0, residentBytes: 0 }),
    })
  const first = await run()
  assert.ok(first.faultCount > 10, 'TypeErrors are faults')
  assert.match(found[0]!.what, /TypeError/)
  await run()
  const [once, again] = [found[0]!, found[first.faultCount]!]
  assert.deepEqual([again.caseNumber, again.bytes], [once.caseNumber, once.bytes])
})

test('what is not coded, not declared or not an error is a fault', async () => {
  const throwing = (error: unknown): FuzzTarget => ({
    ...careless,
    refusals: [SyntaxError],
    run: () => {
      throw error
    },
  })
  const kindOf = async (error: unknown) => (await runCase(throwing(error), new Uint8Array())).kind
  assert.equal(await kindOf(new Refusal('some_code', '')), 'refused')
  assert.equal(await kindOf(new SyntaxError('')), 'refused')
  assert.equal(await kindOf(new Refusal('Not a code', '')), 'fault')
  assert.equal(await kindOf(new RangeError('')), 'fault')
  assert.equal(await kindOf(new Error('')), 'fault')
  assert.equal(await kindOf('text'), 'fault')
})

test('the same numbers give the same faults in the same seed', () => {
  const good = Buffer.from('{"a":[1,{"b":"text"}],"c":12}')
  for (let seed = 0; seed < 300; seed++) {
    const [a, b] = [seededRandom(seed), seededRandom(seed)]
    assert.deepEqual(mutateJson(a, good), mutateJson(b, good))
    assert.deepEqual(mutateBytes(a, good, good), mutateBytes(b, good, good))
  }
})
