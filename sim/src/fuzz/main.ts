/**
 * `node --expose-gc sim/src/fuzz/main.ts [--seed N] [--cases N] [--part K/N]`: fuzzes every parser
 * and prints a summary as JSON. `--only TARGET --case N` repeats one case and shows its bytes. Exit
 * code 1 when anything was not as it must be.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { systemClock } from '@seaworthy/std/time'
import { makeCase } from './cases.ts'
import type { Memory } from './run.ts'
import { runFuzz } from './run.ts'
import { runCase } from './target.ts'
import { createTargets } from './targets/index.ts'
import { startWatchdog } from './watchdog.ts'

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    cases: { type: 'string', default: '110000' },
    part: { type: 'string', default: '0/1' },
    only: { type: 'string' },
    case: { type: 'string' },
  },
})
const seed = Number(values.seed)
const repeat = `node sim/src/fuzz/main.ts --seed ${seed}`
const faultsShownMax = 20

function measure(): Memory {
  globalThis.gc?.()
  globalThis.gc?.()
  const { heapUsed, external, rss } = process.memoryUsage()
  return { heapBytes: heapUsed + external, residentBytes: rss }
}

const folder = mkdtempSync(join(tmpdir(), 'seaworthy-fuzz-'))
try {
  const all = await createTargets(folder)
  const targets = values.only === undefined ? all : all.filter(({ name }) => name === values.only)
  if (targets.length === 0) throw new Error(`no target is called ${values.only}`)
  if (values.case === undefined) {
    const [part, parts] = values.part.split('/').map(Number)
    const watchdog = startWatchdog(
      targets.map(({ name }) => name),
      repeat,
    )
    let shown = 0
    const summary = await runFuzz(targets, {
      seed,
      total: Number(values.cases),
      part: part!,
      parts: parts!,
      clock: systemClock,
      enter: watchdog.enter,
      measure,
      report: ({ target, caseNumber, what }) => {
        if (++shown > faultsShownMax) return
        process.stderr.write(
          `FAULT in ${target}\n${what}\nrepeat with\n  ${repeat} --only ${target} --case ${caseNumber}\n\n`,
        )
      },
    })
    await watchdog.stop()
    process.stdout.write(
      `${JSON.stringify({ seed, targets: targets.map((t) => t.name), ...summary })}\n`,
    )
    process.exitCode = summary.faultCount === 0 ? 0 : 1
  } else {
    const [target] = targets
    const bytes = await makeCase(target!, seed, Number(values.case))
    process.stdout.write(`${target!.name} hex ${Buffer.from(bytes).toString('hex')}\n`)
    process.stdout.write(`${JSON.stringify(Buffer.from(bytes).toString('utf8'))}\n`)
    const outcome = await runCase(target!, bytes)
    process.stdout.write(`${outcome.kind} ${outcome.kind === 'refused' ? outcome.code : ''}\n`)
    if (outcome.kind === 'fault') {
      console.error(outcome.error)
      process.exitCode = 1
    }
  }
} finally {
  rmSync(folder, { recursive: true })
}
