/**
 * Somebody is inside: database, server, provisioning key, a device. Real server, real agent, exact
 * refusals.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { ChildProcess } from 'node:child_process'
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cpSync, existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { openDeviceKey } from '@seaworthy/agent/testing'
import type { Disk, TestAgent } from '@seaworthy/agent/testing'
import type { ApprovalView } from '@seaworthy/api/approvals'
import { approveRequest, setApprovalPolicy } from '@seaworthy/api/approvals'
import { formatPath } from '@seaworthy/api/client'
import { createDeviceToken } from '@seaworthy/api/device-self'
import { removeDevice, showDevice } from '@seaworthy/api/devices'
import { revokeProvisioningKey } from '@seaworthy/api/provisioning-keys'
import { createInvitation } from '@seaworthy/api/invitations'
import { ProblemError } from '@seaworthy/api/problems'
import { listProposals, showProposal } from '@seaworthy/api/proposals'
import { routes } from '@seaworthy/api/routes'
import { createToken } from '@seaworthy/api/tokens'
import {
  acceptLink,
  addDevice,
  becomeOwner,
  carryOut,
  createTestBrowser,
  fetchCurrent,
  makeAssertion,
  makeProvisioningKey,
  makeReport,
  publishIntent,
  publishRelease,
  register,
  sign,
} from '@seaworthy/server/testing'
import { base64Encode, utf8Decode, utf8Encode } from '@seaworthy/std/bytes'
import { waitUntil } from '@seaworthy/std/testing'
import { programAt } from '@seaworthy/std/testing/own-programs'
import { systemSleep } from '@seaworthy/std/time'
import { generateSigner } from '@seaworthy/trust/keys'
import { addRelease, parseProposal, signMetadata } from '@seaworthy/trust/tuf'
import { createCommandLine } from './testing/program.ts'
import type { Installation, TestRelease } from './testing/installation.ts'
import { buildInstallation, product, readDevice } from './testing/installation.ts'

interface Scene {
  readonly installation: Installation
  readonly agent: TestAgent
  readonly old: TestRelease
  readonly newest: TestRelease
}

/** A device that has gone from 1.0.0 to 1.1.0 and runs it. */
async function withDevice(work: (scene: Scene) => Promise<void>): Promise<void> {
  const installation = await buildInstallation()
  try {
    const [old, newest] = [
      await installation.buildRelease('1.0.0'),
      await installation.buildRelease('1.1.0'),
    ]
    await publishRelease(installation.client, old, installation.signers)
    const agent = await installation.addAgent('device', { pollSeconds: 1 })
    agent.start()
    await awaitRunning(agent, old)
    await publishRelease(installation.client, newest, installation.signers)
    await agent.updateNow()
    await awaitRunning(agent, newest)
    await work({ installation, agent, old, newest })
  } finally {
    await installation.stop()
  }
}

async function awaitRunning(agent: TestAgent, release: TestRelease): Promise<void> {
  await waitUntil(
    async () => `${release.version} runs\n${agent.log.slice(-20).join('')}`,
    async () => {
      const { state } = await readDevice(agent)
      return state?.committed?.sha256 === release.sha256 && state.update === null
    },
  )
}

/** Waits until the agent says no with this code, after `since` of its log. */
async function awaitRefusal(agent: TestAgent, code: string, since: number): Promise<void> {
  const said = () => agent.log.slice(since).join('')
  await waitUntil(
    async () => `the device refuses with ${code}\n${said().slice(-3000)}`,
    async () => {
      await agent.updateNow().catch(() => undefined)
      return said()
        .split('\n')
        .some((line) => line.includes('"event":"refused"') && line.includes(`"code":"${code}"`))
    },
  )
}

/** The promise: whatever happened, the device runs what its owners signed last, whole. */
async function assertUntouched(agent: TestAgent, release: TestRelease): Promise<void> {
  const disk = await readDevice(agent)
  assert.equal(disk.current, release.sha256)
  assert.deepEqual(disk.files, release.files)
  assert.equal(disk.state?.committed?.version, release.version)
  assert.match((await agent.readVersion()) ?? '', new RegExp(`^${release.version}`))
}

