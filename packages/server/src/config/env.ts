/** What the command line and the environment say, as text; nothing is checked here beyond its form. */
import { parseArgs } from 'node:util'

export interface Env {
  readonly dataDir: string | undefined
  readonly listen: string | undefined
  readonly databaseUrl: string | undefined
  readonly blobs: string | undefined
  /** Object storage that `blobs` does not name itself. */
  readonly s3Endpoint: string | undefined
  readonly s3Region: string | undefined
  readonly names: readonly string[]
  readonly renewsCertificate: boolean
  readonly workers: string | undefined
  readonly logLevel: string | undefined
  readonly masterKeyFile: string | undefined
  readonly readyFile: string | undefined
  readonly otlpEndpoint: string | undefined
  readonly traceRatio: string | undefined
  readonly help: boolean
}

export const usage = `Usage: seaworthy up [options]

Run the server.

  --data-dir DIR          where everything is kept (default ./seaworthy-data)
  --listen HOST:PORT      address and port; port 0 takes a free one (default 127.0.0.1:8443)
  --database-url URL      a PostgreSQL (15 or newer) to use instead of the embedded one:
                          postgres://USER@HOST/DATABASE?sslmode=verify-full&sslrootcert=FILE
  --blobs DIR|s3://…      where release content is kept (default DATA-DIR/blobs); in object storage:
                          s3://BUCKET/PREFIX?endpoint=https://HOST&region=NAME
  --name HOST             a further name or address of this server, for its certificate (repeatable)
  --renew-certificate     when a --name is not in the certificate, make a new one under the same key
  --workers N             worker processes (default: one per core)
  --master-key-file FILE  key that seals the online secrets (default DATA-DIR/master.key)
  --ready-file FILE       written once the server answers: JSON with url, pin, pid, tokenFile
  --log-level LEVEL       debug, info, warn or error (default info)
  --otlp-endpoint URL     send traces to this OpenTelemetry collector (OTLP over HTTP); without it there are none
  --trace-ratio RATIO     share of the requests that are traced, 0 to 1 (default 1)
  --help                  show this text

Each option may be given as an environment variable too: SEAWORTHY_DATA_DIR, SEAWORTHY_LISTEN,
DATABASE_URL, SEAWORTHY_BLOBS, SEAWORTHY_NAMES (separated by commas), SEAWORTHY_WORKERS,
SEAWORTHY_MASTER_KEY_FILE, SEAWORTHY_LOG_LEVEL, OTEL_EXPORTER_OTLP_ENDPOINT, SEAWORTHY_TRACE_RATIO.
Credentials of object storage come from variables alone: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY,
AWS_SESSION_TOKEN; AWS_REGION and SEAWORTHY_S3_ENDPOINT say what --blobs leaves out. The password of
the database is better in DATABASE_URL or PGPASSWORD than on the command line, where others may see it.
`

export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** Options before variables. Throws `UsageError` on an option that does not exist. */
export function readEnv(
  argv: readonly string[],
  variables: Readonly<Record<string, string | undefined>>,
): Env {
  const string = { type: 'string' } as const
  let values
  try {
    values = parseArgs({
      args: [...argv],
      options: {
        'data-dir': string,
        listen: string,
        'database-url': string,
        blobs: string,
        name: { type: 'string', multiple: true },
        'renew-certificate': { type: 'boolean' },
        workers: string,
        'log-level': string,
        'master-key-file': string,
        'ready-file': string,
        'otlp-endpoint': string,
        'trace-ratio': string,
        help: { type: 'boolean', short: 'h' },
      },
      strict: true,
      allowPositionals: false,
    }).values
  } catch (cause) {
    throw new UsageError(cause instanceof Error ? cause.message : 'wrong options', { cause })
  }
  const names = values.name ?? (variables['SEAWORTHY_NAMES'] ?? '').split(',').filter(Boolean)
  return {
    dataDir: values['data-dir'] ?? variables['SEAWORTHY_DATA_DIR'],
    listen: values.listen ?? variables['SEAWORTHY_LISTEN'],
    databaseUrl: values['database-url'] ?? variables['DATABASE_URL'],
    blobs: values.blobs ?? variables['SEAWORTHY_BLOBS'],
    s3Endpoint: variables['SEAWORTHY_S3_ENDPOINT'],
    s3Region: variables['AWS_REGION'] ?? variables['AWS_DEFAULT_REGION'],
    names,
    renewsCertificate: values['renew-certificate'] ?? false,
    workers: values.workers ?? variables['SEAWORTHY_WORKERS'],
    logLevel: values['log-level'] ?? variables['SEAWORTHY_LOG_LEVEL'],
    masterKeyFile: values['master-key-file'] ?? variables['SEAWORTHY_MASTER_KEY_FILE'],
    readyFile: values['ready-file'],
    otlpEndpoint: values['otlp-endpoint'] ?? variables['OTEL_EXPORTER_OTLP_ENDPOINT'],
    traceRatio: values['trace-ratio'] ?? variables['SEAWORTHY_TRACE_RATIO'],
    help: values.help ?? false,
  }
}
