/**
 * O5: the files in `deploy/` and `docs/OPERATIONS.md` for those who watch a server speak only of
 * metrics that a real server shows, and a real Prometheus understands all of them.
 */
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { createToken } from '@seaworthy/api/tokens'
import { waitUntil } from '@seaworthy/std/testing'
import { claimPort } from '@seaworthy/std/testing/ports'
import { skipWithout } from '@seaworthy/std/testing/programs'
import { systemSleep } from '@seaworthy/std/time'
import {
  addDevice,
  createTestClient,
  makeProvisioningKey,
  report,
  setUpTrust,
  startTestServer,
} from '../../testing/index.ts'
import type { TestClient, TestServer } from '../../testing/index.ts'
import { scrape } from '../../testing/scrape.ts'
import type { Scraped } from '../../testing/scrape.ts'

const root = fileURLToPath(new URL('../../../../../', import.meta.url))
const rulesFile = join(root, 'deploy/prometheus/alerts.yml')
const ruleTestsFile = join(root, 'deploy/prometheus/alerts.test.yml')
const scrapeConfigFile = join(root, 'deploy/prometheus/prometheus.yml')
const dashboardFile = join(root, 'deploy/grafana/seaworthy.json')
const referenceFile = join(root, 'docs/OPERATIONS.md')

interface World {
  readonly server: TestServer
  readonly client: TestClient
  readonly monitor: string
  readonly scraped: Scraped
}
let world: World
const started: (() => Promise<void> | void)[] = []

before(async () => {
  // Nobody listens there: traces are lost, and that is shown.
  const server = await startTestServer({ args: ['--otlp-endpoint', 'http://127.0.0.1:9'] })
  started.push(() => server.stop())
  const client = createTestClient(server)
  started.push(client.close)
  await setUpTrust(client)
  const device = await addDevice(client, server.url, await makeProvisioningKey(client, 1))
  await report(client, device)
  await client.send('GET', '/nothing')
  await startRolloutOf(server)
  const body = { name: 'prometheus', role: 'monitor' as const, lifetimeSeconds: 3600 }
  const { token: monitor } = await client.api.call(createToken, { body })
  let scraped = await scrape(client, monitor)
  await waitUntil('all is counted once', async () => {
    scraped = await scrape(client, monitor)
    return isWarm(scraped)
  })
  world = { server, client, monitor, scraped }
})

after(async () => {
  for (const stop of started.toReversed()) await stop()
})

const isWarm = ({ sum, samples }: Scraped) =>
  samples.has('seaworthy_devices') && sum('seaworthy_log_entries') > 0

/** Inserts as much of a rollout as its metrics need; nobody signed its release. */
async function startRolloutOf(server: TestServer): Promise<void> {
  const db = server.openDatabase()
  try {
    await db.write(async ({ sql }) => {
      await sql`
        insert into rollouts (id, fleet, product, channel, version, sha256, counter, policy, state,
          revision, created_at, created_by, start_at, clock_at, waves_open_count, period_index,
          period_offered_count, is_settled)
        select 'rollout_of_a_test', name, product, channel, '2.0.0', '', 2, '{}', 'active',
          1, now(), 'token_of_a_test', now(), now(), 1, 0, 0, false from fleets limit 1`
      await sql`
        insert into rollout_waves (rollout, wave, offered_count, in_flight_count, healthy_count, failed_count)
        values ('rollout_of_a_test', 0, 10, 3, 5, 2), ('rollout_of_a_test', 1, 0, 0, 0, 0)`
    })
  } finally {
    await db.close()
  }
}

/** The names that an expression speaks of, histograms by their family. */
function namesIn(expression: string, families: Scraped['families']): string[] {
  const names = expression.match(/\bseaworthy_[a-z0-9_]+/g) ?? []
  return names.map((name) => {
    const family = name.replace(/_(?:bucket|sum|count)$/, '')
    return families.get(family)?.kind === 'histogram' ? family : name
  })
}

const unknownNames = (expressions: readonly string[], families: Scraped['families']) => [
  ...new Set(expressions.flatMap((one) => namesIn(one, families))).difference(
    new Set(families.keys()),
  ),
]

interface Panel {
  readonly title: string
  readonly type: string
  readonly targets?: readonly { readonly expr: string }[]
}

async function readDashboard(): Promise<{ panels: Panel[]; expressions: string[] }> {
  const { panels, templating } = JSON.parse(await readFile(dashboardFile, 'utf8')) as {
    panels: Panel[]
    templating: { list: { name: string; definition?: string }[] }
  }
  const definitions = templating.list.flatMap(({ definition }) => definition ?? [])
  const expressions = panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr))
  return { panels, expressions: [...definitions, ...expressions] }
}