const isProblem = (code: string) => (error: unknown) => {
  assert.ok(error instanceof ProblemError, String(error))
  assert.equal(error.code, code)
  return true
}

test('T10 changed database rows: a fleet moved to other channels and products, an older release pinned, forged metadata', () =>
  withDevice(async ({ installation, agent, old, newest }) => {
    const { client, signers } = installation
    const people = { keys: signers.map(({ key }) => key), threshold: 2 }
    const beta = { product, channel: 'beta', authority: people }
    await carryOut(client, { kind: 'channel-create', ...beta }, signers)
    const next = await installation.buildRelease('2.0.0')
    const { content } = publishIntent(next) as { content: object }
    const onBeta = { kind: 'publish', content: { ...content, channel: 'beta' } }
    await carryOut(client, onBeta as ReturnType<typeof publishIntent>, signers)
    const thief = installation.server.openDatabase()
    try {
      const changeFleet = async (column: string, value: string | null) => {
        await thief.write(async ({ sql }) => {
          await sql`update fleets set ${sql({ [column]: value })} where name = 'shops'`
          await sql`select pg_notify('fleets', '')`
        })
      }
      let since = agent.log.length
      await changeFleet('channel', 'beta')
      await awaitRefusal(agent, 'wrong_channel', since)
      await assertUntouched(agent, newest)
      await changeFleet('channel', 'stable')

      since = agent.log.length
      await changeFleet('pinned_version', '1.0.0')
      await systemSleep(2500)
      await assertUntouched(agent, newest)
      await changeFleet('pinned_version', null)
      assert.equal((await readDevice(agent)).state?.committed?.version, newest.version)
      assert.notEqual(old.sha256, newest.sha256)

      // Metadata of the channel with a release of the thief's own, and the row of that release.
      const stable = (await fetchCurrent(client)).roles.get('acme.stable')!
      const forged = addRelease(
        stable.signed,
        {
          ...{ product, channel: 'stable', version: '6.6.6', counter: 99, floor: 1 },
          ...{ kind: 'bundle', platforms: ['linux/amd64'], hardware: [], security: true },
          ...{ length: next.index.length, sha256: next.sha256, sha512: next.sha512 },
          releasedAt: new Date(1_790_000_000_000),
        },
        new Date(Date.now() + 3_600_000),
      )
      const bytes = await signMetadata(forged, [await generateSigner('ed25519')])
      await thief.write(async ({ sql }) => {
        await sql`insert into tuf_metadata (role, version, bytes, published_at)
          values ('acme.stable', ${forged.version}, ${Buffer.from(bytes)}, now())`
        await sql`update releases set digest = ${`sha256:${next.sha256}`} where version = '1.1.0'`
        await sql`select pg_notify('metadata', '')`
      })
      await waitUntil('the server notices', async () => {
        const { status, bytes } = await client.send('GET', '/readyz')
        return status === 503 && utf8Decode(bytes).includes('does not verify')
      })
      const { status } = await client.send('GET', `/tuf/${forged.version}.acme.stable.json`)
      assert.equal(status, 404, 'forged metadata is not served')
      await agent.updateNow()
      await systemSleep(1500)
      await assertUntouched(agent, newest)
    } finally {
      await thief.close()
    }
  }))

test('T10 a device key swapped in the database locks the device out and lets nobody change what it runs', () =>
  withDevice(async ({ installation, agent, newest }) => {
    const deviceId = (await readDevice(agent)).state!.deviceId!
    const intruder = await generateSigner('ed25519')
    const thief = installation.server.openDatabase()
    await thief.write(
      ({ sql }) => sql`update devices set public_key = ${sql.json(intruder.key as never)},
        key_id = ${intruder.keyId} where id = ${deviceId}`,
    )
    await thief.close()
    const key = await readKeyOf(agent)
    const assertion = await makeAssertion(key, deviceId, installation.server.url)
    await assert.rejects(
      installation.client.api.call(createDeviceToken, { body: { assertion } }),
      isProblem('assertion_signature_invalid'),
    )
    agent.cutPower()
    agent.start()
    await waitUntil('it runs again without the server', async () => {
      return (await agent.readVersion())?.startsWith(newest.version) === true
    })
    await assertUntouched(agent, newest)
  }))

