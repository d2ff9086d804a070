/**
 * What a team does on an ordinary day, as commands with what they answer: everyday.golden.txt. What
 * differs from one run to the next, such as ids and times, has the name of its kind there.
 */
import assert from 'node:assert/strict'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { expectGolden } from '../../../tools/golden.ts'
import { createCliUser } from './testing/cli-user.ts'
import { registerDevices } from './testing/devices.ts'
import { startServer } from './testing/server.ts'

/** Makes outputs of several runs alike; the same id has the same number wherever it stands. */
function createNames() {
  const numbers = new Map<string, string>()
  const counts = new Map<string, number>()
  const numbered = (id: string, kind: string) => {
    const known = numbers.get(id)
    if (known !== undefined) return known
    const count = (counts.get(kind) ?? 0) + 1
    counts.set(kind, count)
    numbers.set(id, `${kind.toUpperCase()}-${count}`)
    return numbers.get(id)!
  }
  return (text: string) =>
    text
      // Progress is shown where something takes long.
      .replaceAll(/^\w+ +\[[#-]+\].*\n/gm, '')
      .replaceAll(/\b([a-z]+)_[0-9a-hjkmnp-tv-z]{26}\b/g, numbered)
      .replaceAll(/https:\/\/127\.0\.0\.1:\d+/g, 'URL')
      .replaceAll(/127\.0\.0\.1[:-]\d+/g, 'ADDRESS')
      .replaceAll(/\bsw_\w+/g, 'CREDENTIAL')
      .replaceAll(/\b\d{7,}\b/g, 'NUMBER')
      .replaceAll(/\b\d+ entries\b/g, 'N entries')
      .replaceAll(/^size: +\d+$/gm, 'size: N')
      .replaceAll(/^vulnerabilities: .*$/gm, 'vulnerabilities: VERDICT')
      .replaceAll(/^blind time: \w+ \w+/gm, 'blind time: LONG')
      .replaceAll(/sha256:[\w-]{43}\b/g, 'PIN')
      .replaceAll(/\b\d{4}-\d\d-\d\dT[\d:]+Z/g, 'TIME')
      .replaceAll(/\b\d+[smhd](?: \d+[smhd])? ago\b/g, 'AGO')
      .replaceAll(/\bin \d+[smhd](?: \d+[smhd])?\b/g, 'IN')
      .replaceAll(/\b[0-9a-f]{12,64}\b/g, 'HEX')
      .replaceAll(/[A-Za-z0-9+/]{43}=/g, 'BASE64')
      .replaceAll(/^( +)\d+( +)TIME/gm, '$1N$2TIME')
      // How many devices a wave has is counted a little later.
      .replaceAll(/\b(waiting|open|passed) +(?:-|\d+) /g, '$1  N ')
      .replaceAll(/ {2,}/g, '  ')
      .replaceAll(/ +$/gm, '')
}

test('D1 D5 thirty everyday tasks are one command each, and answer what everyday.golden.txt says', async (t) => {
  const server = await startServer(t)
  const ann = await createCliUser(t, 'ann')
  const key = ann.file('key')
  const folder = ann.file('app')
  await mkdir(folder)
  await writeFile(join(folder, 'seaworthy.json'), '{"start":["./app"]}')
  await writeFile(join(folder, 'app'), '#!/bin/sh\n', { mode: 0o755 })
  const config = ann.file('agent.json')
  const named = createNames()
  const lines: string[] = []
  const masked = (text: string) =>
    named(text.replaceAll(ann.folder, 'HOME').replaceAll(server.token, 'CREDENTIAL'))
  /** A task is a line of text; words in braces stand for what has another value in each run. */
  const values: Record<string, string> = {
    key,
    folder,
    config,
    url: server.url,
    pin: server.pin,
    token: server.token,
    declared: ann.file('declared.json'),
  }
  const run = async (task: string, exitCode = 0) => {
    const args = task
      .split(' ')
      .map((word) => word.replace(/^\{([\w-]+)\}$/, (_, name) => values[name]!))
    const outcome = await ann.run(...args)
    assert.equal(outcome.exitCode, exitCode, `${task}\n${outcome.out}${outcome.err}`)
    lines.push(`$ seaworthy ${task}`, masked(outcome.out + outcome.err).trimEnd(), '')
  }

  await run('login {url} --pin {pin} --token {token}')
  await run('whoami')
  await run('key create {key}')
  await run('trust init --root-key {key} --threshold 1')
  await run('trust status')
  await run('product create web --kind bundle --sign-with {key}')
  await run('channel create web stable --key {key} --threshold 1 --sign-with {key}')
  await run('release create web 1.0 --platform linux/amd64 --from {folder}')
  await run('publish web 1.0 --channel stable --sign-with {key}')
  await run('release list web')
  await run('fleet create harbour --product web --channel stable --poll 1m')
  await run('fleet create quay --product web --channel stable --poll 1h')
  await run('fleet list')
  await run('provisioning-key create --fleet harbour --uses 2 --agent-config {config}')

  const { provisioningKey } = JSON.parse(await readFile(config, 'utf8')) as {
    provisioningKey: string
  }
  const joined = await registerDevices(server, { provisioningKey, count: 2, counterOf: () => 1 })
  t.after(joined.close)
  for (const [i, device] of joined.devices.entries()) {
    const name = `crane-${i + 1}`
    values[name] = device.id
    await device.ask()
    await device.commit()
    await run(`device set {${name}} --name ${name}`)
  }

  await run('device list --sort name')
  await run('device list --behind 1 --count')
  await run('device show crane-1')
  await run('device why crane-2')
  await run('device set crane-1 --add-tag lane=2')
  await run('device set crane-1 --add-tag shift=night --remove-tag lane')
  await run('device list --tag shift=night')
  await run('device move --fleet harbour --to quay --tag shift=night --dry-run')
  await run('device move --fleet harbour --to quay --tag shift=night')
  await run('device list --fleet quay --count')
  await run('fleet set harbour --follow rollouts')
  await run('rollout create --fleet harbour --release web@1.0 --dry-run')
  await run('rollout show harbour', 5)
  const far = '--start-at 2199-01-01T00:00:00Z'
  await run(`rollout create --fleet harbour --release web@1.0 --waves 50%,100% ${far}`)
  await run('rollout edit harbour --bake 5m --max-failures 1% --dry-run')
  await run('rollout edit harbour --bake 5m --max-failures 1% --approve-wave 2 --reason festival')
  await run('rollout show harbour')
  await run('rollout pause harbour')
  await run('rollout clone harbour --fleet quay --dry-run', 3)
  await run('rollout abort harbour --yes')
  await run('variable set LAMP green --fleet quay')
  await run('variable list --fleet quay')
  await run('token create night-shift --role viewer')
  await run('token list')
  await run('log list --action device --outcome done --limit 3')
  await run('log verify')
  await run('device show crane-3', 5)
  await run('fleet remove quay --dry-run')
  await run('fleet remove quay --yes', 3)
  await run('fleet create shed --product web --channel stable')
  await run('fleet remove shed --yes')
  await run('fleet create shed --product web --channel stable', 3)
  await run('device remove {crane-2}')
  await run('device list --count')

  await writeFile(
    values['declared']!,
    JSON.stringify({
      fleets: {
        harbour: { product: 'web', channel: 'stable', pollSeconds: 120 },
        dock: { product: 'web', channel: 'stable', follow: 'rollouts' },
      },
      devices: { 'crane-1': { fleet: 'dock', tags: { shift: 'day' } } },
    }),
  )
  await run('apply {declared} --dry-run', 1)
  await run('apply {declared}')
  await run('apply {declared} --dry-run')
  await run('apply {declared} --prune --dry-run', 1)
  await run('apply {declared} --prune --yes')
  await run('show --declarative --devices')
  await run('channel retire web stable --dry-run')
  await run('channel retire web stable --sign-with {key}', 3)
  await run('channel create web beta --key {key} --threshold 1 --sign-with {key}')
  await run('channel retire web beta --sign-with {key}')
  await run('channel create web beta --key {key} --threshold 1 --sign-with {key}', 3)
  expectGolden(new URL('everyday.golden.txt', import.meta.url), lines.join('\n'))
})
