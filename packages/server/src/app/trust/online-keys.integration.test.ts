/**
 * How the keys on the server are replaced, as after a break-in (T6), and that nobody's proposals
 * keep anybody from it.
 */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import type { ProblemError } from '@seaworthy/api/problems'
import { applyProposal, createProposal, listProposals } from '@seaworthy/api/proposals'
import { createToken } from '@seaworthy/api/tokens'
import { createOnlineKey, showOnlineKeys, showTrustStatus } from '@seaworthy/api/trust'
import { readBody } from '@seaworthy/std/http'
import { systemRandom } from '@seaworthy/std/random'
import { TrustError } from '@seaworthy/std/refusal'
import { ManualClock, systemClock } from '@seaworthy/std/time'
import type { Signer } from '@seaworthy/trust/keys'
import { keyId } from '@seaworthy/trust/keys'
import type { TufClient } from '@seaworthy/trust/tuf'
import { createTrustState, openTufClient } from '@seaworthy/trust/tuf'
import { memoryStateStore } from '@seaworthy/trust/testing'
import { loadMasterKey } from '../../config/master-key.ts'
import { listCurrentMetadata } from '../../db/metadata.ts'
import { getProposal } from '../../db/proposals.ts'
import { listSecretVersions } from '../../db/online-secrets.ts'
import type { TrustState } from '../app.ts'
import { loadTrustState } from './trust-plane.ts'
import type { TestClient, TestServer } from '../../testing/index.ts'
import {
  carryOut,
  createTestClient,
  propose,
  setUpTrust,
  sign,
  startTestServer,
  submit,
} from '../../testing/index.ts'

let server: TestServer
let client: TestClient
let signers: Signer[]
let device: TufClient

before(async () => {
  server = await startTestServer()
  client = createTestClient(server)
  ;({ signers } = await setUpTrust(client))
  device = await provisionDevice()
  await device.refresh()
})
after(async () => {
  client.close()
  await server.stop()
})

/** A device's view of the repository, anchored at the first root. */
async function provisionDevice(): Promise<TufClient> {
  const fetchMetadata = async (name: string, bytesMax: number) => {
    const response = await client.transport({ method: 'GET', url: `${server.url}/tuf/${name}` })
    const bytes = await readBody(response, bytesMax)
    return response.status === 200 ? bytes : undefined
  }
  const anchor = (await fetchMetadata('1.root.json', 1_000_000))!
  const store = memoryStateStore()
  const options = { anchor, profile: 'strict', notBefore: systemClock.now() } as const
  await createTrustState(options, store)
  const clock = new ManualClock(systemClock.now())
  return openTufClient(options, { clock, store, fetchMetadata })
}

async function countSecrets(name: string): Promise<number> {
  const db = server.openDatabase()
  try {
    return (await listSecretVersions(db.reader, name)).length
  } finally {
    await db.close()
  }
}

for (const role of ['snapshot', 'timestamp'] as const) {
  test(`T6 a new ${role} key counts when a root names it; the old one is destroyed; a device just follows`, async () => {
    const before = await client.api.call(showOnlineKeys, {})
    const online = await client.api.call(createOnlineKey, { params: { role } })
    assert.notDeepEqual(online[role], before[role])
    assert.equal(await countSecrets(`${role}-key`), 2)
    // The new key is made, but not named yet: the old one goes on signing.
    await device.refresh()
    const authority = { keys: online[role], threshold: 1 }
    await carryOut(client, { kind: 'rotate', role, authority }, signers)
    assert.equal(await countSecrets(`${role}-key`), 1)
    const { roles } = await client.api.call(showTrustStatus, {})
    const named = roles.find((view) => view.role === role)!.keyIds
    assert.deepEqual(named, [await keyId(online[role][0]!)])
    await device.refresh()
  })
}

