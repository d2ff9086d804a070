/**
 * The address of a PostgreSQL as libpq writes it:
 * `postgres://USER[:PASSWORD]@HOST[:PORT]/DATABASE?sslmode=…`.
 */

export type SslMode = 'disable' | 'require' | 'verify-ca' | 'verify-full'

export interface DatabaseUrl {
  /** Host name or address, or the absolute path of the folder with the socket. */
  readonly host: string
  readonly port: number
  readonly user: string
  /** Empty stands for PGPASSWORD, or for no password. */
  readonly password: string
  readonly database: string
  readonly sslMode: SslMode
  /** Files with certificates in PEM; without `sslRootCert` the system's authorities are trusted. */
  readonly sslRootCert: string | null
  readonly sslCert: string | null
  readonly sslKey: string | null
}

const sslModes: readonly string[] = ['disable', 'require', 'verify-ca', 'verify-full']
const parameters = ['host', 'sslmode', 'sslrootcert', 'sslcert', 'sslkey']

/**
 * Throws `SyntaxError` whose message never quotes the text, since that may hold a password. For
 * another machine the mode is `verify-full` unless another one is named: an attacker who reads or
 * changes the traffic to the database controls the server.
 */
export function parseDatabaseUrl(text: string): DatabaseUrl {
  const url = /^postgres(ql)?:\/\//.test(text) ? URL.parse(text) : null
  if (url === null) throw new SyntaxError('not of the form postgres://USER@HOST:PORT/DATABASE')
  for (const name of url.searchParams.keys()) {
    if (!parameters.includes(name)) {
      throw new SyntaxError(`it takes the parameters ${parameters.join(', ')} alone`)
    }
  }
  const named = url.searchParams.get('host') ?? decode(url.hostname)
  const host = named.replace(/^\[(.*)\]$/, '$1') || 'localhost'
  if (host.includes(',')) throw new SyntaxError('it takes one host')
  const isHere = host.startsWith('/') || /^(localhost|::1|127(\.\d{1,3}){3})$/.test(host)
  const rootCert = url.searchParams.get('sslrootcert')
  const mode =
    url.searchParams.get('sslmode') ?? (isHere && rootCert === null ? 'disable' : 'verify-full')
  if (!isSslMode(mode)) throw new SyntaxError(`sslmode is one of ${sslModes.join(', ')}`)
  const database = decode(url.pathname.slice(1))
  const user = decode(url.username)
  if (user === '') throw new SyntaxError('it names no user')
  if (/\p{Cc}/u.test(database + user + host)) throw new SyntaxError('it has control characters')
  const [sslCert, sslKey] = [url.searchParams.get('sslcert'), url.searchParams.get('sslkey')]
  if ((sslCert === null) !== (sslKey === null)) {
    throw new SyntaxError('sslcert and sslkey belong together')
  }
  return {
    host,
    port: url.port === '' ? 5432 : Number(url.port),
    user,
    password: decode(url.password),
    database: database === '' ? user : database,
    sslMode: mode,
    sslRootCert: rootCert === 'system' ? null : rootCert,
    sslCert,
    sslKey,
  }
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    throw new SyntaxError('a % in it is written as %25')
  }
}

function isSslMode(text: string): text is SslMode {
  return sslModes.includes(text)
}