test('O5 docs/OPERATIONS.md lists every metric with its kind and meaning, and no other', async () => {
  const documented = (await readFile(referenceFile, 'utf8'))
    .split('\n')
    .filter((line) => line.startsWith('| `seaworthy_'))
    .map((line) => line.split('|').map((cell) => cell.trim()))
  const { families } = world.scraped
  assert.deepEqual(
    documented.map(([, name, kind, , help]) => [name, kind, help]),
    [...families].map(([name, { kind, help }]) => [`\`${name}\``, kind, help]),
  )
  for (const [, name, , labels] of documented) {
    const seen = families.get(name!.replaceAll('`', ''))!.labels
    const listed: readonly string[] = labels!.match(/[a-z_]+/g) ?? []
    assert.deepEqual(
      seen.filter((label) => !listed.includes(label)),
      [],
      name!,
    )
  }
})

test('O5 the dashboard has its rows and speaks of metrics that the server shows', async () => {
  const { panels, expressions } = await readDashboard()
  const { families } = world.scraped
  assert.deepEqual(
    panels.filter(({ type }) => type === 'row').map(({ title }) => title),
    ['Overview', 'Check-ins', 'Rollouts', 'Trust lifetimes', 'Database and tasks', 'Processes'],
  )
  assert.deepEqual(unknownNames(expressions, families), [])
  const shown = new Set(expressions.flatMap((one) => namesIn(one, families)))
  assert.deepEqual([...new Set(families.keys()).difference(shown)], [], 'every metric is somewhere')
  // A wrong name is found.
  assert.deepEqual(unknownNames(['sum(rate(seaworthy_check_in_total[5m]))'], families), [
    'seaworthy_check_in_total',
  ])
  assert.deepEqual(unknownNames(['seaworthy_leader_count'], families), ['seaworthy_leader_count'])
})

test('O5 the alerts speak of metrics that the server shows, and docs/OPERATIONS.md of each alert', async () => {
  const rules = await readFile(rulesFile, 'utf8')
  const reference = await readFile(referenceFile, 'utf8')
  const alerts = [...rules.matchAll(/alert: (\w+)/g)].map((match) => match[1]!)
  assert.ok(alerts.length >= 10)
  assert.deepEqual(
    alerts.filter((alert) => !reference.includes(`\`${alert}\``)),
    [],
  )
  assert.deepEqual(unknownNames([rules], world.scraped.families), [])
})

function promtool(args: readonly string[], input = '') {
  const { status, stdout, stderr } = spawnSync('promtool', args, { input, encoding: 'utf8' })
  return { status, output: stdout + stderr }
}

test('O5 promtool finds nothing to complain about in what the server prints', (t) => {
  if (skipWithout(t, 'promtool')) return
  const good = promtool(['check', 'metrics'], world.scraped.text)
  assert.deepEqual(good, { status: 0, output: '' })
  const broken = world.scraped.text.replace('# TYPE seaworthy_leader gauge\n', '$&$&')
  assert.notEqual(promtool(['check', 'metrics'], broken).status, 0)
})

test('O5 promtool accepts the alerts, and they fire when they should and not before', async (t) => {
  if (skipWithout(t, 'promtool')) return
  const checked = promtool(['check', 'rules', rulesFile])
  assert.equal(checked.status, 0, checked.output)
  const tried = promtool(['test', 'rules', ruleTestsFile])
  assert.equal(tried.status, 0, tried.output)
  // The alerts' own tests notice an alert that has lost its condition.
  const folder = await mkdtemp(join(tmpdir(), 'seaworthy-alerts-'))
  try {
    const rules = await readFile(rulesFile, 'utf8')
    await cp(ruleTestsFile, join(folder, 'alerts.test.yml'))
    const changed = rules.replace(
      '(seaworthy_leader_elected) == 0',
      '(seaworthy_leader_elected) == 2',
    )
    assert.notEqual(changed, rules)
    await writeFile(join(folder, 'alerts.yml'), changed)
    assert.notEqual(promtool(['test', 'rules', join(folder, 'alerts.test.yml')]).status, 0)
  } finally {
    await rm(folder, { recursive: true })
  }
})

interface Prometheus {
  readonly get: (path: string) => Promise<unknown>
  readonly log: () => string
  readonly stop: () => Promise<void>
}

/**
 * Starts Prometheus with the configuration that people are given, except for the address, the two
 * files and shorter intervals.
 */
