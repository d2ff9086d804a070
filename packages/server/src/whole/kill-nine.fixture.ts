/**
 * O1: the whole server is killed at the commits of changes that take several steps, just before and
 * just after them. Afterwards it starts, whatever was acknowledged is there, nothing is half done,
 * and whoever repeats the change comes to its end.
 */
import assert from 'node:assert/strict'
import { readFileSync, readdirSync } from 'node:fs'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInvitation } from '@seaworthy/api/invitations'
import { disablePerson, showPerson } from '@seaworthy/api/people'
import { applyProposal, listProposals } from '@seaworthy/api/proposals'
import { showSelf } from '@seaworthy/api/server'
import { announceServerKey, showServerKey, useServerKey } from '@seaworthy/api/server-keys'
import { createToken } from '@seaworthy/api/tokens'
import { silentLog } from '@seaworthy/std/log'
import { waitUntil } from '@seaworthy/std/testing'
import { claimPort } from '@seaworthy/std/testing/ports'
import type { Signer } from '@seaworthy/trust/keys'
import type { Proposal } from '@seaworthy/trust/tuf'
import type { Db } from '../db/connection.ts'
import { openDb } from '../db/connection.ts'
import type { PostgresCluster } from '../postgres/index.ts'
import type { CommitLink, CommitMoment } from '../testing/commit-link.ts'
import { openCommitLink } from '../testing/commit-link.ts'
import { startTestCluster } from '../testing/prepared-database.ts'
import type { TestBrowser, TestClient, TestServer } from '../testing/index.ts'
import {
  acceptLink,
  becomeOwner,
  createTestBrowser,
  createTestClient,
  propose,
  publishIntent,
  pushRelease,
  setUpTrust,
  sign,
  startTestServer,
  submit,
} from '../testing/index.ts'

export interface Moment {
  /** The number of the commit, from 1. */
  readonly number: number
  readonly moment: CommitMoment
}

/** Every moment, for as long as somebody asks for one more. */
export function* everyMoment(): Generator<Moment> {
  for (let number = 1; ; number++) {
    yield { number, moment: 'before' }
    yield { number, moment: 'after' }
  }
}

/** One database, with a server that dies as it is told. */
export interface Harbour {
  readonly cluster: PostgresCluster
  readonly link: CommitLink
  readonly root: string
  close(): Promise<void>
}

export async function openHarbour(): Promise<Harbour> {
  const root = await mkdtemp(join(tmpdir(), 'seaworthy-kill-nine-'))
  const cluster = await startTestCluster(root)
  const link = await openCommitLink(cluster.socketFile)
  return {
    ...{ root, cluster, link },
    async close() {
      link.close()
      await cluster.stop()
      await rm(root, { recursive: true, force: true })
    },
  }
}

export const openDirectly = ({ cluster: { socketFile } }: Harbour, database = 'seaworthy'): Db =>
  openDb({ kind: 'socket', socketFile, database }, silentLog)

export function startIn(
  { link }: Harbour,
  place: { readonly dataDir: string; readonly port: number; readonly database?: string },
  args: readonly string[] = [],
): Promise<TestServer> {
  const { dataDir, port, database = 'seaworthy' } = place
  const url = `postgres://seaworthy@127.0.0.1:${link.port}/${database}`
  return startTestServer({ dataDir, port, args: ['--database-url', url, ...args] })
}

/** The processes of the server that runs in this folder, its workers included. */
function findProcesses(dataDir: string): number[] {
  const isOurs = (pid: string) => {
    try {
      const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
      return words.includes(dataDir) && words.some((word) => word.includes('/main.ts'))
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === 'ENOENT' || code === 'ESRCH') return false
      throw error
    }
  }
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && isOurs(name))
    .map(Number)
}

export function killAll(dataDir: string): void {
  for (const pid of findProcesses(dataDir)) process.kill(pid, 'SIGKILL')
}

export const untilGone = (dataDir: string) =>
  waitUntil('the processes are gone', async () => findProcesses(dataDir).length === 0)

/** Everything that a story needs of the server, which is another one after each death. */
export interface Ship {
  server: TestServer
  client: TestClient
  owner: TestBrowser
  readonly adminToken: string
  readonly signers: readonly Signer[]
  readonly db: Db
  /** Connects anew, by this pin. */
  reconnect(pin: string): Promise<void>
}

