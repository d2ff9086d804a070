/**
 * An attacker has the database (T10, T9): rows are changed behind the server's back. Decisions rest
 * on what is signed, so a changed row is refused, not served, and noticed. What the log has once
 * said it cannot take back.
 */
import assert from 'node:assert/strict'
import { cp, mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { ProblemError } from '@seaworthy/api/problems'
import { applyProposal } from '@seaworthy/api/proposals'
import { createFleet } from '@seaworthy/api/fleets'
import { showServer } from '@seaworthy/api/server'
import { utf8Decode, utf8Encode } from '@seaworthy/std/bytes'
import { waitUntil } from '@seaworthy/std/testing'
import { systemSleep } from '@seaworthy/std/time'
import type { Signer } from '@seaworthy/trust/keys'
import { generateSigner } from '@seaworthy/trust/keys'
import type { Checkpoint, LogError } from '@seaworthy/trust/tlog'
import { parseNoteKey, verifyCheckpoint, verifyEntries, verifyLog } from '@seaworthy/trust/tlog'
import { formatProposal, parseProposal, signMetadata } from '@seaworthy/trust/tuf'
import { nodeSha256 } from '../access/audit-log.ts'
import { lockKeys } from '../../db/lock-keys.ts'
import type { Db } from '../../db/connection.ts'
import type { TestClient, TestServer } from '../../testing/index.ts'
import {
  addDevice,
  carryOut,
  createTestClient,
  fetchCurrent,
  makeProvisioningKey,
  propose,
  publishIntent,
  publishRelease,
  pushRelease,
  report,
  setUpTrust,
  sign,
  startTestServer,
  submit,
} from '../../testing/index.ts'

interface World {
  readonly server: TestServer
  readonly client: TestClient
  readonly signers: Signer[]
  readonly thief: Db
  readonly close: () => Promise<void>
}

async function openWorld(): Promise<World> {
  const server = await startTestServer()
  const client = createTestClient(server)
  const { signers } = await setUpTrust(client)
  const thief = server.openDatabase()
  return {
    server,
    client,
    signers,
    thief,
    async close() {
      await thief.close()
      client.close()
      await server.stop()
    },
  }
}

/** Runs a test in a world of its own, because it spoils its server. */
async function withServer(work: (world: World) => Promise<void>): Promise<void> {
  const world = await openWorld()
  try {
    await work(world)
  } finally {
    await world.close()
  }
}

/** The world of the tests that do not disturb one another; each has versions of its own. */
let shared: World

before(async () => {
  shared = await openWorld()
})
after(() => shared.close())

const refused = (code: string) => (error: unknown) => {
  assert.ok(error instanceof ProblemError, String(error))
  assert.equal(error.code, code)
  return true
}

async function readiness(client: TestClient): Promise<string> {
  const { json } = await client.send('GET', '/readyz')
  return JSON.stringify(json())
}

async function awaitReadiness(client: TestClient, pattern: RegExp): Promise<void> {
  await waitUntil(`/readyz says ${pattern}`, async () => pattern.test(await readiness(client)))
}

/** Has the server load its metadata again, so that it notices. */
async function reload(thief: Db, client: TestClient): Promise<void> {
  await thief.write(({ sql }) => sql`select pg_notify('metadata', '')`)
  await awaitReadiness(client, /metadata does not verify/)
}

test('T10 a release written into the channel role in the database is not served, not assigned, and noticed', () =>
  withServer(async ({ server, client, signers, thief }) => {
    const release = await pushRelease(client, server.adminToken, '1.0.0')
    await publishRelease(client, release, signers)
    const device = await addDevice(client, server.url, await makeProvisioningKey(client, 1))
    const before = await report(client, device)
    const { roles } = await fetchCurrent(client)
    const stable = roles.get('acme.stable')!
    const text = utf8Decode(stable.bytes).replaceAll(release.sha256, 'f'.repeat(64))
    assert.notEqual(text, utf8Decode(stable.bytes))
    await thief.write(
      ({
        sql,
      }) => sql`update tuf_metadata set bytes = ${Buffer.from(text)} where role = 'acme.stable'
        and version = ${stable.signed.version}`,
    )
    await reload(thief, client)
    const { bytes } = await client.send('GET', `/tuf/${stable.signed.version}.acme.stable.json`)
    assert.deepEqual(Buffer.from(bytes), Buffer.from(stable.bytes))
    assert.deepEqual((await report(client, device)).assignment, before.assignment)
    assert.match(server.log(), /metadata\.tampered/)
    // Nothing can be published on top of it either.
    const next = await pushRelease(client, server.adminToken, '2.0.0')
    await assert.rejects(submit(client, await propose(client, publishIntent(next))))
  }))

/** The leader loses the lead, and the next one does everything that is due from the beginning. */
async function loseLead(thief: Db): Promise<void> {
  await thief.write(
    ({ sql }) => sql`select pg_terminate_backend(pid) from pg_locks
      where locktype = 'advisory' and objid = ${lockKeys.leader}::int::oid and granted`,
  )
}

test('O1 content of a signed release that is gone from the disk under a running server is said by /readyz and in the log, until it is there again', () =>
  withServer(async ({ server, client, signers, thief }) => {
    const release = await pushRelease(client, server.adminToken, '1.0.0')
    await publishRelease(client, release, signers)
    const { sha256 } = release
    const blob = join(server.dataDir, 'blobs', 'content', 'sha256', sha256.slice(0, 2), sha256)
    await awaitReadiness(client, /^\{"ready":true/)
    await rename(blob, `${server.dataDir}/lost`)
    await loseLead(thief)
    await awaitReadiness(client, /acme\/stable\/1\.0\.0/)
    assert.match(server.log(), /release\.content-missing.*acme\/stable\/1\.0\.0/)
    await rename(`${server.dataDir}/lost`, blob)
    await loseLead(thief)
    await awaitReadiness(client, /^\{"ready":true/)
  }))

test('T10 with the online keys alone: metadata of a channel signed by the snapshot key is refused', () =>
  withServer(async ({ client, thief }) => {
    const { roles } = await fetchCurrent(client)
    const stable = roles.get('acme.stable')!
    const stranger = await generateSigner('ed25519')
    const forged = await signMetadata({ ...stable.signed, version: 2 }, [stranger])
    await thief.write(
      ({ sql }) => sql`insert into tuf_metadata (role, version, bytes, published_at)
        values ('acme.stable', 2, ${Buffer.from(forged)}, now())`,
    )
    await reload(thief, client)
    assert.equal((await client.send('GET', '/tuf/2.acme.stable.json')).status, 404)
  }))

test('T10 a first root that was replaced, with everything below it, is not the anchored one', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'seaworthy-anchor-'))
  const server = await startTestServer({ dataDir })
  const client = createTestClient(server)
  let again: TestServer | undefined
  try {
    await setUpTrust(client)
    const thief = server.openDatabase()
    const stranger = await generateSigner('ed25519')
    const { root } = await fetchCurrent(client)
    const people = { keyids: [stranger.keyId], threshold: 1 }
    const forged = await signMetadata(
      {
        ...root!.signed,
        keys: { [stranger.keyId]: stranger.key },
        roles: { root: people, targets: people, snapshot: people, timestamp: people },
      },
      [stranger],
    )
    await thief.write(
      ({ sql }) => sql`update tuf_metadata set bytes = ${Buffer.from(forged)} where role = 'root'`,
    )
    await thief.close()
    client.close()
    await server.kill()
    again = await startTestServer({ dataDir })
    const late = createTestClient(again)
    assert.match(await readiness(late), /metadata does not verify/)
    assert.equal((await late.send('GET', '/tuf/1.root.json')).status, 503)
    late.close()
  } finally {
    await again?.stop().catch(() => undefined)
    await rm(dataDir, { recursive: true, force: true })
  }
})