async function startPrometheus({ server, client, monitor }: World): Promise<Prometheus> {
  const folder = await mkdtemp(join(tmpdir(), 'seaworthy-prometheus-'))
  const [tokenFile, caFile] = [join(folder, 'token'), join(folder, 'ca.crt')]
  await writeFile(tokenFile, `${monitor}\n`, { mode: 0o600 })
  await writeFile(caFile, (await client.send('GET', '/ca.crt')).bytes)
  await cp(rulesFile, join(folder, 'alerts.yml'))
  const config = (await readFile(scrapeConfigFile, 'utf8'))
    .replaceAll('seaworthy.example:8443', new URL(server.url).host)
    .replaceAll('/etc/prometheus/seaworthy-token', tokenFile)
    .replaceAll('/etc/prometheus/seaworthy-ca.crt', caFile)
    .replace('scrape_interval: 15s', 'scrape_interval: 1s')
  const configFile = join(folder, 'prometheus.yml')
  await writeFile(configFile, `global: { evaluation_interval: 1s }\n${config}`)
  const port = await claimPort()
  const child = spawn(
    'prometheus',
    [
      `--config.file=${configFile}`,
      `--storage.tsdb.path=${join(folder, 'tsdb')}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  )
  let log = ''
  child.stderr.on('data', (part: Buffer) => (log += part.toString()))
  return {
    log: () => log,
    async get(path) {
      const response = await fetch(`http://127.0.0.1:${port}${path}`).catch((cause: unknown) => {
        throw new Error(`Prometheus does not answer: ${log}`, { cause })
      })
      return ((await response.json()) as { data?: unknown }).data
    },
    async stop() {
      const ended = once(child, 'exit')
      child.kill('SIGTERM')
      await ended
      await rm(folder, { recursive: true })
    },
  }
}

/** Metrics for which a healthy young server has nothing to show. */
const silent = /seaworthy_limited_total|seaworthy_updates_ended_total|seaworthy_problem/

test('O5 a real Prometheus scrapes with the documented configuration; every panel has data, every rule is well', async (t) => {
  if (skipWithout(t, 'prometheus')) return
  const prometheus = await startPrometheus(world)
  try {
    const query = async (expression: string) => {
      const filled = expression
        .replaceAll('$job', 'seaworthy')
        .replaceAll('$instance', '.*')
        .replaceAll('$__rate_interval', '1m')
      const answer = await prometheus.get(`/api/v1/query?query=${encodeURIComponent(filled)}`)
      assert.ok(answer !== undefined, `Prometheus does not understand ${expression}`)
      return (answer as { result: { metric: Record<string, string>; value: [number, string] }[] })
        .result
    }
    for (let waitedMs = 0; ; waitedMs += 250) {
      // A busy machine may miss a scrape now and then.
      const counted = await query('sum_over_time(up{job="seaworthy"}[1m])').catch(() => [])
      if (Number(counted[0]?.value[1] ?? 0) >= 4) break
      if (waitedMs >= 120_000) {
        const { activeTargets } = (await prometheus.get('/api/v1/targets')) as {
          activeTargets: { lastError: string }[]
        }
        assert.fail(
          `Prometheus does not scrape: ${activeTargets[0]?.lastError ?? prometheus.log()}`,
        )
      }
      await systemSleep(250)
    }
    const { panels } = await readDashboard()
    for (const { title, targets = [] } of panels) {
      for (const { expr } of targets) {
        const result = await query(expr)
        if (!silent.test(expr)) assert.ok(result.length > 0, `${title}: ${expr} has no data`)
      }
    }
    await assert.rejects(query('sum by ('), /does not understand/)
    const { groups } = (await prometheus.get('/api/v1/rules')) as {
      groups: { rules: { name: string; health: string; lastError?: string }[] }[]
    }
    const rules = groups.flatMap((group) => group.rules)
    assert.ok(rules.length >= 10)
    assert.deepEqual(
      rules.filter(({ health }) => health !== 'ok'),
      [],
    )
    // The server itself has ended the rollout of a release that nobody signed; no other alert
    // fires.
    let firing: string[] = []
    await waitUntil('something alarms', async () => {
      const { alerts } = (await prometheus.get('/api/v1/alerts')) as {
        alerts: { labels: Record<string, string>; state: string }[]
      }
      firing = alerts
        .filter(({ state }) => state === 'firing')
        .map(({ labels }) => `${labels['alertname']} ${labels['stop']}`)
      return firing.length > 0
    })
    assert.deepEqual(firing, ['SeaworthyRolloutStopped release_withdrawn'])
  } finally {
    await prometheus.stop()
  }
})
