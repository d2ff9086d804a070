/**
 * One hostile layer on its way from a builder's hands to a device: real registry, real command
 * line, real agent, and a thief who has everything but what holders sign.
 */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestAgent } from '@seaworthy/agent/testing'
import { ProblemError } from '@seaworthy/api/problems'
import { createRelease } from '@seaworthy/api/releases'
import { craftLayer, craftRelease } from '@seaworthy/oci/crafted-release'
import { createLayout } from '@seaworthy/oci/layout'
import { readPossessions } from '@seaworthy/server/possessions'
import {
  fetchCurrent,
  propose,
  publishIntent,
  publishRelease,
  pushCrafted,
  submit,
} from '@seaworthy/server/testing'
import { systemRandom } from '@seaworthy/std/random'
import { waitUntil } from '@seaworthy/std/testing'
import { dayMs, systemClock } from '@seaworthy/std/time'
import {
  addRelease,
  buildSnapshot,
  buildTimestamp,
  formatProposal,
  parseMetadata,
  signMetadata,
  withChain,
} from '@seaworthy/trust/tuf'
import type { Installation, TestRelease } from './testing/installation.ts'
import { buildInstallation, product, readDevice } from './testing/installation.ts'
import { createCommandLine } from './testing/program.ts'

const code = 'entry_twin'
const version = '6.6.6'
const role = `${product}.stable`
const platform = 'linux/amd64'

/** Where case does not count, the second program takes the place of the first. */
const { layer, files: listed } = craftLayer([
  { path: 'bin/App', content: '#!/bin/sh\nexec sleep 600\n', isExecutable: true },
  { path: 'bin/app', content: '#!/bin/sh\nexec nc -l 4444\n', isExecutable: true },
  { path: 'seaworthy.json', content: '{"start":["./bin/App"]}' },
])
const bundles = [{ platform, layer, listed }]

const isRefused = (error: unknown) => {
  assert.ok(error instanceof ProblemError, String(error))
  assert.equal(error.code, code)
  return true
}

async function awaitRunning(agent: TestAgent, release: TestRelease): Promise<void> {
  await waitUntil(
    async () => `${release.version} runs\n${agent.log.slice(-20).join('')}`,
    async () => (await readDevice(agent)).state?.committed?.sha256 === release.sha256,
  )
}

/** The thief has holders sign it by force, and publishes it with the stolen online keys. */
async function forcePublication(installation: Installation, index: Uint8Array): Promise<void> {
  const { client, dataDir, signers, server } = installation
  const channel = (await fetchCurrent(client)).roles.get(role)!.signed
  const hash = (name: string) => createHash(name).update(index).digest('hex')
  const now = systemClock.now()
  const forced = addRelease(
    channel,
    {
      ...{ product, channel: 'stable', version, counter: 2, floor: 1 },
      ...{ kind: 'bundle', platforms: [platform], hardware: [], security: false },
      ...{ length: index.length, sha256: hash('sha256'), sha512: hash('sha512'), releasedAt: now },
    },
    new Date(now.getTime() + 30 * dayMs),
  )
  const bytes = await signMetadata(forced, signers)
  const { onlineKeys, metadata } = await readPossessions(dataDir)
  const newest = (name: string) => metadata.findLast((row) => row.role === name)!.bytes
  const expiresAt = new Date(now.getTime() + dayMs)
  const snapshot = await buildSnapshot(
    (await parseMetadata('snapshot', newest('snapshot'), 'strict')).signed,
    new Map([[role, { version: forced.version, bytes }]]),
    expiresAt,
  )
  const snapshotBytes = await signMetadata(snapshot, onlineKeys.snapshot)
  const timestamp = await buildTimestamp(
    (await parseMetadata('timestamp', newest('timestamp'), 'strict')).signed,
    { version: snapshot.version, bytes: snapshotBytes },
    { signedAt: now, expiresAt },
  )
  const timestampBytes = await signMetadata(timestamp, onlineKeys.timestamp)
  const thief = server.openDatabase()
  try {
    await thief.write(async ({ sql }) => {
      for (const [name, number, content] of [
        [role, forced.version, bytes],
        ['snapshot', snapshot.version, snapshotBytes],
        ['timestamp', timestamp.version, timestampBytes],
      ] as const) {
        await sql`insert into tuf_metadata (role, version, bytes, published_at)
          values (${name}, ${number}, ${Buffer.from(content)}, now())`
      }
      await sql`select pg_notify('metadata', '')`
    })
  } finally {
    await thief.close()
  }
  await waitUntil('the server serves it', async () => {
    const { status } = await client.send('GET', `/tuf/${forced.version}.${role}.json`)
    return status === 200
  })
}

test('T11 T7 attack: a hostile layer is pushed by hand: server and signer refuse it, and under a forced signature the device does', async () => {
  const installation = await buildInstallation()
  try {
    const { client, adminToken, folder, anchor } = installation
    const honest = await installation.buildRelease('1.0.0')
    await publishRelease(client, honest, installation.signers)
    const agent = await installation.addAgent('device', { pollSeconds: 1 })
    agent.start()
    await awaitRunning(agent, honest)

    // The registry takes any content: what it is worth is decided by what says so.
    const { descriptor, bytes } = await pushCrafted(client, adminToken, { version, bundles })
    const body = { version, digest: descriptor.digest }
    await assert.rejects(
      client.api.call(createRelease, { params: { product }, body }),
      isRefused,
      'the server registers it',
    )
    const hash = (name: string) => createHash(name).update(bytes).digest('hex')
    const digests = { sha256: hash('sha256'), sha512: hash('sha512') }
    const intent = publishIntent({ version, index: bytes, layer, ...digests })
    const proposal = await propose(client, intent)
    await assert.rejects(submit(client, proposal), isRefused, 'the server takes the proposal')

    // A server that takes it hands it to a signer, with its content.
    const current = await fetchCurrent(client)
    const file = join(folder, 'proposal.json')
    writeFileSync(file, formatProposal(withChain(proposal, [current.root!], current.roles)))
    const content = join(folder, 'content')
    await craftRelease(await createLayout(content, systemRandom), { product, version, bundles })
    const signer = createCommandLine(join(folder, 'signer'))
    const key = join(folder, 'signer.key')
    await signer.ok('key', 'create', key)
    const root = `sha256:${createHash('sha256').update(anchor).digest('hex')}`
    const asked = [file, '--root', root, '--content', content]
    const shown = await signer.run('proposal', 'sign', ...asked, '--key', key, '--unchecked')
    assert.equal(shown.exitCode, 3, shown.out + shown.err)
    assert.match(shown.err, /bin\/app and bin\/App are one name.*\(entry_twin\)/s)

    const since = agent.log.length
    await forcePublication(installation, bytes)
    await waitUntil(
      async () => `the device refuses it\n${agent.log.slice(since).join('').slice(-3000)}`,
      async () => {
        // The agent may be refusing or restarting; what it keeps on its disk is what counts.
        await agent.updateNow().catch(() => undefined)
        const { state } = await readDevice(agent)
        return (
          state?.failed.some((one) => one.sha256 === digests.sha256 && one.code === code) === true
        )
      },
    )
    const disk = await readDevice(agent)
    assert.equal(disk.current, honest.sha256)
    assert.deepEqual(disk.files, honest.files)
    assert.match((await agent.readVersion()) ?? '', /^1\.0\.0/)
  } finally {
    await installation.stop()
  }
})