test('T9 a restored old database: seaworthy log verify says log_truncated, and the device does not go back', () =>
  withDevice(async ({ installation, agent, newest }) => {
    const person = createCommandLine(join(installation.folder, 'person'))
    const { url, pin } = installation.server
    await person.ok('login', url, '--pin', pin, '--token', installation.adminToken)
    const data = join(installation.dataDir, 'postgresql')
    const backup = join(installation.folder, 'backup')
    await installation.server.stop()
    cpSync(data, backup, { recursive: true, preserveTimestamps: true })
    await installation.restartServer()
    const third = await installation.buildRelease('1.2.0')
    await publishRelease(installation.client, third, installation.signers)
    await agent.updateNow()
    await awaitRunning(agent, third)
    await systemSleep(1500)
    await person.ok('log', 'verify')

    const since = agent.log.length
    await installation.server.stop()
    rmSync(data, { recursive: true })
    cpSync(backup, data, { recursive: true, preserveTimestamps: true })
    restoreOwners(data)
    await installation.restartServer()
    const said = await person.run('log', 'verify')
    assert.equal(said.exitCode, 3, said.out + said.err)
    assert.match(said.err, /log_truncated[^]*log accept --reason/)
    await person.ok('log', 'accept', '--reason', 'we restored the backup', '--yes')
    await person.ok('log', 'verify')
    await awaitRefusal(agent, 'rollback', since)
    await assertUntouched(agent, third)
    assert.notEqual(third.sha256, newest.sha256)
  }))

/** Copies made as root belong to root; PostgreSQL's account needs its folders back. */
function restoreOwners(folder: string): void {
  if (process.getuid?.() !== 0) return
  const account = spawnSync('id', ['-u', 'postgres']).status === 0 ? 'postgres' : '65534:65534'
  for (const name of ['data', 'run']) spawnSync('chown', ['-R', account, join(folder, name)])
}

test('T1 T7 the whole server stolen, database, master key and online keys: three attacks, three refusals', () =>
  withDevice(async ({ installation, agent, newest }) => {
    const thief = await startThief(installation)
    try {
      const listen = new URL(installation.server.url).host
      await installation.server.kill()
      await thief.order(`serve ${listen}`, 'serving')
      for (const [attack, code] of [
        ['older-release', 'counter_below_committed'],
        ['unsigned-release', 'signature_threshold'],
        ['older-metadata', 'rollback'],
      ] as const) {
        const since = agent.log.length
        await thief.order(attack, `attack ${attack}`)
        await awaitRefusal(agent, code, since)
        await assertUntouched(agent, newest)
      }
    } finally {
      thief.child.kill('SIGKILL')
    }
    // Its own restart does not make the device forget.
    agent.cutPower()
    agent.start()
    await waitUntil('it runs again', async () => {
      return (await agent.readVersion())?.startsWith(newest.version) === true
    })
    await assertUntouched(agent, newest)
  }))

async function startThief(installation: Installation): Promise<{
  child: ChildProcess
  order: (line: string, answer: string) => Promise<void>
}> {
  const main = programAt(import.meta.resolve('@seaworthy/sim/stolen'))
  const options = ['--data-dir', installation.dataDir, '--product', product, '--channel', 'stable']
  const child = spawn(process.execPath, [main, ...options], { stdio: ['pipe', 'pipe', 'inherit'] })
  const said: string[] = []
  createInterface({ input: child.stdout }).on('line', (line) => said.push(line))
  const ended = once(child, 'exit')
  const hear = (answer: string) =>
    Promise.race([
      waitUntil(`the thief says ${answer}`, () => said.includes(answer)),
      ended.then(([code]) => assert.fail(`the thief ended with ${String(code)}`)),
    ])
  await hear('stolen')
  return {
    child,
    async order(line, answer) {
      child.stdin.write(`${line}\n`)
      await hear(answer)
    },
  }
}

