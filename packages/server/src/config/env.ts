/**
 * What the command line and the environment say, as text; nothing is checked here beyond its form.
 */
import { parseArgs } from 'node:util'
import type { UpOption, UpOptionName } from '@seaworthy/api/up-options'
import { upOptions } from '@seaworthy/api/up-options'

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
  readonly help: boolean
}

/**
 * The command line explains the options: it builds its help from the table that also parses them.
 */
export const usage = 'See `seaworthy up --help`.'

export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** Options take precedence over variables. Throws `UsageError` on an option that does not exist. */
export function readEnv(
  argv: readonly string[],
  variables: Readonly<Record<string, string | undefined>>,
): Env {
  let values: Record<string, string | boolean | (string | boolean)[] | undefined>
  try {
    values = parseArgs({
      args: [...argv],
      options: {
        ...Object.fromEntries(
          upOptions.map((option) => [
            option.name,
            {
              type: 'value' in option ? ('string' as const) : ('boolean' as const),
              multiple: 'isRepeatable' in option,
            },
          ]),
        ),
        // Says only how a failure is told (`report-failure.ts`).
        json: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
      strict: true,
      allowPositionals: false,
    }).values
  } catch (cause) {
    throw new UsageError(cause instanceof Error ? cause.message : 'wrong options', { cause })
  }
  const read = (wanted: Exclude<UpOptionName, 'name'>): string | undefined => {
    const option: UpOption = upOptions.find(({ name }) => name === wanted)!
    const given = values[wanted]
    if (typeof given === 'string') return given
    return option.variable === undefined ? undefined : variables[option.variable]
  }
  const given = [values['name'] ?? []].flat().filter((name) => typeof name === 'string')
  const listed = (variables['SEAWORTHY_NAMES'] ?? '').split(',').filter(Boolean)
  return {
    dataDir: read('data-dir'),
    listen: read('listen'),
    databaseUrl: read('database-url'),
    blobs: read('blobs'),
    s3Endpoint: variables['SEAWORTHY_S3_ENDPOINT'],
    s3Region: variables['AWS_REGION'] ?? variables['AWS_DEFAULT_REGION'],
    names: given.length > 0 ? given : listed,
    renewsCertificate: values['renew-certificate'] === true,
    tlsCertificate: read('tls-certificate'),
    tlsKey: read('tls-key'),
    acmeDirectory: read('acme-directory'),
    acmeEmail: read('acme-email'),
    acmeAgreesTerms: values['acme-agree-terms'] === true,
    acmeCa: read('acme-ca'),
    acmeChallenge: read('acme-challenge'),
    acmeBindingId: read('acme-binding-id'),
    acmeBindingKey: read('acme-binding-key'),
    httpListen: read('http-listen'),
    replacesPin: values['replace-pin'] === true,
    endsCredentials: values['end-credentials'] === true,
    workers: read('workers'),
    logLevel: read('log-level'),
    masterKeyFile: read('master-key-file'),
    credentialKeyFile: read('credential-key-file'),
    credentialKeyCommand: read('credential-key-command'),
    readyFile: read('ready-file'),
    webFolder: read('web-folder'),
    otlpEndpoint: read('otlp-endpoint'),
    traceRatio: read('trace-ratio'),
    hasReportForm: values['report-form'] === true,
    hasFastPath: values['no-fast-path'] !== true,
    help: values['help'] === true,
  }
}
