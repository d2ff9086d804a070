/**
 * The checked configuration of one server. It is plain data, so that it can be sent to the workers
 * as it is.
 */
import { join, resolve } from 'node:path'
import { parseListenAddress } from '@seaworthy/api/up-options'
import type { S3Location } from '@seaworthy/oci/store/s3'
import { parseS3Location } from '@seaworthy/oci/store/s3'
import { quoted } from '@seaworthy/std/printable'
import type { LogLevel } from '@seaworthy/std/log'
import { parseDatabaseUrl } from './database-url.ts'
import type { Env } from './env.ts'
import { UsageError } from './settings.ts'
import { findNameFault } from './name-fault.ts'

const challengeKinds = ['http-01', 'tls-alpn-01'] as const
/** How an ACME authority is shown that a name is ours: without TLS, or in a handshake. */
export type ChallengeKind = (typeof challengeKinds)[number]

export interface Config {
  readonly dataDir: string
  readonly listen: { readonly host: string; readonly port: number }
  /** `null` stands for the embedded PostgreSQL below `dataDir`. */
  readonly databaseUrl: string | null
  readonly blobs: BlobLocation
  /** Names and addresses in the server certificate, beyond localhost. */
  readonly names: readonly string[]
  /**
   * Whether a new certificate is made, under the same key, when the present one lacks one of the
   * names.
   */
  readonly renewsCertificate: boolean
  /** The files of the operator's own certificate; without a key file it is for our own key. */
  readonly tls: { readonly certificateFile: string; readonly keyFile: string | null } | null
  /** The ACME authority that makes the certificate; `null` where none does. */
  readonly acme: {
    readonly directory: string
    readonly email: string | null
    readonly challenge: ChallengeKind
    readonly caFile: string | null
    /** What binds the account to one that was made with the authority before. */
    readonly binding: { readonly keyId: string; readonly keyFile: string } | null
  } | null
  /** Where requests without TLS are sent on to https; `null` where nothing listens. */
  readonly httpListen: { readonly host: string; readonly port: number } | null
  /** Whether a key may be served that paired command lines and devices have not pinned. */
  readonly replacesPin: boolean
  /** Whether all credentials end with which somebody could come in without proving who they are. */
  readonly endsCredentials: boolean
  readonly workersCount: number
  readonly logLevel: LogLevel
  /** Whether idle check-ins are answered without Node's HTTP (`http/fast-path`). */
  readonly hasReportForm: boolean
  readonly hasFastPath: boolean
  readonly masterKeyFile: string
  /** What holds the key of stored credentials; `null` where there are none. */
  readonly credentialKey: { readonly kind: 'file' | 'command'; readonly path: string } | null
  readonly readyFile: string | null
  /** The folder with the pages that browsers get; `null` when none are served. */
  readonly webFolder: string | null
  /** Where traces are sent; `null` when there are none. */
  readonly traces: { readonly endpoint: string; readonly ratio: number } | null
}

/** Where release content is kept. */
export type BlobLocation =
  | { readonly kind: 'folder'; readonly folder: string }
  | ({ readonly kind: 's3' } & Readonly<S3Location>)

const logLevels: readonly LogLevel[] = ['debug', 'info', 'warn', 'error']

export interface Machine {
  readonly cwd: string
  readonly coresCount: number
  /**
   * Whether a person reads the log on the terminal, next to the lines that are printed for them.
   */
  readonly isTerminal: boolean
}