export interface Story<R> {
  /** What is there before the change. */
  begin(ship: Ship, round: number): Promise<R>
  /** Makes the change, and notes what was acknowledged. */
  act(ship: Ship, round: R): Promise<void>
  /** Looks at what is there after the death, and comes to the end of the change. */
  finish(ship: Ship, round: R): Promise<void>
}

/** Tells each story at all these moments, or until it ends before the server dies. */
export async function surviveAll(
  harbour: Harbour,
  stories: Readonly<Record<string, Story<unknown>>>,
  listMoments: (story: string) => Iterable<Moment>,
  tell: (line: string) => void,
): Promise<void> {
  const dataDir = join(harbour.root, 'server')
  await mkdir(dataDir)
  const place = { dataDir, port: await claimPort() }
  const first = await startIn(harbour, place)
  const { adminToken } = first
  const client = createTestClient(first)
  const owner = createTestBrowser(first, client)
  const { signers } = await setUpTrust(client)
  await becomeOwner(first, owner)
  const ship: Ship = {
    ...{ server: first, client, owner, adminToken, signers, db: openDirectly(harbour) },
    async reconnect(pin) {
      ship.client.close()
      ship.server = { ...ship.server, pin }
      ship.client = createTestClient({ ...ship.server, adminToken })
      const { authenticator } = ship.owner
      ship.owner = createTestBrowser(ship.server, ship.client, { authenticator })
      await ship.owner.signIn()
    },
  }
  let round = 0
  try {
    for (const [name, story] of Object.entries(stories)) {
      let deaths = 0
      for (const { number, moment } of listMoments(name)) {
        const begun = await story.begin(ship, ++round)
        harbour.link.strikeAt(number, moment, () => killAll(dataDir))
        const failure = await story.act(ship, begun).then(
          () => undefined,
          (error: unknown) => error,
        )
        const isDead = harbour.link.mend()
        if (!isDead) {
          if (failure !== undefined && !isUnavailable(failure)) assert.ifError(failure)
        } else {
          deaths++
          await untilGone(dataDir)
          ship.server = await startIn(harbour, place)
          await insist(() => ship.reconnect(ship.server.pin))
        }
        try {
          await insist(() => story.finish(ship, begun))
          await insist(() => checkLog(ship))
        } catch (error) {
          throw new Error(
            `${name}, killed ${moment} commit ${number}, ${isDead ? 'dead' : 'alive'}: ${ship.server.log()}`,
            {
              cause: error,
            },
          )
        }
        if (!isDead && failure === undefined) break
      }
      assert.ok(deaths > 0, `${name}: the server died`)
      tell(`${name}: ${deaths} deaths`)
    }
  } finally {
    ship.client.close()
    await ship.db.close()
    killAll(dataDir)
    await untilGone(dataDir)
  }
}

const isUnavailable = (error: unknown) => (error as { code?: unknown }).code === 'unavailable'

/**
 * Asks again while the server says that it cannot answer now, as clients do: on a machine that is
 * busy enough PostgreSQL ends a transaction that pauses.
 */
export async function insist(work: () => Promise<void>): Promise<void> {
  for (;;) {
    try {
      return await work()
    } catch (error) {
      if (!isUnavailable(error)) throw error
    }
  }
}

/** Every entry of the audit log gets its place, and no server remembers another log. */
async function checkLog({ client, db }: Ship): Promise<void> {
  await waitUntil('every entry is in the log', async () => {
    const [row] = await db.reader.sql<[{ isWhole: boolean }]>`
      select (select count(*) from audit_entries) = size as "isWhole" from log_state`
    return row.isWhole
  })
  await waitUntil('the server is ready', async () => {
    const { status } = await client.send('GET', '/readyz')
    return status === 200
  })
}

export async function countDone(
  { db }: Pick<Ship, 'db'>,
  action: string,
  subject: string,
): Promise<number> {
  const [row] = await db.reader.sql<[{ count: number }]>`
    select count(*)::int as count from audit_entries
    where convert_from(entry, 'UTF8')::jsonb @> ${db.reader.sql.json({ action, subject, outcome: 'done' })}`
  return row.count
}

