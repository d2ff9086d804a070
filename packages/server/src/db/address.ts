/**
 * Where PostgreSQL is and how it is reached: the connections under the driver, encrypted and
 * verified as the address says, and never stuck for good.
 */
import { once } from 'node:events'
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import type { Socket } from 'node:net'
import { createConnection, isIP } from 'node:net'
import { Duplex } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import { connect as connectTls } from 'node:tls'
import { describeSystemError } from '@seaworthy/std/system-errors'
import { minuteMs, secondMs } from '@seaworthy/std/time'
import type { DatabaseUrl } from '../config/database-url.ts'

export interface DatabaseTls {
  readonly mode: 'require' | 'verify-ca' | 'verify-full'
  /** PEM; `null` means the certificate authorities of the system. */
  readonly ca: string | null
  /** The certificate of this client, if the server asks for one. */
  readonly cert: string | null
  readonly key: string | null
  /** The file that the certificate comes from. */
  readonly certFile: string | null
}

export type DatabaseAddress =
  | { readonly kind: 'socket'; readonly socketFile: string; readonly database: string }
  | {
      readonly kind: 'server'
      readonly host: string
      readonly port: number
      readonly user: string
      readonly password: string
      readonly database: string
      readonly tls: DatabaseTls | null
    }

/**
 * The database cannot be used as it was named. The message says what to do and holds no password.
 */
export class DatabaseError extends Error {
  override readonly name = 'DatabaseError'
  readonly code = 'CONNECTION_REFUSED_BY_US'
}

const connectTimeoutMs = 10 * secondMs
/** Longer than any statement may take: a query without an answer for this long will not get one. */
const stallMs = minuteMs + 5 * secondMs

/** Reads the certificates that the URL names. Throws `DatabaseError`. */
export async function readDatabaseAddress(url: DatabaseUrl): Promise<DatabaseAddress> {
  const { host, port, user, password, database, sslMode } = url
  const readPem = async (file: string | null) => {
    if (file === null) return null
    try {
      return await readFile(file, 'utf8')
    } catch (cause) {
      const why = describeSystemError(cause) ?? 'it is no file of text'
      throw new DatabaseError(
        `--database-url: ${file} cannot be read: ${why}; check its path and who may read it`,
        { cause },
      )
    }
  }
  const ca = await readPem(url.sslRootCert)
  const cert = await readPem(url.sslCert)
  const key = await readPem(url.sslKey)
  if (url.sslKey !== null) await requireClosed(url.sslKey)
  if (cert !== null && key !== null) requirePair(url, cert, key)
  // In libpq, `require` with named authorities means `verify-ca`; here too.
  const mode = sslMode === 'require' && ca !== null ? 'verify-ca' : sslMode
  const tls = mode === 'disable' ? null : { mode, ca, cert, key, certFile: url.sslCert }
  return { kind: 'server', host, port, user, password, database, tls }
}

/** A key that other accounts can read proves nothing. Throws `DatabaseError`. */
async function requireClosed(file: string): Promise<void> {
  const { mode } = await stat(file)
  if ((mode & 0o027) === 0) return
  throw new DatabaseError(
    `--database-url: sslkey ${file} is open to other accounts (mode ${(mode & 0o777).toString(8)}): close it with \`chmod 640 ${file}\``,
  )
}

function requirePair({ sslCert, sslKey }: DatabaseUrl, cert: string, key: string): void {
  try {
    if (new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))) return
  } catch (cause) {
    throw new DatabaseError(
      `--database-url: sslcert ${sslCert} or sslkey ${sslKey} is not in PEM form, or the key has a passphrase`,
      { cause },
    )
  }
  throw new DatabaseError(
    `--database-url: sslcert ${sslCert} and sslkey ${sslKey} do not belong together`,
  )
}

/**
 * A connected stream for the driver. The promise never rejects: a connection that failed is a
 * stream that fails with the reason, which the driver can handle. A connection on which a query has
 * waited for `stallMs` ends itself.
 */
export async function openDatabaseSocket(address: DatabaseAddress): Promise<Duplex> {
  try {
    const plain = await openSocket(address)
    const socket =
      address.kind === 'server' && address.tls !== null
        ? await secure(plain, address.host, address.tls)
        : plain
    endWhenStuck(socket)
    return socket
  } catch (error) {
    return new Duplex({
      read() {},
      write: (_chunk, _encoding, done) => done(error instanceof Error ? error : null),
    })
  }
}