test('T10 a proposal whose document was changed in the database has no signatures any more', async () => {
  const { server, client, signers, thief } = shared
  const release = await pushRelease(client, server.adminToken, '10.0.0')
  const proposal = await propose(client, publishIntent(release))
  await submit(client, proposal)
  await sign(client, proposal, signers)
  const [row] = await thief.reader.sql<{ document: Uint8Array }[]>`
      select document from proposals where id = ${proposal.id}`
  const text = utf8Decode(row!.document).replaceAll('"security":false', '"security":true')
  const changed = formatProposal(await parseProposal(utf8Encode(text)))
  await thief.write(
    ({ sql }) =>
      sql`update proposals set document = ${Buffer.from(changed)} where id = ${proposal.id}`,
  )
  const apply = client.api.call(applyProposal, { params: { proposalId: proposal.id } })
  await assert.rejects(apply, refused('proposal_incomplete'))
})

test('T10 a fleet row changed to another channel changes only what that row says, never what is signed', async () => {
  const { server, client, signers, thief } = shared
  await publishRelease(client, await pushRelease(client, server.adminToken, '11.0.0'), signers)
  const device = await addDevice(client, server.url, await makeProvisioningKey(client, 1))
  await thief.write(async ({ sql }) => {
    await sql`update fleets set channel = 'nightly'`
    await sql`select pg_notify('fleets', '')`
  })
  // A channel that nobody signed has no releases; the device would refuse another channel's anyway.
  await waitUntil('nothing is assigned', async () => {
    return (await report(client, device)).assignment === null
  })
})