interface Publication {
  readonly version: string
  proposal?: Proposal
  /** The steps that were acknowledged. */
  readonly done: Set<'pushed' | 'submitted' | 'signed' | 'applied'>
}

async function advance(ship: Ship, one: Publication): Promise<void> {
  const { client, adminToken, signers } = ship
  const release = await pushRelease(client, adminToken, one.version)
  one.done.add('pushed')
  one.proposal ??= await propose(client, publishIntent(release))
  const proposal = one.proposal
  const view = (await listAll(client)).find(({ id }) => id === proposal.id)
  // The proposal was applied before the server was killed: nothing is left to repeat.
  if (view?.state === 'applied') return
  if (view === undefined) await submit(client, proposal)
  one.done.add('submitted')
  await sign(client, proposal, signers)
  one.done.add('signed')
  await client.api.call(applyProposal, { params: { proposalId: proposal.id } })
  one.done.add('applied')
}

const listAll = async (client: TestClient) =>
  (await client.api.call(listProposals, { query: { limit: 1000 } })).items

/** The paths of the releases that a device would find on `acme/stable`. */
async function listSigned(client: TestClient): Promise<string[]> {
  const fetchJson = async (name: string) => {
    const { status, json } = await client.send('GET', `/tuf/${name}.json`)
    assert.equal(status, 200, name)
    return json() as { signed: { meta: Record<string, { version: number }>; targets: object } }
  }
  const newest = (await fetchJson('timestamp')).signed.meta['snapshot.json']!
  const { meta } = (await fetchJson(`${newest.version}.snapshot`)).signed
  for (const [file, { version }] of Object.entries(meta)) {
    await fetchJson(`${version}.${file.replace(/\.json$/, '')}`)
  }
  const { signed } = await fetchJson(`${meta['acme.stable.json']!.version}.acme.stable`)
  return Object.keys(signed.targets)
}

const publish: Story<Publication> = {
  begin: (_, round) => Promise.resolve({ version: `1.${round}.0`, done: new Set() }),
  act: advance,
  async finish(ship, one) {
    const { client } = ship
    const path = `acme/stable/${one.version}`
    const view = (await listAll(client)).find(({ id }) => id === one.proposal?.id)
    const isListed = (await listSigned(client)).includes(path)
    assert.equal(isListed, view?.state === 'applied', 'a release is published as a whole')
    if (one.done.has('applied')) assert.ok(isListed, 'it was acknowledged')
    if (one.done.has('submitted')) assert.ok(view !== undefined, 'the proposal was acknowledged')
    await advance(ship, one)
    const listed = await listSigned(client)
    assert.equal(listed.filter((signed) => signed === path).length, 1)
    assert.equal(await countDone(ship, 'proposal.apply', one.proposal!.id), 1)
  },
}

interface KeyChange {
  readonly before: string
  next?: string
  isUsed: boolean
}

const useNextKey: Story<KeyChange> = {
  begin: ({ server }) => Promise.resolve({ before: server.pin, isUsed: false }),
  async act({ client }, one) {
    const { next } = await client.api.call(announceServerKey, { body: {} })
    one.next = next!.pin
    await client.api.call(useServerKey, { body: { pin: next!.pin } })
    one.isUsed = true
  },
  async finish(ship, one) {
    // The client has connected by the pin that the server itself has named.
    const shown = await ship.client.api.call(showServerKey, {})
    if (one.isUsed) assert.equal(shown.pin, one.next)
    if (shown.pin === one.before) {
      if (one.next !== undefined) assert.equal(shown.next?.pin, one.next, 'it was acknowledged')
      const { next } = await ship.client.api.call(announceServerKey, { body: {} })
      one.next = next!.pin
      await ship.client.api.call(useServerKey, { body: { pin: next!.pin } })
    } else assert.equal(shown.next, null, 'nothing is left of the change')
    const { count } = await countSecrets(ship.db)
    assert.equal(count, 1, 'there is one key, and none that waits')
    await ship.reconnect(one.next ?? shown.pin)
    assert.equal((await ship.client.api.call(showServerKey, {})).pin, one.next ?? shown.pin)
  },
}