test('T5 T6 T7 stolen channel keys drive the marks up: owners restart them by the command line, and the device follows what is theirs', () =>
  withDevice(async ({ installation, agent, newest }) => {
    const { client, signers, server, folder } = installation
    // The thief's releases are for hardware that nobody has; the floor of the last binds everybody.
    for (const [version, floor] of [
      ['6.6.6', 0],
      ['6.6.7', 4],
    ] as const) {
      const intent = publishIntent(await installation.buildRelease(version))
      assert.ok(intent.kind === 'publish')
      const content = { ...intent.content, hardware: ['nobody-has-it'], floor }
      await carryOut(client, { ...intent, content }, signers)
    }
    const next = await installation.buildRelease('1.2.0')
    const stolen = (await fetchCurrent(client)).roles.get('acme.stable')!.signed.version
    await waitUntil('the device has verified the floor', async () => {
      await agent.updateNow()
      const { metadata } = (await agent.status()) as { metadata: Record<string, number> }
      return metadata['acme.stable'] === stolen
    })

    const person = createCommandLine(join(folder, 'owner'))
    await person.ok('login', server.url, '--pin', server.pin, '--token', installation.adminToken)
    const keys = [join(folder, 'one.key'), join(folder, 'two.key')]
    for (const file of keys) await person.ok('key', 'create', file)
    const signWith = keys.flatMap((file) => ['--sign-with', file])
    const rotation = (floor: number) => [
      ...['trust', 'rotate', 'acme.stable', ...keys.flatMap((file) => ['--add', file])],
      ...signers.flatMap(({ keyId }) => ['--remove', keyId]),
      ...['--restart-counter', '2', '--restart-floor', String(floor), ...signWith],
    ]
    const impossible = await person.run(...rotation(3))
    assert.match(impossible.err, /no floor is above its counter/)
    const shown = await person.ok(...rotation(1))
    assert.match(shown, /! restarts the marks: counter 4 -> 2, floor 4 -> 1/)
    assert.match(shown, /! revives release acme\/stable\/1\.1\.0, counter 2/)
    // The holders of the product sign where they are, and the thief is none of them any more.
    const { items } = await client.api.call(listProposals, { query: { state: 'open' } })
    const { id } = items.find(({ title }) => title.includes('restart'))!
    const { proposal } = await client.api.call(showProposal, { params: { proposalId: id } })
    await sign(client, await parseProposal(utf8Encode(JSON.stringify(proposal))), signers)
    await person.ok('proposal', 'apply', id)

    await person.ok('publish', product, next.version, '--channel', 'stable', ...signWith)
    await agent.updateNow()
    await awaitRunning(agent, next)
    const { committed } = (await readDevice(agent)).state!
    assert.deepEqual([committed?.counter, committed?.floor], [3, 1])
    assert.notEqual(next.sha256, newest.sha256)
  }))

test('V4 a leaked provisioning key: destroyed on the device, good for no further use, nor after it was revoked', () =>
  withDevice(async ({ installation, agent }) => {
    const config = readFileSync(agent.configPath, 'utf8')
    assert.ok(!config.includes('swp_'), 'the device has destroyed its copy')
    const single = await makeProvisioningKey(installation.client, 1)
    const stranger = await generateSigner('ed25519')
    await register(installation.client, single, stranger)
    await register(installation.client, single, stranger)
    await assert.rejects(
      register(installation.client, single, await generateSigner('ed25519')),
      isProblem('provisioning_key_used_up'),
    )
    const many = await makeProvisioningKey(installation.client, 100)
    const provisioningKeyId = `provisioning_${many.split('_')[1]}`
    await installation.client.api.call(revokeProvisioningKey, { params: { provisioningKeyId } })
    await assert.rejects(
      register(installation.client, many, await generateSigner('ed25519')),
      (error: unknown) => error instanceof ProblemError && error.status === 401,
    )
  }))