test('T6 proposals: outdated is refused, below threshold is refused, twice is refused', async () => {
  const { server, client, signers } = shared
  const first = await pushRelease(client, server.adminToken, '12.0.0')
  const second = await pushRelease(client, server.adminToken, '12.1.0')
  const [a, b] = [
    await propose(client, publishIntent(first)),
    await propose(client, publishIntent(second)),
  ]
  for (const proposal of [a, b]) await submit(client, proposal)
  await sign(client, a, signers.slice(0, 1))
  const apply = (id: string) => client.api.call(applyProposal, { params: { proposalId: id } })
  await assert.rejects(apply(a.id), refused('proposal_incomplete'))
  await sign(client, a, signers.slice(1))
  await sign(client, b, signers)
  const results = await Promise.allSettled([apply(a.id), apply(b.id), apply(a.id)])
  const done = results.filter(({ status }) => status === 'fulfilled')
  assert.equal(done.length, 1)
  for (const result of results) {
    if (result.status === 'rejected') {
      const { code } = result.reason as ProblemError
      assert.ok(['proposal_outdated', 'proposal_closed'].includes(code), code)
    }
  }
})

test('T1 a release whose content is not in the store cannot be proposed', async () => {
  const { server, client } = shared
  const release = await pushRelease(client, server.adminToken, '13.0.0')
  const ghost = { ...release, sha256: 'e'.repeat(64) }
  const proposal = await propose(client, publishIntent(ghost))
  await assert.rejects(submit(client, proposal), refused('release_content_missing'))
})

async function readLog(client: TestClient): Promise<Checkpoint> {
  const { logVerifierKey } = await client.api.call(showServer, {})
  const key = await parseNoteKey(logVerifierKey)
  const { bytes } = await client.send('GET', '/log/checkpoint')
  return verifyCheckpoint(bytes, {
    origin: key.name,
    logKeys: [key],
    witnesses: [],
    witnessesMin: 0,
  })
}

/** Waits for a checkpoint that covers every entry there is by now. */
async function awaitWholeLog(client: TestClient, db: Db): Promise<Checkpoint> {
  const [all] = await db.reader.sql<{ count: number }[]>`select count(*) from audit_entries`
  let current = await readLog(client)
  await waitUntil('all entries are signed', async () => {
    current = await readLog(client)
    return current.size >= all!.count
  })
  return current
}

