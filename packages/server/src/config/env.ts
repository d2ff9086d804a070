/**
 * What the command line and the environment say, as text; nothing is checked here beyond its form.
 */
import type { UpOptionName } from '@seaworthy/api/up-options'
import type { Setting, SettingSources } from './settings.ts'
import { readSettings } from './settings.ts'

export interface Env {
  readonly dataDir: string | undefined
  readonly listen: string | undefined
  readonly databaseUrl: string | undefined
  readonly blobs: string | undefined
  /** The part of the object storage's address that `blobs` does not name itself. */
  readonly s3Endpoint: string | undefined
  readonly s3Region: string | undefined
  readonly names: readonly string[]
  readonly renewsCertificate: boolean
  readonly tlsCertificate: string | undefined
  readonly tlsKey: string | undefined
  readonly acmeDirectory: string | undefined
  readonly acmeEmail: string | undefined
  readonly acmeAgreesTerms: boolean
  readonly acmeCa: string | undefined
  readonly acmeChallenge: string | undefined
  readonly acmeBindingId: string | undefined
  readonly acmeBindingKey: string | undefined
  readonly httpListen: string | undefined
  readonly replacesPin: boolean
  readonly endsCredentials: boolean
  readonly workers: string | undefined
  readonly logLevel: string | undefined
  readonly masterKeyFile: string | undefined
  readonly credentialKeyFile: string | undefined
  readonly credentialKeyCommand: string | undefined
  readonly readyFile: string | undefined
  readonly webFolder: string | undefined
  readonly otlpEndpoint: string | undefined
  readonly traceRatio: string | undefined
  readonly hasReportForm: boolean
  readonly hasFastPath: boolean
}

/**
 * The command line explains the options: it builds its help from the table that also parses them.
 */
export const usage = 'See `seaworthy up --help`.'

/** The settings by their names in the program. Throws `UsageError` as `readSettings` does. */
export function readEnv(sources: SettingSources): Env {
  return envOf(readSettings(sources), sources.variables)
}

export function envOf(
  settings: readonly Setting[],
  variables: Readonly<Record<string, string | undefined>>,
): Env {
  const valueOf = (name: UpOptionName) => settings.find((one) => one.name === name)?.value
  const read = (name: Exclude<UpOptionName, 'name'>): string | undefined => {
    const value = valueOf(name)
    return typeof value === 'string' ? value : undefined
  }
  const names = valueOf('name')
  return {
    dataDir: read('data-dir'),
    listen: read('listen'),
    databaseUrl: read('database-url'),
    blobs: read('blobs'),
    s3Endpoint: variables['SEAWORTHY_S3_ENDPOINT'],
    s3Region: variables['AWS_REGION'] ?? variables['AWS_DEFAULT_REGION'],
    names: Array.isArray(names) ? names : [],
    renewsCertificate: valueOf('renew-certificate') === true,
    tlsCertificate: read('tls-certificate'),
    tlsKey: read('tls-key'),
    acmeDirectory: read('acme-directory'),
    acmeEmail: read('acme-email'),
    acmeAgreesTerms: valueOf('acme-agree-terms') === true,
    acmeCa: read('acme-ca'),
    acmeChallenge: read('acme-challenge'),
    acmeBindingId: read('acme-binding-id'),
    acmeBindingKey: read('acme-binding-key'),
    httpListen: read('http-listen'),
    replacesPin: valueOf('replace-pin') === true,
    endsCredentials: valueOf('end-credentials') === true,
    workers: read('workers'),
    logLevel: read('log-level'),
    masterKeyFile: read('master-key-file'),
    credentialKeyFile: read('credential-key-file'),
    credentialKeyCommand: read('credential-key-command'),
    readyFile: read('ready-file'),
    webFolder: read('web-folder'),
    otlpEndpoint: read('otlp-endpoint'),
    traceRatio: read('trace-ratio'),
    hasReportForm: valueOf('report-form') === true,
    hasFastPath: valueOf('no-fast-path') !== true,
  }
}
