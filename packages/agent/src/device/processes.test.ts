import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { after, test } from 'node:test'
import { waitUntil } from '@seaworthy/std/testing'
import { systemSleep } from '@seaworthy/std/time'
import { ProcessError } from '../ports.ts'
import { createProcesses } from './processes.ts'

const folder = mkdtempSync(`${tmpdir()}/seaworthy-processes-`)
after(() => rmSync(folder, { recursive: true }))
let sleepersCount = 0
const processes = createProcesses({
  stateDir: folder,
  probeCommand: ['/bin/true'],
  async sleep(ms, signal) {
    sleepersCount += 1
    await systemSleep(ms, signal).finally(() => (sleepersCount -= 1))
  },
})
/** More than Linux takes as one argument: it says so by an exception, not by an event. */
const tooLong = 'x'.repeat(200_000)
const spec = {
  product: 'gauge',
  sha256: 'a'.repeat(64),
  folder,
  dataFolder: `${folder}/data`,
  configFolder: `${folder}/config`,
  command: ['/bin/true', tooLong],
  environment: {},
}

test('V1 T7 a command that is longer than the system takes is an application that cannot be started', async () => {
  await assert.rejects(processes.start(spec), ProcessError)
})

test('V1 T7 how an application ended is told, and where its output lies, also when nobody waited', async () => {
  const run = (...command: string[]) => processes.start({ ...spec, command })
  const { signal } = new AbortController()
  const output = `${folder}/data.log`
  const failed = await run('/bin/sh', '-c', 'echo lost its valve >&2; exit 3')
  assert.deepEqual(await processes.ended(failed, signal), { how: 'exit code 3', output })
  assert.equal(readFileSync(output, 'utf8'), 'lost its valve\n')
  const killed = await run('/bin/sh', '-c', 'kill -SEGV $$')
  await waitUntil('it has ended', async () => !(await processes.isAlive(killed)))
  assert.deepEqual(await processes.ended(killed, signal), { how: 'signal SIGSEGV', output })
})

test('V1 T7 nothing waits for the next look at the log of an application that has ended', async () => {
  const app = await processes.start({ ...spec, command: ['/bin/sleep', '600'] })
  await waitUntil('its log is watched', async () => sleepersCount === 1)
  await processes.signal(app, 'SIGKILL')
  await waitUntil('nobody waits', async () => sleepersCount === 0)
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