/** The device's private key, as somebody has it who opened the device. */
async function readKeyOf(agent: TestAgent) {
  const path = join(agent.stateDir, 'trust', 'device.key')
  assert.ok(existsSync(path), 'the key lies where this test looks for it')
  const disk = { read: async (file: string) => readFileSync(file) } as unknown as Disk
  return openDeviceKey(disk, path, false)
}

test('V4 a stolen device: its credential opens its own routes, no other device, no registry but its own, and dies with it', () =>
  withDevice(async ({ installation, agent, newest }) => {
    const { client } = installation
    const deviceId = (await readDevice(agent)).state!.deviceId!
    const signer = await readKeyOf(agent)
    const origin = installation.server.url
    const assertion = await makeAssertion(signer, deviceId, origin)
    const { accessToken } = await client.api.call(createDeviceToken, { body: { assertion } })
    const example = `${'0'.repeat(26)}`
    const allowed: string[] = []
    // What everybody may call is open to the device too. So is asking to be paired, about which a
    // person decides.
    const guarded = routes.filter(({ auth }) => auth !== 'public' && auth !== 'pairing')
    for (const route of guarded) {
      const params = new Proxy<Record<string, string>>(
        {},
        {
          get: (_all, name) =>
            String(name).endsWith('Id') ? `${String(name).slice(0, -2)}_${example}` : 'acme',
        },
      )
      const { status, json } = await client.send(route.method, formatPath(route.path, params), {
        token: accessToken,
        headers: { 'content-type': 'application/json' },
        ...(route.method === 'GET' ? {} : { body: '{}' }),
      })
      if (status !== 401 && status !== 403) allowed.push(route.name)
      else
        assert.match((json() as { code: string }).code, /^(?:permission_denied|unauthenticated)$/)
    }
    const own = [
      ...['device.application', 'device.check-in', 'device.configuration'],
      ...['device.confirm-pin', 'device.set-metadata', 'device.token'],
    ]
    assert.deepEqual(allowed.toSorted(), own)

    const registry = async (method: string, path: string, headers = {}) =>
      (await client.send(method, path, { token: accessToken, headers })).status
    assert.equal(await registry('GET', `/v2/acme/manifests/sha256:${newest.sha256}`), 200)
    assert.notEqual(await registry('GET', '/v2/other/tags/list'), 200)
    for (const [method, path] of [
      ['POST', '/v2/acme/blobs/uploads/'],
      ['DELETE', `/v2/acme/manifests/sha256:${newest.sha256}`],
      ['GET', '/v2/other/manifests/latest'],
    ] as const) {
      assert.ok([401, 403].includes(await registry(method, path, { 'content-length': '0' })), path)
    }
    // One report is about something else than the device itself, and one lacks the signature that a
    // change needs.
    const report = makeReport({
      sequence: 1_000,
      running: { product, version: '9.9.9', sha256: 'f'.repeat(64), counter: 99 },
      committedCounter: 99,
    })
    const send = (signature?: string) =>
      client.send('POST', '/v1/device/check-in', {
        token: accessToken,
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ report, ...(signature === undefined ? {} : { signature }) }),
      })
    const codeOf = async (answer: ReturnType<typeof send>) =>
      ((await answer).json() as { code: string }).code
    assert.equal(await codeOf(send()), 'report_signature_missing')
    const forged = createHash('sha512').update('no signature').digest()
    assert.equal(await codeOf(send(base64Encode(forged))), 'report_signature_invalid')

    await client.api.call(removeDevice, { params: { deviceId } })
    const late = await client.send('GET', '/v1/device/application', { token: accessToken })
    assert.ok([401, 403].includes(late.status))
    const again = await makeAssertion(signer, deviceId, origin)
    await assert.rejects(
      client.api.call(createDeviceToken, { body: { assertion: again } }),
      (error: unknown) => error instanceof ProblemError && error.status < 500,
    )
    await assert.rejects(
      client.api.call(showDevice, { params: { deviceId } }),
      isProblem('device_not_found'),
    )
  }))