test('T10 A9 attack: many roots and old versions make each publication slower', async (t) => {
  const db = server.openDatabase()
  const verify = t.mock.method(crypto.subtle, 'verify')
  const countOf = async (work: () => Promise<unknown>) => {
    const before = verify.mock.callCount()
    await work()
    return verify.mock.callCount() - before
  }
  try {
    const masterKey = await loadMasterKey(join(server.dataDir, 'master.key'), systemRandom, false)
    const load = (known?: TrustState) =>
      db.readSnapshot((tx) => loadTrustState(tx, masterKey, known))
    const known = (await load())!
    assert.ok(known.roots.length > 1)
    const first = await countOf(() => load())
    const again = await countOf(() => load(known))
    assert.ok(again < first, `${again} of ${first} signatures are verified again`)
    for (let more = 1; more <= 2; more += 1) {
      const online = await client.api.call(createOnlineKey, { params: { role: 'timestamp' } })
      const authority = { keys: online.timestamp, threshold: 1 }
      await carryOut(client, { kind: 'rotate', role: 'timestamp', authority }, signers)
    }
    const grown = (await load(known))!
    assert.equal(grown.roots.length, known.roots.length + 2)
    assert.equal(await countOf(() => load(grown)), again)
    assert.ok((await countOf(() => load())) > first)
    // Known roots that are not those of the database vouch for nothing.
    await assert.rejects(
      db.write(async (tx) => {
        await tx.sql`update tuf_metadata set bytes = bytes || ' ' where role = 'root' and version = 2`
        await loadTrustState(tx, masterKey, grown)
      }),
      TrustError,
    )
    await assert.rejects(
      db.write(async (tx) => {
        await tx.sql`delete from tuf_metadata where role = 'root' and version > 1`
        await loadTrustState(tx, masterKey, grown)
      }),
      TrustError,
    )
    // What was read of the table by the look-up, with 3,000 old versions and without them.
    const readOf = async (older: number) => {
      let read = -1
      const undo = new Error('undone')
      await assert.rejects(
        db.write(async (tx) => {
          await tx.sql`
            insert into tuf_metadata (role, version, bytes, published_at)
            select 'timestamp', 1000000 + n, '', now() from generate_series(1, ${older}::int) n`
          await tx.sql`analyze tuf_metadata`
          const counted = async () => {
            const [row] = await tx.sql<[{ count: number }]>`
              select (seq_tup_read + coalesce(idx_tup_fetch, 0))::int as count
              from pg_stat_xact_user_tables where relname = 'tuf_metadata'`
            return row.count
          }
          const before = await counted()
          await listCurrentMetadata(tx)
          read = (await counted()) - before
          throw undo
        }),
        undo,
      )
      return read
    }
    const [few, many] = [await readOf(1), await readOf(3000)]
    assert.ok(many < few + 100, `${many} rows are read where ${few} were before`)
  } finally {
    await db.close()
  }
})

test('T6 a root that names an online key which the server does not have is refused', async () => {
  const strangers = { keys: [signers[0]!.key], threshold: 1 }
  const proposal = await propose(client, {
    kind: 'rotate',
    role: 'timestamp',
    authority: strangers,
  })
  await assert.rejects(
    submit(client, proposal),
    (error: ProblemError) => error.code === 'online_keys_not_named',
  )
})

test('T6 attack: open proposals of another product, whatever they hold, keep nobody from publishing a new root', async () => {
  const authority = { keys: signers.map(({ key }) => key), threshold: 2 }
  const channel = { kind: 'channel-create', product: 'acme', authority } as const
  const [overtaken, beta] = [
    await propose(client, { ...channel, channel: 'overtaken' }),
    await propose(client, { ...channel, channel: 'beta' }),
  ]
  for (const proposal of [overtaken, beta]) await submit(client, proposal)
  const db = server.openDatabase()
  try {
    // No publication looks into it: whoever did would refuse it, or read it for as long as it
    // likes.
    await db.write(
      ({ sql }) => sql`
        insert into proposals (id, kind, title, state, roles, document, created_at, created_by)
        values ('proposal_unreadable', 'renew', 'Renew other', 'open', ${['other']}::text[],
          ${Buffer.from('unreadable')}, now(), 'somebody')`,
    )
    await carryOut(client, { kind: 'renew', roles: ['root'] }, signers)
    const stateOf = async (id: string) => (await getProposal(db.reader, id))?.state
    assert.equal(await stateOf('proposal_unreadable'), 'open')
    assert.equal(await stateOf(overtaken.id), 'open')
    await sign(client, beta, signers)
    await client.api.call(applyProposal, { params: { proposalId: beta.id } })
    assert.equal(await stateOf('proposal_unreadable'), 'open')
    assert.equal(await stateOf(overtaken.id), 'outdated')
    assert.equal(await stateOf(beta.id), 'applied')
  } finally {
    await db.write(({ sql }) => sql`delete from proposals where id = 'proposal_unreadable'`)
    await db.close()
  }
})

const refused = (code: string) => (error: ProblemError) => error.code === code

test('A4 attack: proposals of other products are not read for whoever lists their own', async () => {
  const { token } = await client.api.call(createToken, {
    body: { name: 'v', role: 'viewer', products: ['acme'], lifetimeSeconds: 3600 },
  })
  const own = await propose(client, { kind: 'renew', roles: ['acme.stable'] })
  const all = await propose(client, { kind: 'renew', roles: ['targets'] })
  for (const proposal of [own, all]) await submit(client, proposal)
  const db = server.openDatabase()
  try {
    await db.write(
      ({ sql }) => sql`
        insert into proposals (id, kind, title, state, roles, document, created_at, created_by)
        values ('proposal_unreadable', 'renew', 'Renew other', 'open', ${['other']}::text[],
          ${Buffer.from('unreadable')}, now(), 'somebody')`,
    )
    const query = { state: 'open', limit: 100 } as const
    const { items } = await client.as(token).call(listProposals, { query })
    const ids = items.map(({ id }) => id)
    assert.ok(ids.includes(own.id))
    assert.ok(!ids.includes(all.id), 'what concerns every product is for tokens without a scope')
  } finally {
    await db.write(({ sql }) => sql`delete from proposals where id = 'proposal_unreadable'`)
    await db.close()
  }
})