/** Throws `UsageError` that names the option and what it takes. */
export function checkConfig(env: Env, machine: Machine): Config {
  const dataDir = resolve(machine.cwd, env.dataDir ?? 'seaworthy-data')
  const standard = machine.isTerminal ? 'warn' : 'info'
  const logLevel = logLevels.find((level) => level === (env.logLevel ?? standard))
  if (logLevel === undefined) throw new UsageError(`--log-level takes ${logLevels.join(', ')}`)
  if (env.databaseUrl !== undefined) checkDatabaseUrl(env.databaseUrl)
  for (const name of env.names) {
    const fault = findNameFault(name)
    if (fault !== undefined) throw new UsageError(`--name: ${fault}`)
  }
  const listen = parseListen('--listen', env.listen ?? '127.0.0.1:8443')
  const acme = parseAcme(env, machine.cwd)
  return {
    dataDir,
    listen,
    databaseUrl: env.databaseUrl ?? null,
    blobs: parseBlobs(env, { ...machine, dataDir }),
    names: env.names.map((name) => name.toLowerCase()),
    renewsCertificate: env.renewsCertificate,
    tls: parseTls(env, machine.cwd),
    acme,
    httpListen: parseHttpListen(env, acme?.challenge === 'http-01' ? listen.host : null),
    replacesPin: env.replacesPin,
    endsCredentials: env.endsCredentials,
    workersCount: parseCount('--workers', env.workers, machine.coresCount),
    logLevel,
    hasReportForm: env.hasReportForm,
    hasFastPath: env.hasFastPath,
    masterKeyFile:
      env.masterKeyFile === undefined
        ? join(dataDir, 'master.key')
        : resolve(machine.cwd, env.masterKeyFile),
    credentialKey: parseCredentialKey(env, machine.cwd),
    readyFile: env.readyFile === undefined ? null : resolve(machine.cwd, env.readyFile),
    webFolder: env.webFolder === undefined ? null : resolve(machine.cwd, env.webFolder),
    traces: parseTraces(env),
  }
}

function parseTls({ tlsCertificate, tlsKey, renewsCertificate }: Env, cwd: string): Config['tls'] {
  if (tlsCertificate === undefined) {
    if (tlsKey === undefined) return null
    throw new UsageError('--tls-key goes with --tls-certificate: give both files')
  }
  if (renewsCertificate) {
    throw new UsageError(
      '--renew-certificate is for the certificate that the server makes itself: leave it out, or leave out --tls-certificate',
    )
  }
  const keyFile = tlsKey === undefined ? null : resolve(cwd, tlsKey)
  return { certificateFile: resolve(cwd, tlsCertificate), keyFile }
}

function parseCredentialKey(
  { credentialKeyFile: file, credentialKeyCommand: command }: Env,
  cwd: string,
): Config['credentialKey'] {
  if (file !== undefined && command !== undefined) {
    throw new UsageError(
      '--credential-key-file and --credential-key-command are two places for one key: give one',
    )
  }
  if (file !== undefined) return { kind: 'file', path: resolve(cwd, file) }
  return command === undefined ? null : { kind: 'command', path: resolve(cwd, command) }
}

function parseAcme(env: Env, cwd: string): Config['acme'] {
  const { acmeDirectory, acmeEmail, acmeAgreesTerms, acmeCa, acmeChallenge } = env
  if (acmeDirectory === undefined) {
    const others = [acmeEmail, acmeCa, acmeChallenge, env.acmeBindingId, env.acmeBindingKey]
    if (others.every((other) => other === undefined) && !acmeAgreesTerms) return null
    throw new UsageError('the options that begin with --acme- go with --acme-directory')
  }
  const url = URL.parse(acmeDirectory)
  if (url?.protocol !== 'https:' || url.username !== '' || url.password !== '') {
    throw new UsageError('--acme-directory takes an https URL, that of the authority’s directory')
  }
  if (!acmeAgreesTerms) {
    throw new UsageError(
      '--acme-directory needs --acme-agree-terms: read the terms of the authority first, a link stands in its directory',
    )
  }
  if (acmeEmail !== undefined && !/^[^\s@:,<>?]{1,64}@[^\s@:,<>?]{1,253}$/.test(acmeEmail)) {
    throw new UsageError('--acme-email takes one address, for example admin@example.org')
  }
  const challenge = challengeKinds.find((kind) => kind === (acmeChallenge ?? 'http-01'))
  if (challenge === undefined) {
    throw new UsageError(`--acme-challenge takes ${challengeKinds.join(' or ')}`)
  }
  if (env.tlsCertificate !== undefined) {
    throw new UsageError(
      '--acme-directory and --tls-certificate both bring the certificate: give one of them',
    )
  }
  return {
    directory: url.href,
    email: acmeEmail ?? null,
    challenge,
    caFile: acmeCa === undefined ? null : resolve(cwd, acmeCa),
    binding: parseBinding(env, cwd),
  }
}