async function countSecrets({ reader }: Db): Promise<{ count: number }> {
  const [row] = await reader.sql<[{ count: number }]>`
    select count(*)::int as count from secrets where name in ('tls-key', 'tls-key-next')`
  return row
}

interface Farewell {
  readonly personId: string
  readonly browser: TestBrowser
  readonly token: string
  isEnded: boolean
}

const disable: Story<Farewell> = {
  async begin({ server, client, owner }, round) {
    const { link } = await owner.api.call(createInvitation, { body: { role: 'admin' } })
    const browser = createTestBrowser(server, client)
    const { person } = await acceptLink(browser, link, `Person ${round}`)
    const body = { name: `made-${round}`, role: 'viewer', lifetimeSeconds: 86_400 } as const
    const { token } = await browser.api.call(createToken, { body })
    return { personId: person.id, browser, token, isEnded: false }
  },
  async act({ owner }, one) {
    await owner.api.call(disablePerson, { params: { personId: one.personId } })
    one.isEnded = true
  },
  async finish(ship, one) {
    const params = { personId: one.personId }
    const showEnd = async () => {
      const { view, entries } = {
        view: await ship.owner.api.call(showPerson, { params }),
        entries: await countDone(ship, 'person.disable', one.personId),
      }
      const cookies = [...one.browser.cookies]
      const browser = createTestBrowser(ship.server, ship.client)
      for (const [name, value] of cookies) browser.cookies.set(name, value)
      const [session, token] = await Promise.all([
        opens(browser.api.call(showSelf, {})),
        opens(ship.client.as(one.token).call(showSelf, {})),
      ])
      return { isDisabled: view.disabledAt !== null, entries, session, token }
    }
    const whole = { isDisabled: true, entries: 1, session: false, token: false }
    const nothing = { isDisabled: false, entries: 0, session: true, token: true }
    const found = await showEnd()
    assert.deepEqual(found, one.isEnded || found.isDisabled ? whole : nothing)
    if (!found.isDisabled) await ship.owner.api.call(disablePerson, { params })
    assert.deepEqual(await showEnd(), whole)
  },
}

const opens = (asked: Promise<unknown>) =>
  asked.then(
    () => true,
    (error: unknown) => {
      assert.equal((error as { status?: number }).status, 401, String(error))
      return false
    },
  )

export const coreStories = {
  'publishing a release': publish,
  'changing the key of the server': useNextKey,
  'disabling a person': disable,
} as const

/**
 * Kills a server at its first start, each time on a new database and in a new folder. The next
 * start comes to its end, and the token that it prints opens the server.
 */
export async function surviveFirstStarts(
  harbour: Harbour,
  moments: Iterable<Moment>,
  tell: (line: string) => void,
): Promise<void> {
  let deaths = 0
  const maintenance = openDirectly(harbour, 'postgres')
  try {
    for (const { number, moment } of moments) {
      const database = `newborn_${number}_${moment}`
      await maintenance.writeRows(({ sql }) => sql.unsafe(`create database ${database}`))
      const dataDir = join(harbour.root, database)
      await mkdir(dataDir)
      const place = { dataDir, port: await claimPort(), database }
      harbour.link.strikeAt(number, moment, () => killAll(dataDir))
      // A killed server does not start; one that was not killed must have, as is asserted below.
      const started = await startIn(harbour, place).catch(() => undefined)
      const isDead = harbour.link.mend()
      if (isDead) {
        deaths++
        await untilGone(dataDir)
      } else assert.ok(started !== undefined, 'whoever is not killed starts')
      const server = isDead ? await startIn(harbour, place) : started!
      const client = createTestClient(server)
      try {
        await insist(async () => void (await client.api.call(showSelf, {})))
        await insist(
          async () => void (await becomeOwner(server, createTestBrowser(server, client))),
        )
      } catch (error) {
        throw new Error(`killed ${moment} commit ${number}: ${server.log()}`, { cause: error })
      } finally {
        client.close()
        killAll(dataDir)
        await untilGone(dataDir)
      }
      if (!isDead) break
    }
    assert.ok(deaths > 0, 'the server died')
    tell(`the first start: ${deaths} deaths`)
  } finally {
    await maintenance.close()
  }
}