function contactOf(
  client: TestClient,
  token: string,
  current: Checkpoint,
  remembered?: Checkpoint,
) {
  return {
    current,
    ...(remembered === undefined ? {} : { remembered }),
    sha256: nodeSha256,
    fetch: async (path: string) => {
      const { status, bytes } = await client.send('GET', `/log/${path}`, { token })
      return status === 200 ? bytes : undefined
    },
  }
}

test('T9 every action is an entry, provable under a checkpoint that only grows', async () => {
  const { server, client, signers, thief } = shared
  const first = await awaitWholeLog(client, thief)
  await publishRelease(client, await pushRelease(client, server.adminToken, '14.0.0'), signers)
  const published = (await fetchCurrent(client)).roles.get('acme.stable')!.signed.version
  await assert.rejects(
    client.api.call(createFleet, { body: { name: 'shops', product: 'acme', channel: 'stable' } }),
  )
  const second = await awaitWholeLog(client, thief)
  const contact = contactOf(client, server.adminToken, second, first)
  assert.equal((await verifyLog(contact)).kind, 'extended')
  const entries: { action: string; outcome: string; subject: string }[] = []
  for await (const { bytes } of verifyEntries(contact, 0)) {
    entries.push(JSON.parse(utf8Decode(bytes)) as (typeof entries)[number])
  }
  assert.equal(entries.length, second.size)
  const has = (action: string, outcome: string, subject?: string) =>
    entries.some(
      (e) => e.action === action && e.outcome === outcome && (subject ?? e.subject) === e.subject,
    )
  assert.ok(has('server.first-start', 'done'))
  assert.ok(has('proposal.sign', 'done'))
  assert.ok(has('proposal.apply', 'done'))
  assert.ok(has('trust.publish', 'done', `acme.stable/${published}`))
  assert.ok(has('registry.push', 'done'))
  assert.ok(has('release.create', 'done', 'acme@14.0.0'))
  assert.ok(has('fleet.create', 'refused', 'shops'))
})

test('T9 attack: one push again and again is one entry; what moves a tag or comes back after its deletion is one too', async () => {
  const { server, client, thief } = shared
  const release = await pushRelease(client, server.adminToken, '15.0.0')
  const other = await pushRelease(client, server.adminToken, '15.0.1')
  const type = 'application/vnd.oci.image.index.v1+json'
  const send = async (method: string, reference: string, bytes?: Uint8Array) => {
    const { status } = await client.send(method, `/v2/acme/manifests/${reference}`, {
      token: server.adminToken,
      ...(bytes === undefined ? {} : { headers: { 'content-type': type }, body: bytes }),
    })
    assert.ok(status === 201 || status === 202, `${method} ${reference}: ${status}`)
  }
  const countEntries = async () => {
    const [row] = await thief.reader.sql<{ count: number }[]>`
      select count(*)::int as count from audit_entries
      where convert_from(entry, 'UTF8') like '%"action":"registry.%'`
    return row!.count
  }
  const push = (bytes: Uint8Array, reference = 'latest') => send('PUT', reference, bytes)
  const steps: (readonly [entries: number, step: () => Promise<void>])[] = [
    [1, () => push(release.index)],
    [0, () => push(release.index)],
    // It was pushed by its digest before it was tagged.
    [0, () => push(release.index, `sha256:${release.sha256}`)],
    [1, () => push(other.index)],
    [0, () => push(other.index)],
    [1, () => push(release.index)],
    [1, () => send('DELETE', 'latest')],
    [1, () => push(release.index)],
    [0, () => push(release.index)],
    // The entry of a push could not be written: it is when the client tries again.
    [
      1,
      () =>
        thief.write(({ sql }) => sql`delete from recorded_pushes`).then(() => push(release.index)),
    ],
  ]
  for (const [i, [entries, step]] of steps.entries()) {
    const before = await countEntries()
    await step()
    assert.equal((await countEntries()) - before, entries, `step ${i}`)
  }
})