function parseBinding(
  { acmeBindingId: keyId, acmeBindingKey: keyFile }: Env,
  cwd: string,
): NonNullable<Config['acme']>['binding'] {
  if (keyId === undefined && keyFile === undefined) return null
  if (keyId === undefined || keyFile === undefined || !/^[\x21-\x7e]{1,200}$/.test(keyId)) {
    throw new UsageError(
      '--acme-binding-id and --acme-binding-key go together: what the authority shows as key ID, and a file with the key',
    )
  }
  return { keyId, keyFile: resolve(cwd, keyFile) }
}

function parseHttpListen({ httpListen }: Env, neededOn: string | null): Config['httpListen'] {
  if (httpListen !== undefined) return parseListen('--http-listen', httpListen)
  return neededOn === null ? null : { host: neededOn, port: 80 }
}

function parseBlobs(env: Env, { cwd, dataDir }: { cwd: string; dataDir: string }): BlobLocation {
  if (env.blobs === undefined) return { kind: 'folder', folder: join(dataDir, 'blobs') }
  if (!env.blobs.includes('://')) return { kind: 'folder', folder: resolve(cwd, env.blobs) }
  try {
    const defaults = { endpoint: env.s3Endpoint, region: env.s3Region }
    return { kind: 's3', ...parseS3Location(env.blobs, defaults) }
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause
    throw new UsageError(`--blobs: ${cause.message}`, { cause })
  }
}

function checkDatabaseUrl(text: string): void {
  try {
    parseDatabaseUrl(text)
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause
    // The cause is left out, because it may quote the URL and the password in it.
    throw new UsageError(`--database-url: ${cause.message}`)
  }
}

function parseListen(option: string, text: string): { host: string; port: number } {
  const address = parseListenAddress(text)
  if (address !== undefined) return address
  throw new UsageError(
    `${option}: ${quoted(text)} is not of the form HOST:PORT, such as 0.0.0.0:443 or [::]:443`,
  )
}

/** The address that OTLP expects is the collector's own followed by `/v1/traces`. */
function parseTraces({ otlpEndpoint, traceRatio }: Env): Config['traces'] {
  const ratio = Number(traceRatio ?? '1')
  if (!/^[\d.]+$/.test(traceRatio ?? '1') || !(ratio >= 0 && ratio <= 1)) {
    throw new UsageError('--trace-ratio takes a number from 0 to 1')
  }
  if (otlpEndpoint === undefined || otlpEndpoint === '') return null
  const url = URL.parse(otlpEndpoint)
  const isRight =
    url !== null && /^https?:$/.test(url.protocol) && url.search === '' && url.hash === ''
  // The address is shown in logs, so it must hold no credentials.
  if (!isRight || url.username !== '' || url.password !== '') {
    throw new UsageError(
      '--otlp-endpoint takes an http or https URL without a password, such as http://localhost:4318',
    )
  }
  return { endpoint: `${url.href.replace(/\/$/, '')}/v1/traces`, ratio }
}

function parseCount(option: string, text: string | undefined, byDefault: number): number {
  if (text === undefined) return byDefault
  if (!/^[1-9]\d{0,2}$/.test(text)) throw new UsageError(`${option} takes a number from 1 to 999`)
  return Number(text)
}
