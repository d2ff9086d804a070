/**
 * Access to PostgreSQL. Functions that read take a `ReadTx`, functions that write a `WriteTx`. What
 * gets a `ReadTx` cannot write: neither its type nor the database allows it, since its sessions are
 * read-only.
 */
import type { Log } from '@seaworthy/std/log'
import type * as driver from 'postgres'
import { lockKeys } from './lock-keys.ts'
import type { DatabaseAddress } from './address.ts'
import { openDatabaseSocket } from './address.ts'
import type { ArrayElement } from './arrays.ts'
import { arrayTypes } from './arrays.ts'
import { postgres } from './driver.ts'

declare const writes: unique symbol

type Types = Record<keyof typeof arrayTypes, readonly ArrayElement[]> & { bigint: number }
type Sql = driver.Sql<Types>
type TransactionSql = driver.TransactionSql<Types>
type SqlPart = driver.PendingQuery<driver.Row[]>

export interface ReadTx {
  readonly sql: Sql | TransactionSql
}

export interface WriteTx {
  readonly sql: TransactionSql
  /**
   * The time of the transaction: the database's clock when it is first asked for, and the same from
   * then on, so that everything the transaction writes carries one time. Ask only when the locks
   * are held: then the order in which several replicas decide is the order of their times, whatever
   * their own clocks say.
   */
  readonly now: () => Promise<Date>
  /**
   * The same clock within a statement, which needs no question before it: the moment at which the
   * statement began.
   */
  readonly atStatement: () => SqlPart
  readonly [writes]: true
}

/** A value of ours as the driver takes it: its type for JSON knows no interfaces. */
export function storable(value: object): driver.JSONValue {
  return value as driver.JSONValue
}

export interface Subscription {
  readonly channel: string
  readonly onNotify: (payload: string) => void
  /**
   * Called when listening begins, and again after every interruption: whatever was missed must be
   * read anew.
   */
  readonly onListening: () => void
}

export interface Db {
  /** Each statement sees the newest committed state. */
  readonly reader: ReadTx
  /**
   * Serves questions that people put together as they like: two at a time, each for five seconds
   * at most. Whatever they cost, nothing else waits for them.
   */
  readonly questions: ReadTx
  /** All statements see one state. */
  readSnapshot<T>(work: (tx: ReadTx) => Promise<T>): Promise<T>
  /** Commits when `work` resolves; returns only when the commit is durable. */
  write<T>(work: (tx: WriteTx) => Promise<T>): Promise<T>
  /**
   * Runs `work`, which must be a single statement over rows looked up by key. The statement is its
   * own transaction, which saves two round trips, and it touches the rows in the order in which
   * they are given.
   */
  writeRows<T>(work: (tx: WriteTx) => Promise<T>): Promise<T>
  subscribe(subscriptions: readonly Subscription[]): Promise<void>
  /**
   * Takes the leader's session lock on a connection of its own, or answers `undefined` when another
   * session has it. PostgreSQL ends the session, and with it the leadership, when it has heard
   * nothing for `leaseMs`.
   */
  tryLead(): Promise<Leadership | undefined>
  /** Ends the session of `tryLead`, which may hang, and releases whatever it holds. */
  endLead(): Promise<void>
  close(): Promise<void>
}

export interface Leadership {
  /**
   * Keeps the lock for another `leaseMs`. Rejects when it may be lost: whoever holds it must stop
   * at once.
   */
  check(): Promise<void>
  /** Ends the session at once, also when the database does not answer; may be called again. */
  release(): Promise<void>
}

const user = 'seaworthy'
/**
 * How long a leader keeps its lock without a sign of life: enough for a busy moment, and not much
 * longer.
 */
const leaseMs = 3500

function connect(
  address: DatabaseAddress,
  log: Log,
  options: {
    max: number
    readOnly: boolean
    parameters?: Readonly<Record<string, string>>
    /** Whether the connection is kept, instead of being replaced now and then. */
    isLasting?: boolean
  },
): Sql {
  const settings = {
    max: options.max,
    // Longer than our own connection timeout, whose message says why.
    connect_timeout: 15,
    /**
     * Keep-alive in seconds: a peer that vanishes silently is noticed within a quarter of a minute.
     */
    keep_alive: 5,
    ...(options.isLasting === true ? { max_lifetime: null } : {}),
    ssl: false,
    socket: () => openDatabaseSocket(address),
    // The driver's own waits grow to 20 s, longer than PostgreSQL needs to come back.
    backoff: (attempt: number) => Math.min(0.05 * 2 ** attempt, 1),
    onnotice: (notice: driver.Notice) => log.debug('postgresql.notice', { ...notice }),
    // Array types are known here (`arrays.ts`).
    fetch_types: false,
    types: {
      ...arrayTypes,
      // They are counters and sizes, all of which stay below 2^53.
      bigint: { to: 20, from: [20], parse: Number, serialize: String },
    },
    connection: {
      application_name: 'seaworthy',
      default_transaction_read_only: options.readOnly,
      // What was acknowledged is on disk, whatever the database's own default says.
      synchronous_commit: 'on',
      statement_timeout: 60_000,
      timezone: 'UTC',
      // A server that froze or was cut off must not withhold rows, locks and snapshots from the
      // others.
      idle_in_transaction_session_timeout: 4000,
      client_connection_check_interval: 4000,
      tcp_user_timeout: 10_000,
      tcp_keepalives_idle: 4,
      tcp_keepalives_interval: 2,
      tcp_keepalives_count: 3,
      ...options.parameters,
    },
  }
  if (address.kind === 'socket') {
    return postgres({ ...settings, path: address.socketFile, user, database: address.database })
  }
  const { host, port, user: username, password, database } = address
  return postgres({ ...settings, host, port, username, password, database })
}