test('T9 an entry rewritten in the database is caught by whoever reads it', async () => {
  const { server, client, thief } = shared
  const current = await awaitWholeLog(client, thief)
  await thief.write(
    ({ sql }) =>
      sql`update audit_entries set entry = ${Buffer.from('{"nothing":"happened"}')} where leaf_index = 1`,
  )
  await assert.rejects(
    async () => {
      for await (const _ of verifyEntries(contactOf(client, server.adminToken, current), 0));
    },
    (error: LogError) => error.code === 'entry_mismatch',
  )
})

test('T9 a restored old database is noticed: by clients that looked before, and by the server itself', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'seaworthy-restore-'))
  const backup = await mkdtemp(join(tmpdir(), 'seaworthy-backup-'))
  let server = await startTestServer({ dataDir })
  const { adminToken } = server
  let client = createTestClient(server)
  try {
    const { signers } = await setUpTrust(client)
    const folders = ['postgresql'] as const
    const stop = async () => {
      client.close()
      await server.stop()
    }
    const start = async () => {
      server = await startTestServer({ dataDir })
      client = createTestClient({ ...server, adminToken })
    }
    await stop()
    for (const name of folders)
      await cp(join(dataDir, name), join(backup, name), {
        recursive: true,
        preserveTimestamps: true,
      })
    await start()
    await carryOut(client, { kind: 'renew', roles: ['acme.stable'] }, signers)
    const db = server.openDatabase()
    const remembered = await awaitWholeLog(client, db)
    await db.close()
    await stop()
    for (const name of folders) {
      await rm(join(dataDir, name), { recursive: true })
      await cp(join(backup, name), join(dataDir, name), {
        recursive: true,
        preserveTimestamps: true,
      })
    }
    await chownLike(dataDir)
    await start()
    const restored = await readLog(client)
    assert.ok(restored.size < remembered.size)
    await assert.rejects(
      verifyLog(contactOf(client, adminToken, restored, remembered)),
      (error: LogError) => error.code === 'log_truncated',
    )
    await awaitReadiness(client, /log_truncated/)
    assert.equal((await readLog(client)).size, restored.size)
    // A person has looked and accepts it: the host forgets what it signed before.
    await rm(join(dataDir, 'log-checkpoint'))
    await stop()
    await start()
    await systemSleep(1500)
    assert.doesNotMatch(await readiness(client), /log_truncated/)
    await stop()
  } finally {
    await server.kill().catch(() => undefined)
    for (const folder of [dataDir, backup]) await rm(folder, { recursive: true, force: true })
  }
})

/** Gives PostgreSQL's account its folders back: copies made as root belong to root. */
async function chownLike(dataDir: string): Promise<void> {
  if (process.getuid?.() !== 0) return
  const { spawnSync } = await import('node:child_process')
  const root = join(dataDir, 'postgresql')
  const account = spawnSync('id', ['-u', 'postgres']).status === 0 ? 'postgres' : '65534:65534'
  for (const name of ['data', 'run']) spawnSync('chown', ['-R', account, join(root, name)])
}

test('a wrong or missing master key is said so, and nothing starts', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'seaworthy-key-'))
  try {
    const server = await startTestServer({ dataDir })
    await server.stop().catch(() => undefined)
    await writeFile(join(dataDir, 'master.key'), `${'0'.repeat(64)}\n`)
    await assert.rejects(startTestServer({ dataDir }), /master key is not the one/)
    await rm(join(dataDir, 'master.key'))
    await assert.rejects(startTestServer({ dataDir }), /there is no master key/)
  } finally {
    await rm(dataDir, { recursive: true, force: true })
  }
})

test('A8 sealed secrets swapped for one another in the database do not open', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'seaworthy-swap-'))
  try {
    const server = await startTestServer({ dataDir })
    const thief = server.openDatabase()
    await thief.write(
      ({
        sql,
      }) => sql`update secrets set sealed = (select sealed from secrets where name = 'snapshot-key')
        where name = 'timestamp-key'`,
    )
    await thief.close()
    await server.stop()
    await assert.rejects(startTestServer({ dataDir }), /timestamp-key cannot be opened/)
  } finally {
    await rm(dataDir, { recursive: true, force: true })
  }
})