function connectTo(address: DatabaseAddress): Socket {
  if (address.kind === 'socket') return createConnection({ path: address.socketFile })
  const { host, port } = address
  if (host.startsWith('/')) return createConnection({ path: `${host}/.s.PGSQL.${port}` })
  return createConnection({ host, port, noDelay: true })
}

const noAnswer = 'PostgreSQL did not answer in time'

async function openSocket(address: DatabaseAddress): Promise<Socket> {
  const socket = connectTo(address)
  socket.setTimeout(connectTimeoutMs, () => {
    socket.destroy(new DatabaseError(`${noAnswer}; see that it runs and can be reached`))
  })
  await once(socket, 'connect')
  return socket
}

/** Switches to TLS in PostgreSQL's own way ("SSL Session Encryption"). Throws `DatabaseError`. */
async function secure(plain: Socket, host: string, tls: DatabaseTls): Promise<Socket> {
  const answered = new Promise<Buffer>((resolve, reject) => {
    plain.once('data', resolve)
    plain.once('error', reject)
    plain.once('close', () => {
      const what = `the PostgreSQL at ${host} closed the connection before it was secured`
      reject(new DatabaseError(`${what}; see its log, and whether it really is PostgreSQL`))
    })
  })
  plain.write(Uint8Array.of(0, 0, 0, 8, 4, 210, 22, 47))
  const answer = await answered
  // More than one byte would come from an attacker on the way.
  if (answer.length !== 1 || answer[0] !== 0x53) {
    plain.destroy()
    throw new DatabaseError(
      `the PostgreSQL at ${host} does not offer TLS: set it up there, or say sslmode=disable in --database-url if nobody can listen in`,
    )
  }
  const socket = connectTls({
    socket: plain,
    host,
    servername: isIP(host) === 0 ? host : '',
    minVersion: 'TLSv1.2',
    rejectUnauthorized: tls.mode !== 'require',
    ...(tls.mode === 'verify-full' ? {} : { checkServerIdentity: () => undefined }),
    ...(tls.ca === null ? {} : { ca: tls.ca }),
    ...(tls.cert === null ? {} : { cert: tls.cert, key: tls.key! }),
  })
  try {
    await once(socket, 'secureConnect')
  } catch (cause) {
    plain.destroy()
    throw new DatabaseError(
      `the PostgreSQL at ${host} could not prove who it is (${codeOf(cause)}): check sslmode and sslrootcert in --database-url`,
      { cause },
    )
  }
  plain.setTimeout(0)
  explainRefusal(socket, host, tls)
  return socket
}

/**
 * Says why a database ends the connection. TLS 1.3 lets it judge our certificate after the
 * handshake has ended for us; its alert is lost where what we write meets a closed connection.
 */
function explainRefusal(socket: TLSSocket, host: string, { certFile }: DatabaseTls): void {
  if (certFile === null) return
  let hasAnswered = false
  socket.once('data', () => {
    hasAnswered = true
  })
  const explain = (error: unknown) =>
    hasAnswered || error instanceof DatabaseError
      ? error
      : new DatabaseError(
          `the PostgreSQL at ${host} does not take the certificate in sslcert ${certFile} (${codeOf(error)}): give one of an authority that it knows, with those above it, within its dates`,
          { cause: error },
        )
  // Node reports an alert without destroying the socket first, so every kind of end comes by here.
  const emit = socket.emit.bind(socket) as (event: string | symbol, ...args: unknown[]) => boolean
  socket.emit = (event: string | symbol, ...args: unknown[]) =>
    event === 'error' ? emit(event, explain(args[0])) : emit(event, ...args)
}

function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code
  return typeof code === 'string' ? code : 'TLS failed'
}

/**
 * Silence by itself is no fault, because a connection may be idle; but every query must be
 * answered.
 */
function endWhenStuck(socket: Socket): void {
  let writtenAtAnswer = socket.bytesWritten
  socket.on('data', () => {
    writtenAtAnswer = socket.bytesWritten
  })
  socket.removeAllListeners('timeout')
  socket.setTimeout(stallMs, () => {
    if (socket.bytesWritten !== writtenAtAnswer) {
      socket.destroy(new DatabaseError(`${noAnswer}; see its log and its load`))
    }
  })
}
