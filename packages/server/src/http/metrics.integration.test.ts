/**
 * O5: what `/metrics` shows of a real server with several processes, and to whom, whatever happens
 * to the processes.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { BuiltInRole } from '@seaworthy/fleet/access'
import { createRollout } from '@seaworthy/api/rollouts'
import { createToken, revokeToken } from '@seaworthy/api/tokens'
import { waitUntil } from '@seaworthy/std/testing'
import {
  addDevice,
  askApart,
  createTestClient,
  makeFleet,
  makeProvisioningKey,
  policyOf,
  publishAll,
  report,
  setUpTrust,
  shortAnswerMs,
  startTestServer,
  waitForRollout,
} from '../testing/index.ts'
import type { TestClient, TestServer } from '../testing/index.ts'
import { scrape } from '../testing/scrape.ts'

async function inWorld(
  workers: number,
  work: (server: TestServer, client: TestClient) => Promise<void>,
): Promise<void> {
  const server = await startTestServer({ workers })
  const client = createTestClient(server)
  try {
    await work(server, client)
  } finally {
    client.close()
    await server.stop()
  }
}

async function makeToken(
  client: TestClient,
  role: BuiltInRole,
  products?: string[],
): Promise<string> {
  const body = {
    name: `as-${role}`,
    role,
    lifetimeSeconds: 3600,
    ...(products === undefined ? {} : { products }),
  }
  return (await client.api.call(createToken, { body })).token
}

/** Uses a connection of its own for each request, so that every worker gets some. */
async function sendApart(server: TestServer, path: string, count: number): Promise<void> {
  for (let i = 0; i < count; i++) await askApart(server, (client) => client.send('GET', path))
}

test('O5 totals are of all workers, whichever is asked, and outlive a worker that is killed', () =>
  inWorld(2, async (server) => {
    await sendApart(server, '/healthz', 30)
    const route = { route: '/healthz' }
    const scrapeApart = (options = {}) =>
      askApart(server, (client) => scrape(client, server.adminToken), options)
    const healthz = async () => {
      const { sum } = await scrapeApart()
      return sum('seaworthy_http_requests_total', { ...route, status: '2xx' })
    }
    const answers = []
    for (let i = 0; i < 8; i++) answers.push(await healthz())
    assert.deepEqual(answers, Array(8).fill(30))

    const [first] = await server.workerPids()
    process.kill(first!, 'SIGKILL')
    const restarts = 'seaworthy_worker_restarts_total'
    const isReplaced = async () => {
      const { samples, sum } = await scrapeApart({ answerMs: shortAnswerMs })
      const names = [...samples.keys()].flatMap(
        (series) => /^seaworthy_process_res.*process="(.*)"/.exec(series)?.[1] ?? [],
      )
      const sorted = names.toSorted((a, b) => (a < b ? -1 : 1)).join(' ')
      seen = `${sum(restarts)} restarts, ${sorted}`
      return seen === '1 restarts, primary worker-1 worker-2'
    }
    let seen = ''
    // A request that the killed worker was handling gets no answer.
    await waitUntil(
      async () => `a successor takes the name of the worker that was killed; ${seen}`,
      () =>
        isReplaced().catch((error: unknown) => {
          seen = String(error)
          return false
        }),
    )
    assert.equal(await healthz(), 30)
    await sendApart(server, '/healthz', 5)
    assert.equal(await healthz(), 35)
  }))

test('O5 check-ins, decisions, tokens and refusals are counted by what became of them', () =>
  inWorld(1, async (server, client) => {
    await setUpTrust(client)
    const device = await addDevice(client, server.url, await makeProvisioningKey(client, 1))
    const before = await scrape(client, server.adminToken)
    for (let i = 1; i <= 3; i++) await report(client, device, { sequence: i }, true)
    await client.send('GET', '/v1/tokens', { token: device.accessToken })
    await client.send('GET', '/v1/nothing-there')
    await client.send('GET', '/also/nothing')
    const after = await scrape(client, server.adminToken)
    const grown = (name: string, labels?: Record<string, string>) =>
      after.sum(name, labels) - before.sum(name, labels)
    assert.equal(after.sum('seaworthy_device_tokens_issued_total'), 1)
    assert.equal(grown('seaworthy_check_ins_total', { outcome: 'stored' }), 3)
    assert.equal(grown('seaworthy_check_ins_total'), 3)
    assert.equal(grown('seaworthy_decisions_total'), 3)
    // A report that says something new goes through two batches.
    assert.ok(grown('seaworthy_check_in_batch_size_sum') >= 3)
    assert.equal(
      grown('seaworthy_http_requests_total', { route: 'device.check-in', status: '2xx' }),
      3,
    )
    assert.equal(
      grown('seaworthy_http_request_duration_seconds_count', { route: 'device.check-in' }),
      3,
    )
    assert.equal(grown('seaworthy_refusals_total', { code: 'permission_denied' }), 1)
    assert.equal(grown('seaworthy_refusals_total', { code: 'route_not_found' }), 2)
    assert.equal(
      grown('seaworthy_http_requests_total', { route: 'unknown', status: '4xx' }),
      2,
      'addresses that strangers make up are no labels',
    )
    assert.doesNotMatch(after.text, /device_[0-9a-z]{26}/, 'no device is named')
    assert.ok(!after.text.includes(server.adminToken))
    const root = { kind: 'root', role: 'root' }
    assert.ok(after.sum('seaworthy_trust_role_remaining_seconds', root) > 86_400)
    assert.equal(after.sum('seaworthy_leader'), 1)
    assert.equal(after.sum('seaworthy_leader_elected'), 1)
    assert.equal(after.sum('seaworthy_database_up'), 1)
    assert.ok(after.sum('seaworthy_task_runs_total', { task: 'log-sequencer' }) >= 1)
    await waitUntil('the devices are counted', async () => {
      const { sum } = await scrape(client, server.adminToken)
      return sum('seaworthy_devices') >= 0 && sum('seaworthy_log_entries') > 0
    })
  }))

