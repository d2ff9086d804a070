import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { Summary } from './run.ts'

const casesMin = 100_000
const parts = 2
const mebibyte = 1024 * 1024

function runPart(seed: number, part: number): Promise<{ summary: Summary; errors: string }> {
  const main = fileURLToPath(import.meta.resolve('./main.ts'))
  const options = ['--seed', String(seed), '--cases', '104000', '--part', `${part}/${parts}`]
  const child = spawn(process.execPath, ['--expose-gc', main, ...options])
  let output = ''
  let errors = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text))
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) => {
      // 1: it found something, and says what. Anything else: it could not say.
      if (code !== 0 && code !== 1) return reject(new Error(`ended with ${code}\n${errors}`))
      resolve({ summary: JSON.parse(output) as Summary, errors })
    })
  })
}

test('T7 100,000 malformed inputs over every parser: a coded refusal each, no crash, no hang, no growth', async (t) => {
  const seed = Number(process.env['SEAWORTHY_FUZZ_SEED'] ?? 20_260_911)
  const startMs = performance.now()
  const results = await Promise.all(Array.from({ length: parts }, (_, part) => runPart(seed, part)))
  const seconds = (performance.now() - startMs) / 1000

  const cases = results.reduce((sum, { summary }) => sum + summary.cases, 0)
  const totals = { accepted: 0, refused: 0 }
  const answers = new Map<string, { accepted: number; refused: number }>()
  for (const { summary } of results) {
    for (const kind of ['accepted', 'refused'] as const) {
      for (const [target, count] of Object.entries(summary[kind])) {
        const answer = answers.get(target) ?? { accepted: 0, refused: 0 }
        answer[kind] += count
        totals[kind] += count
        answers.set(target, answer)
      }
    }
  }
  const slowestMs = Math.max(...results.map(({ summary }) => summary.slowestMs))
  t.diagnostic(
    `seed ${seed}: ${cases} cases over ${answers.size} parsers in ${seconds.toFixed(1)} s, ` +
      `${totals.accepted} accepted, ${totals.refused} refused, slowest ${Math.round(slowestMs)} ms`,
  )
  const faults = results.map(({ errors }) => errors).join('')
  if (faults !== '') assert.fail(faults)
  assert.ok(cases >= casesMin, `${cases} cases`)
  assert.equal(totals.accepted + totals.refused, cases)
  const oneSided = [...answers].filter(([name, answer]) => {
    const mayBe = /^(?:reply|log\/tile-path$|keys\/signature$|oci\/bundle-swapped$)/
    return !mayBe.test(name) && (answer.accepted === 0 || answer.refused === 0)
  })
  assert.deepEqual(oneSided, [], 'each parser takes the good and refuses the bad')

  for (const { summary } of results) {
    // The first rounds fill caches and compile code; nothing may be left behind after them.
    const early = summary.memory[3]!
    const late = summary.memory.at(-1)!
    const heapGrowth = (late.heapBytes - early.heapBytes) / mebibyte
    const residentGrowth = (late.residentBytes - early.residentBytes) / mebibyte
    t.diagnostic(
      `memory after ${summary.cases} cases: heap ${heapGrowth.toFixed(1)} MiB, resident ${residentGrowth.toFixed(1)} MiB more than after 40 % of them`,
    )
    assert.ok(heapGrowth < 4, `the heap grew by ${heapGrowth} MiB`)
    assert.ok(residentGrowth < 64, `resident memory grew by ${residentGrowth} MiB`)
  }
})
