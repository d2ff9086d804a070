import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { Command } from 'commander'
import { describePolicy, policyDefaults } from '@seaworthy/fleet/rollouts'
import { expectGolden } from '../../../../../tools/golden.ts'
import { describeFailure } from '../../failure.ts'
import { instantOption, releaseOption } from './create.ts'
import type { PolicyOptions } from './policy-options.ts'
import { addPolicyOptions, policyOf } from './policy-options.ts'

async function read(...args: string[]) {
  const command = addPolicyOptions(new Command()).exitOverride()
  command.configureOutput({ writeErr: () => {} })
  return await policyOf(command.parse(args, { from: 'user' }).opts<PolicyOptions>())
}

const full = [
  ['--waves', 'tag:canary=yes,count:50,10%,100%'],
  ['--approve-wave', '3,4'],
  ['--bake', '0,10m,1h,1d'],
  ['--success', '99.5%'],
  ['--success-of', 'members'],
  ['--max-failures', '2%'],
  ['--min-sample', '20'],
  ['--failure-budget', '0'],
  ['--safe-mode'],
  ['--on-failure', 'abort'],
  ['--max-in-flight', '100'],
  ['--max-per-period', '200/1h'],
  ['--rate', '10/min,x2,every:100,max:1000/min'],
  ['--window', 'mon-fri 22:00-04:00'],
  ['--window', 'sat,sun 00:00-24:00'],
  ['--time-zone', 'device'],
  ['--fallback-time-zone', 'Europe/Berlin'],
  ['--timeout', '24h'],
  ['--silent-after', '6h'],
  ['--attempts', '3'],
  ['--retry-after', '1h'],
  ['--emergency'],
].flat()

test('without options the policy is the default; each option changes what it names', async () => {
  assert.deepEqual(await read(), policyDefaults)
  const policy = await read(...full)
  assert.deepEqual(policy.waves[2], {
    members: { kind: 'percent', percent: 10 },
    needsApproval: true,
    gate: {
      bakeSeconds: 3600,
      successPercentMin: 99.5,
      successOf: 'members',
      failurePercentMax: 2,
      sampleMin: 20,
    },
  })
  const { waves, ...others } = policy
  assert.equal(waves.length, 4)
  assert.deepEqual(others, {
    inFlightMax: 100,
    perPeriod: { updatesMax: 200, seconds: 3600 },
    rate: {
      kind: 'exponential',
      perMinute: 10,
      factor: 2,
      everyHealthy: 100,
      perMinuteMax: 1000,
    },
    windows: {
      timeZone: 'device',
      fallbackTimeZone: 'Europe/Berlin',
      spans: [
        { days: ['mon', 'tue', 'wed', 'thu', 'fri'], from: '22:00', to: '04:00' },
        { days: ['sat', 'sun'], from: '00:00', to: '00:00' },
      ],
    },
    timeoutSeconds: 86_400,
    silentAfterSeconds: 21_600,
    safeMode: true,
    failuresMax: 0,
    onFailure: 'abort',
    attempts: { max: 3, waitSeconds: 3600 },
    isEmergency: true,
  })
  assert.deepEqual((await read('--rate', '2/s')).rate, { kind: 'constant', perMinute: 120 })
  assert.deepEqual((await read('--rate', '30/h')).rate, { kind: 'constant', perMinute: 0.5 })
})

test('a policy file is the whole policy, and options go before it', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'seaworthy-policy-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const file = join(folder, 'policy.json')
  await writeFile(file, JSON.stringify(await read(...full)))
  assert.deepEqual(await read('--policy', file), await read(...full))
  const changed = await read('--policy', file, '--rate', 'none', '--waves', '100%')
  assert.equal(changed.rate, null)
  assert.deepEqual(
    changed.waves.map(({ members, gate }) => [members, gate.bakeSeconds]),
    [[{ kind: 'percent', percent: 100 }, 0]],
  )
  await writeFile(file, '{"waves":[]}')
  await assert.rejects(read('--policy', file), /policy\.json: waves: /)
  await writeFile(file, 'waves:')
  await assert.rejects(read('--policy', file), /is not JSON/)
})

test('what cannot be meant is a usage error that says so', async () => {
  const wrong: readonly [RegExp, ...string[]][] = [
    [/not a wave/, '--waves', '10'],
    [/not a wave/, '--waves', '10%,,100%'],
    [/not a wave/, '--waves', 'tag:Canary=yes'],
    [/^wave 2: percentages are cumulative: 5 % must/, '--waves', '10%,5%'],
    [/no device is left/, '--waves', '100%,count:5'],
    [/2 durations for 4 waves/, '--bake', '1h,2h'],
    [/there are 4 waves/, '--approve-wave', '5'],
    [/percentage/, '--success', '101%'],
    [/Not a percentage from 0% to 100%, such as 2%/, '--success', '99'],
    [/Write 2% for a share; devices are --failure-budget 2\./, '--max-failures', '2'],
    [/200\/1h/, '--max-per-period', '200'],
    [/30\/min/, '--rate', '30'],
    [/10\/min,x2,every:100,max:1000\/min/, '--rate', '10/min,x2'],
    [/rate\.perMinuteMax/, '--rate', '10/min,x2,every:100,max:5/min'],
    [/not a known time zone/, '--window', '08:00-09:00', '--time-zone', 'Mars/Base'],
    [/time zone without a window/, '--time-zone', 'UTC'],
    [/without a second attempt/, '--retry-after', '1h'],
    [/timeoutSeconds/, '--timeout', '5s'],
    [/silentAfterSeconds/, '--silent-after', '5s'],
    [/One of pause, abort/, '--on-failure', 'cry'],
  ]
  for (const [expected, ...args] of wrong) {
    const error: unknown = await read(...args).catch((why: unknown) => why)
    assert.ok(error instanceof Error, args.join(' '))
    assert.match(error.message, expected)
    // An error that commander throws ends in the same code.
    if (!('code' in error) || error.code === 'rollout_policy_invalid')
      assert.equal(describeFailure(error).exitCode, 2)
  }
  assert.throws(() => releaseOption('web'), /PRODUCT@VERSION/)
  assert.throws(() => instantOption('2026-05-04 10:00'), /zone/)
  assert.equal(instantOption('2026-05-04T10:00:00+02:00'), '2026-05-04T08:00:00Z')
})

test('policies in words', async () => {
  const hourly = { devicesCount: 212, pollSeconds: 3600 }
  const policies = [
    ['the default, for 212 devices', ...describePolicy(await read(), hourly)],
    [
      'silence shorter than the fleet can know of',
      ...describePolicy(await read('--silent-after', '1h'), hourly),
    ],
    ['everything', ...describePolicy(await read(...full))],
    [
      'different gates, and not everybody',
      ...describePolicy(
        await read('--waves', '1%,10%,50%', '--bake', '0,1h,1h', '--max-failures', 'none'),
      ),
    ],
    ['a way back', ...describePolicy(await read('--waves', '100%', '--bake', '0'))],
  ]
  const text = policies.map((lines) => `${lines.join('\n')}\n`).join('\n')
  expectGolden(new URL('policy-words.golden.txt', import.meta.url), text)
})