test('O5 A4 a monitor’s token reads metrics and nothing else; a scoped token does not read those of all', () =>
  inWorld(1, async (_server, client) => {
    const monitor = await makeToken(client, 'monitor')
    const status = async (path: string, token?: string) =>
      (await client.send('GET', path, token === undefined ? {} : { token })).status
    assert.equal(await status('/metrics'), 401)
    assert.equal(await status('/metrics', `sw_${'0'.repeat(60)}`), 401)
    assert.equal(await status('/metrics', monitor), 200)
    for (const path of ['/v1/fleets', '/v1/devices', '/v1/trust/status', '/v1/tokens']) {
      assert.equal(await status(path, monitor), 403, path)
    }
    assert.equal(await status('/metrics', await makeToken(client, 'builder')), 403)
    assert.equal(await status('/metrics', await makeToken(client, 'viewer')), 200)
    assert.equal(await status('/metrics', await makeToken(client, 'viewer', ['acme'])), 403)
    const { headers, bytes } = await client.send('GET', '/metrics', {
      token: monitor,
      headers: { accept: 'application/openmetrics-text;version=1.0.0,text/plain;q=0.5' },
    })
    assert.match(headers['content-type']!, /^application\/openmetrics-text; version=1\.0\.0/)
    assert.ok(Buffer.from(bytes).toString().endsWith('# EOF\n'))
  }))

test('O5 while the database is away, a credential that was right learns so; one that was revoked does not', () =>
  inWorld(1, async (server, client) => {
    const monitor = await makeToken(client, 'monitor')
    const unused = await makeToken(client, 'monitor')
    const body = { name: 'revoked', role: 'monitor' as const, lifetimeSeconds: 3600 }
    const revoked = await client.api.call(createToken, { body })
    assert.equal((await scrape(client, monitor)).sum('seaworthy_database_up'), 1)
    assert.equal((await scrape(client, revoked.token)).sum('seaworthy_database_up'), 1)
    await client.api.call(revokeToken, { params: { tokenId: revoked.view.id } })
    const statusFor = async (token: string) =>
      (await client.send('GET', '/metrics', { token })).status
    assert.equal(await statusFor(revoked.token), 401)
    process.kill(await server.postgresPid(), 'SIGKILL')
    let sawItAway = false
    const answers: string[] = []
    await waitUntil('the database is shown as away, then as back', async () => {
      const [known, ...others] = await Promise.all([
        scrape(client, monitor),
        statusFor(unused),
        statusFor(revoked.token),
      ])
      answers.push(others.join(' '))
      if (known.sum('seaworthy_database_up') === 1) return sawItAway
      sawItAway = true
      assert.ok(!known.samples.has('seaworthy_log_entries'), 'nothing is shown that is not known')
      return false
    })
    // 503: nobody can tell. A credential that was never seen to be right is not let in, and neither
    // is one that has ended.
    for (const answer of answers) assert.match(answer, /^(200|503) (401|503)$/)
    assert.equal(await statusFor(revoked.token), 401)
  }))

test('O5 D8 a rollout that stops itself is seen: its devices, how their updates ended, and why it stands', () =>
  inWorld(1, async (server, client) => {
    const { signers } = await setUpTrust(client)
    const [release] = await publishAll(client, server.adminToken, signers, ['1.0.0'])
    const [good, other, bad, late] = await makeFleet(client, server.url, 'tills', 4)
    const { id } = await client.api.call(createRollout, {
      body: {
        fleet: 'tills',
        version: '1.0.0',
        policy: policyOf({ failuresMax: 0, onFailure: 'pause' }),
      },
    })
    await waitForRollout(client, id, ({ waves: [wave] }) => wave?.state === 'open')
    for (const installer of [good!, other!]) await installer.follow([release!])
    assert.equal(await late!.ask(), release!.sha256)
    assert.equal(await bad!.ask(), release!.sha256)
    await bad!.say('failed', release!, 'disk_full')
    await waitForRollout(client, id, ({ state }) => state === 'paused')
    const { sum } = await scrape(client, server.adminToken)
    const devices = (is: string) => sum('seaworthy_rollout_devices', { rollout: id, is })
    assert.deepEqual(
      ['offered', 'in_flight', 'healthy', 'failed', 'superseded'].map(devices),
      [4, 1, 2, 1, 0],
    )
    const stopped = { rollout: id, fleet: 'tills', state: 'paused', stop: 'error_budget' }
    assert.equal(sum('seaworthy_rollout_state', stopped), 1)
    assert.equal(sum('seaworthy_rollout_state', { rollout: id }), 1)
    assert.equal(sum('seaworthy_rollout_waves', { rollout: id }), 1)
    assert.equal(sum('seaworthy_rollout_waves_open', { rollout: id }), 1)
    assert.equal(sum('seaworthy_updates_ended_total', { state: 'committed' }), 2)
    assert.equal(sum('seaworthy_updates_ended_total', { state: 'failed' }), 1)
    assert.equal(sum('seaworthy_updates_ended_total'), 3)
  }))