test('A2 A4 attack: a stolen token of one person removes devices: the command line says what is asked, and another person decides', async () => {
  const installation = await buildInstallation()
  const { client, server, folder } = installation
  try {
    const olive = createTestBrowser(server, client)
    await becomeOwner(server, olive)
    const body = { role: 'owner' } as const
    const { link } = await olive.api.call(createInvitation, { body })
    const oscar = createTestBrowser(server, client)
    await acceptLink(oscar, link, 'Oscar Owner')
    const rules = { releaseDevicesAbove: null, deviceRemoval: true, credentialLease: false }
    await olive.stepUp()
    await olive.api.call(setApprovalPolicy, { body: rules })
    const commandLineOf = async (browser: typeof olive, name: string) => {
      await browser.stepUp()
      const { token } = await browser.api.call(createToken, {
        body: { name, role: 'admin', lifetimeSeconds: 86_400 },
      })
      const person = createCommandLine(join(folder, name))
      await person.ok('login', server.url, '--pin', server.pin, '--token', token)
      return person
    }
    const thief = await commandLineOf(oscar, 'oscar')
    const person = await commandLineOf(olive, 'olive')
    const key = await makeProvisioningKey(client, 2)
    const [first, second] = [
      await addDevice(client, server.url, key),
      await addDevice(client, server.url, key),
    ]
    const requestOf = async (deviceId: string) => {
      const open = await person.json<ApprovalView[]>('approval', 'list')
      return open.find(({ subject }) => subject === deviceId)
    }

    const asked = await thief.run('device', 'remove', first.id)
    assert.equal(asked.exitCode, 3)
    assert.match(asked.err, /Would remove from the fleet shops the device device_\w+/)
    assert.match(asked.err, new RegExp(`decides at ${server.url}/approvals`))
    assert.match(asked.err, /\(approval_required\)\n.*--await-approval/)
    const { id } = (await requestOf(first.id))!
    assert.match(await thief.ok('approval', 'show', id), /state: +pending/)
    assert.match(await thief.ok('approval', 'list'), /you/)
    const own = await thief.run('approval', 'reject', id, '--reason', 'mine')
    assert.match(own.err, /\(approval_own\)/)
    assert.match(await thief.ok('approval', 'policy'), /removal of a device: +yes/)

    // Waiting, it asks for the same, and goes on as soon as somebody else has approved that.
    const waiting = thief.run('--await-approval', 'device', 'remove', first.id)
    await olive.stepUp()
    await olive.api.call(approveRequest, { params: { approvalId: id } })
    const ended = await waiting
    assert.equal(ended.exitCode, 0, ended.err)
    const listed = await person.ok('device', 'list')
    assert.ok(!listed.includes(first.id) && listed.includes(second.id), listed)

    const refused = thief.run('--await-approval', 'device', 'remove', second.id)
    await waitUntil('it is asked for', async () => (await requestOf(second.id)) !== undefined)
    const other = (await requestOf(second.id))!.id
    await person.ok('approval', 'reject', other, '--reason', 'not ours to remove')
    const rejected = await refused
    assert.equal(rejected.exitCode, 3)
    assert.match(rejected.err, /is rejected: not ours to remove/)
    assert.ok((await person.ok('device', 'list')).includes(second.id))
    const report = await person.ok('access', 'report', '--csv')
    assert.match(report, /^"kind","id",.*\r\n/)
    assert.match(report, /"Oscar Owner","owner","yes"/)
    assert.match(await person.ok('access', 'report'), /oscar of Oscar Owner/)
  } finally {
    await installation.stop()
  }
})
