import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const main = fileURLToPath(new URL('../../main.ts', import.meta.url))
/** Nothing listens at this address, so a request is refused at once. */
const noRegistry = 'http://127.0.0.1:9/'

async function runDemo(): Promise<{ output: string; exitCode: number }> {
  const child = spawn(process.execPath, [main, 'demo'], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, NO_COLOR: '1', npm_config_registry: noRegistry },
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (output += text))
  }
  const [exitCode] = (await once(child, 'close')) as [number]
  return { output, exitCode }
}

test('T7 the whole demo without a registry: says so, installs, updates in waves, rolls back, brings secrets, refuses the thief and its forged clock, recovers', async () => {
  const { output, exitCode } = await runDemo()
  assert.equal(exitCode, 0, output)
  assert.match(output, /npm registry cannot be reached/)
  assert.match(output, /its bill of materials, which the signatures cover: \d+ packages? under/)
  const count = (text: string) => output.split(text).length - 1
  for (const version of ['1.0.0', '1.1.0', '1.1.0-mended']) {
    assert.equal(count(`${version} committed`), 3, version)
  }
  // One device goes first, in the update and in the release that fails: the others are spared.
  assert.match(
    output,
    /wave 1 \(count 1\): open\n[^]*wave 2 \(100%\): open\n[^]*the rollout is finished/,
  )
  assert.equal(count('1.1.0-moved rolled back (health_failed)'), 1)
  assert.equal(count('never got it; http'), 2)
  assert.match(output, /the rollout is paused: .*\(safe_mode\)/)
  assert.match(output, /why device-\d is not offered it: not yet: .*paused/)
  for (const code of ['counter_below_committed', 'signature_threshold', 'rollback']) {
    assert.equal(count(`refused: ${code}`), 3, code)
  }
  assert.match(output, /serve a timestamp from the future, signed with both stolen keys/)
  assert.equal(count('is not moved by it') + count('refused: lifetime_exceeded'), 3)
  assert.equal(count('nobody had to touch it; it trusts its own clock again'), 3)
  assert.equal(count('does not sign: file_list_mismatch'), 3)
  for (const number of [1, 2]) assert.equal(count(`its application has secret ${number}`), 3)
  assert.match(output, /neither of them is in any of \d{2,} files/)
  assert.match(output, /every device still runs 1\.1\.0/)
  const spoiled = /the mirror is hostile still: it spoiled (\d+) downloads/.exec(output)?.[1]
  assert.ok(Number(spoiled) >= 3, `${spoiled} downloads were spoiled`)
  assert.match(output, /Done in \d+ s\./)
})
