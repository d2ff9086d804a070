/**
 * Every scenario again with other seeds: what it expects must not depend on chance. Power cuts are
 * run with many more torn disks each.
 */
import { test } from 'node:test'
import { listScenarios } from './scenario-files.ts'
import { runScript } from './script/run-script.ts'

const seedCount = 10
const powerCutSeedCount = 3
const tornPerWrite = 10

for (const scenario of listScenarios()) {
  const { name, title, isPowerCut } = scenario
  test(`${title} (npm run sim -- ${name}), other seeds`, async (t) => {
    const text = isPowerCut
      ? scenario.text.replaceAll(/ torn=\d+/g, ` torn=${tornPerWrite}`)
      : scenario.text
    const count = isPowerCut ? powerCutSeedCount : seedCount
    for (let seed = 1000; seed < 1000 + count; seed++) {
      await runScript(text, { seed, onCount: (line) => t.diagnostic(`seed ${seed}: ${line}`) })
    }
  })
}
