import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { after, test } from 'node:test'
import { systemSleep } from '@seaworthy/std/time'
import { ProcessError } from '../ports.ts'
import { createProcesses } from './processes.ts'

const folder = mkdtempSync(`${tmpdir()}/seaworthy-processes-`)
after(() => rmSync(folder, { recursive: true }))
const processes = createProcesses({
  stateDir: folder,
  probeCommand: ['/bin/true'],
  sleep: systemSleep,
})
/** More than Linux takes as one argument: it says so by an exception, not by an event. */
const tooLong = 'x'.repeat(200_000)
const spec = {
  product: 'gauge',
  sha256: 'a'.repeat(64),
  folder,
  dataFolder: `${folder}/data`,
  command: ['/bin/true', tooLong],
  environment: {},
}

test('V1 T7 a command that is longer than the system takes is an application that cannot be started', async () => {
  await assert.rejects(processes.start(spec), ProcessError)
})

test('V1 T7 a health check that is longer than the system takes fails, and ends nothing else', async () => {
  for (const check of [
    { kind: 'exec', command: ['/bin/true', tooLong] },
    { kind: 'http', url: `http://127.0.0.1:9/${tooLong}` },
  ] as const) {
    const probe = processes.openProbe(check, spec)
    assert.equal(await probe.isHealthy(), false)
    probe.close()
  }
})
