import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { after, test } from 'node:test'
import { waitUntil } from '@seaworthy/std/testing'
import { buildAgent } from '../build/main.ts'
import { createTestAgent, makeTestFolder, writeTestApp } from './testing/test-agent.ts'
import { startTestOrigin } from './testing/test-origin.ts'

const folder = makeTestFolder()
after(() => folder.remove())

test('V1 the packaged agent is one file that runs a release with nothing but Node beside it', async () => {
  const out = `${folder.path}/opt`
  const { file } = await buildAgent(`${folder.path}/build`)
  mkdirSync(out)
  copyFileSync(file, `${out}/seaworthy-agent.mjs`)
  const origin = await startTestOrigin(folder.path)
  const agent = await createTestAgent(`${folder.path}/device`, origin)
  await origin.release('1.0.0', writeTestApp(`${folder.path}/app`, '1.0.0'))
  const main = `${out}/seaworthy-agent.mjs`
  const options = ['--config', agent.configPath, '--state-dir', agent.stateDir]
  const run = spawn(process.execPath, [main, 'run', ...options], { stdio: 'ignore', cwd: '/' })
  try {
    await waitUntil(
      'it runs',
      async () => (await agent.readVersion())?.startsWith('1.0.0') === true,
    )
    await waitUntil('committed', async () => (await agent.status())['committedCounter'] === 1)
    const shown = spawnSync(process.execPath, [main, 'status', ...options], { encoding: 'utf8' })
    assert.equal(shown.status, 0)
    assert.match(shown.stdout, /release +1\.0\.0 \(counter 1/)
    const json = spawnSync(process.execPath, [main, 'status', '--json', ...options], {
      encoding: 'utf8',
    })
    assert.equal((JSON.parse(json.stdout) as { isRunning: boolean }).isRunning, true)
  } finally {
    run.kill('SIGTERM')
    await new Promise((resolve) => run.once('exit', resolve))
    const { installer, fetcher, app } = agent.processes()
    assert.deepEqual(
      [installer, fetcher, app],
      [[], [], []],
      'an orderly end leaves nothing running',
    )
    const shown = spawnSync(process.execPath, [main, 'status', ...options], { encoding: 'utf8' })
    assert.equal(shown.status, 6)
    assert.match(shown.stdout, /not running/)
    agent.cutPower()
    await origin.close()
  }
})

test('usage and configuration faults exit with 2 and name what is wrong', () => {
  const main = new URL('main.ts', import.meta.url).pathname
  const config = `${folder.path}/bad.json`
  writeFileSync(config, JSON.stringify({ product: 'gauge', channel: 'stable', root: 'short' }))
  const run = spawnSync(process.execPath, [main, 'run', '--config', config], { encoding: 'utf8' })
  assert.deepEqual([run.status, run.stderr.includes('root: expected')], [2, true])
  assert.equal(spawnSync(process.execPath, [main, 'fly']).status, 2)
  assert.equal(spawnSync(process.execPath, [main, '--help']).status, 0)
})