/** The database's clock, which all replicas share. */
export async function readClock({ sql }: ReadTx): Promise<Date> {
  const [row] = await sql<{ now: Date }[]>`select clock_timestamp() as now`
  return row!.now
}

function writeTx(sql: Sql | TransactionSql): WriteTx {
  let asked: Promise<Date> | undefined
  const now = () => (asked ??= readClock({ sql }))
  const atStatement = () => sql`statement_timestamp()`
  return { sql, now, atStatement } as unknown as WriteTx
}

/**
 * Lets this transaction pause for as long as a start may take on a busy machine. Nobody waits for
 * what it holds but other servers that start.
 */
export async function allowPauses({ sql }: WriteTx): Promise<void> {
  await sql`set local idle_in_transaction_session_timeout = '60s'`
}

export function openDb(address: DatabaseAddress, log: Log): Db {
  const writer = connect(address, log, { max: 8, readOnly: false })
  const reader = connect(address, log, { max: 8, readOnly: true })
  // Rows are found by key, one after the other, however few there are: a hash join would lock them
  // in another order.
  const rowWriter = connect(address, log, {
    max: 2,
    readOnly: false,
    parameters: {
      enable_hashjoin: 'off',
      enable_mergejoin: 'off',
      enable_seqscan: 'off',
      plan_cache_mode: 'force_generic_plan',
    },
  })
  const asker = connect(address, log, {
    max: 2,
    readOnly: true,
    parameters: { statement_timeout: '5000', work_mem: '16MB' },
  })
  let leader: Sql | undefined
  const endLead = async () => {
    const session = leader
    leader = undefined
    await session?.end({ timeout: 0 })
  }
  return {
    reader: { sql: reader },
    questions: { sql: asker },
    async readSnapshot(work) {
      return (await reader.begin('isolation level repeatable read read only', (sql) =>
        work({ sql }),
      )) as Awaited<ReturnType<typeof work>>
    },
    async write(work) {
      return (await writer.begin((sql) => work(writeTx(sql)))) as Awaited<ReturnType<typeof work>>
    },
    writeRows: (work) => work(writeTx(rowWriter)),
    async subscribe(subscriptions) {
      for (const { channel, onNotify, onListening } of subscriptions) {
        await writer.listen(channel, onNotify, onListening)
      }
    },
    async tryLead() {
      // The leader has a session of its own: it must not wait for others, and it is thrown away
      // with the leadership.
      leader ??= connect(address, log, {
        max: 1,
        readOnly: false,
        isLasting: true,
        parameters: { idle_session_timeout: String(leaseMs) },
      })
      const session = leader
      const [row] = await session`select pg_try_advisory_lock(${lockKeys.leader}::int) as locked`
      if (row?.['locked'] !== true) return undefined
      return {
        async check() {
          const rows = await session`
            select 1 from pg_locks
            where locktype = 'advisory' and pid = pg_backend_pid() and objid = ${lockKeys.leader}::int::oid and granted`
          if (rows.length === 0) throw new Error('the leader lock is lost')
        },
        release: endLead,
      }
    },
    endLead,
    async close() {
      await Promise.all([writer, reader, rowWriter, asker].map((sql) => sql.end({ timeout: 5 })))
      await endLead()
    },
  }
}

/** Makes the server's own database in the embedded cluster if there is none. */
export async function createDatabase(address: DatabaseAddress, log: Log): Promise<void> {
  const sql = connect(address, log, { max: 1, readOnly: false })
  try {
    const rows = await sql`select 1 from pg_database where datname = 'seaworthy'`
    if (rows.length === 0) await sql`create database seaworthy`
  } finally {
    await sql.end({ timeout: 5 })
  }
}

/**
 * Whether `error` says that the database could not be reached or went away, rather than that a
 * statement was wrong.
 */
export function isUnreachable(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code
  return (
    typeof code === 'string' &&
    /^(CONNECTION_|CONNECT_TIMEOUT|ECONN|ENOENT$|EPIPE|ETIMEDOUT|57P0|25P03|08|53300)/.test(code)
  )
}

/** Whether PostgreSQL ended a statement because it took longer than its session allows. */
export function isTakingTooLong(error: unknown): boolean {
  return (error as { code?: unknown } | null)?.code === '57014'
}

/**
 * Whether PostgreSQL ended a transaction because of others that ran at the same time: it may be
 * tried again.
 */
export function isSerializationFailure(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code
  return code === '40001' || code === '40P01'
}

/** Whether the database answers at the moment, and whether any session holds the lock `key`. */
export async function pingDatabase(db: Db): Promise<'unreachable' | 'no-leader' | 'well'> {
  try {
    const rows = await db.reader.sql`
      select 1 from pg_locks where locktype = 'advisory' and objid = ${lockKeys.leader}::int::oid and granted
        and database = (select oid from pg_database where datname = current_database())`
    return rows.length === 0 ? 'no-leader' : 'well'
  } catch (error) {
    if (isUnreachable(error)) return 'unreachable'
    throw error
  }
}