test('T5 attack: what one token leaves open is bounded in number, and evidence in size', async () => {
  const { token, view } = await client.api.call(createToken, {
    body: { name: 'c', role: 'releaser', products: ['acme'], lifetimeSeconds: 3600 },
  })
  const proposal = await propose(client, { kind: 'renew', roles: ['acme'] })
  const send = (body: object) =>
    client.as(token).call(createProposal, { body: { proposal: { ...body } } })
  const evidence = { text: 'a'.repeat(16 * 1024) }
  await assert.rejects(send({ ...proposal, evidence }), refused('proposal_too_large'))
  const db = server.openDatabase()
  try {
    await db.write(
      ({ sql }) => sql`
        insert into proposals (id, kind, title, state, roles, document, created_at, created_by)
        select 'proposal_left' || n, 'renew', 'Renew acme.beta', 'open', ${['acme.beta']}::text[],
          ${Buffer.from('unreadable')}, now(), ${view.id} from generate_series(1, 64) n`,
    )
    await assert.rejects(send(proposal), refused('proposals_too_many'))
    await db.write(
      ({ sql }) => sql`update proposals set state = 'rejected' where id = 'proposal_left7'`,
    )
    assert.equal((await send(proposal)).state, 'open')
    await db.write(
      ({ sql }) => sql`
        insert into proposals (id, kind, title, state, roles, document, created_at, created_by)
        select 'proposal_more' || n, 'renew', 'Renew acme.beta', 'open', ${['acme.beta']}::text[],
          ${Buffer.from('unreadable')}, now(), 'somebody' from generate_series(1, 256) n`,
    )
    const another = await propose(client, { kind: 'renew', roles: ['acme'] })
    await assert.rejects(submit(client, another), refused('proposals_too_many'))
    await submit(client, await propose(client, { kind: 'renew', roles: ['root'] }))
  } finally {
    await db.write(({ sql }) => sql`delete from proposals where id ~ '^proposal_(left|more)'`)
    await db.close()
  }
})

test('T5 attack: what one token proposes and takes back without end is kept in bounded number and size, and the audit log keeps all', async () => {
  const { token, view } = await client.api.call(createToken, {
    body: { name: 'd', role: 'releaser', products: ['acme'], lifetimeSeconds: 3600 },
  })
  const send = async () => {
    const proposal = await propose(client, { kind: 'renew', roles: ['acme'] })
    const body = { proposal: { ...proposal } }
    return client.as(token).call(createProposal, { body })
  }
  const db = server.openDatabase()
  const insert = (name: string, count: number, state: string, by: string, bytes = 10) =>
    db.write(
      ({ sql }) => sql`
        insert into proposals (id, kind, title, state, roles, document, created_at, created_by)
        select 'proposal_0' || ${name}::text || lpad(n::text, 4, '0'), 'renew', 'Renew acme', ${state},
          ${['acme']}::text[], convert_to(repeat('a', ${bytes}), 'UTF8'), now(), ${by} from generate_series(1, ${count}::integer) n`,
    )
  const kept = async (name: string) => {
    const rows = await db.reader.sql<{ id: string }[]>`
      select id from proposals where starts_with(id, ${`proposal_0${name}`}) order by id`
    return [rows.length, rows.at(0)?.id.slice(-4)]
  }
  try {
    await insert('applied', 300, 'applied', view.id)
    await insert('others', 300, 'rejected', 'somebody')
    await insert('closed', 300, 'outdated', view.id)
    await send()
    assert.deepEqual(await kept('closed'), [256, '0045'])
    // The newest come last in the order of their ids, and fill what there is room for.
    await insert('large', 9, 'rejected', view.id, 16 * 1024 * 1024)
    await send()
    assert.deepEqual(await kept('large'), [4, '0006'])
    assert.deepEqual(await kept('closed'), [0, undefined])
    assert.deepEqual(await kept('applied'), [300, '0001'])
    assert.deepEqual(await kept('others'), [300, '0001'])
    const [told] = await db.reader.sql<{ count: number }[]>`
      select count(*) as count from audit_entries
      where position(${view.id} in convert_from(entry, 'UTF8')) > 0
        and position('proposal.create' in convert_from(entry, 'UTF8')) > 0`
    assert.equal(told!.count, 2)
  } finally {
    await db.write(({ sql }) => sql`delete from proposals where starts_with(id, 'proposal_0')`)
    await db.close()
  }
})
