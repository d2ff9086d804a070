/**
 * The options of `seaworthy up`: the command line and the server both build their side from this
 * one table.
 */

export interface UpOption {
  readonly name: string
  /** The value that the option takes, as help shows it; absent for a switch. */
  readonly value?: string
  readonly text: string
  /** What holds where nobody says anything, in words. */
  readonly standard?: string
  /** The environment variable that means the same; a list in it is separated by commas. */
  readonly variable?: string
  readonly isRepeatable?: true
  /** Whether a settings file (`--config`) cannot have it: it is for one start, or read before. */
  readonly isNotInFile?: true
}

export const upOptions = [
  {
    name: 'config',
    value: 'file',
    variable: 'SEAWORTHY_CONFIG',
    text: 'settings as JSON, with the names of these options (docs/reference/server-json.md); an option or a variable stands above them',
    standard: 'none',
    isNotInFile: true,
  },
  {
    name: 'print-config',
    text: 'print each setting and where it comes from, and start nothing',
    isNotInFile: true,
  },
  {
    name: 'data-dir',
    value: 'dir',
    variable: 'SEAWORTHY_DATA_DIR',
    text: 'where everything is kept',
    standard: './seaworthy-data',
  },
  {
    name: 'listen',
    value: 'host:port',
    variable: 'SEAWORTHY_LISTEN',
    text: 'address to listen on; port 0 takes a free one',
    standard: '127.0.0.1:8443',
  },
  {
    name: 'database-url',
    value: 'url',
    variable: 'DATABASE_URL',
    text: 'a PostgreSQL of your own (15 or newer) instead of the embedded one: postgres://USER@HOST/DATABASE?sslmode=verify-full&sslrootcert=FILE',
  },
  {
    name: 'blobs',
    value: 'location',
    variable: 'SEAWORTHY_BLOBS',
    text: 'where releases are stored: a folder, or s3://BUCKET/PREFIX?endpoint=https://HOST&region=NAME',
    standard: 'below the data folder',
  },
  {
    name: 'name',
    value: 'host',
    variable: 'SEAWORTHY_NAMES',
    text: 'a further name or address of this server in its certificate, repeatable',
    isRepeatable: true,
  },
  {
    name: 'renew-certificate',
    text: 'when a --name is not in the certificate, make a new one under the same key',
    isNotInFile: true,
  },
  {
    name: 'tls-certificate',
    value: 'file',
    variable: 'SEAWORTHY_TLS_CERTIFICATE',
    text: 'a certificate of your own instead of the one that the server makes: PEM, followed by those of its authorities; taken again when the file changes',
  },
  {
    name: 'tls-key',
    value: 'file',
    variable: 'SEAWORTHY_TLS_KEY',
    text: 'the private key of --tls-certificate',
    standard: 'the server’s own key, see `seaworthy server certificate request`',
  },
  {
    name: 'acme-directory',
    value: 'url',
    variable: 'SEAWORTHY_ACME_DIRECTORY',
    text: 'get the certificate from this ACME authority, for the server’s key and its names, and renew it; Let’s Encrypt is https://acme-v02.api.letsencrypt.org/directory',
  },
  {
    name: 'acme-email',
    value: 'address',
    variable: 'SEAWORTHY_ACME_EMAIL',
    text: 'where the authority may write to',
    standard: 'nowhere',
  },
  {
    name: 'acme-agree-terms',
    text: 'you have read the terms of the authority and agree to them; --acme-directory needs it',
  },
  {
    name: 'acme-challenge',
    value: 'kind',
    variable: 'SEAWORTHY_ACME_CHALLENGE',
    text: 'how the authority is shown that the names lead here: http-01 on port 80 (default), or tls-alpn-01 on port 443',
  },
  {
    name: 'acme-binding-id',
    value: 'id',
    variable: 'SEAWORTHY_ACME_BINDING_ID',
    text: 'the key ID of an account that you have with the authority (external account binding), where it wants one',
  },
  {
    name: 'acme-binding-key',
    value: 'file',
    variable: 'SEAWORTHY_ACME_BINDING_KEY',
    text: 'its key in base64url, in a file that only the server’s account can read',
  },
  {
    name: 'acme-ca',
    value: 'file',
    variable: 'SEAWORTHY_ACME_CA',
    text: 'PEM with the roots of an authority that is not public',
  },
  {
    name: 'http-listen',
    value: 'host:port',
    variable: 'SEAWORTHY_HTTP_LISTEN',
    text: 'address without TLS, where requests are sent on to https and an ACME authority finds its answers',
    standard: 'none, and port 80 with --acme-directory, unless the challenge is tls-alpn-01',
  },
  {
    name: 'replace-pin',
    text: 'serve a key that is not the one pinned so far: command lines and devices that pinned that must be paired again',
    isNotInFile: true,
  },
  {
    name: 'end-credentials',
    text: 'after a backup was restored: end all sessions, invitations, tokens and provisioning keys before the start',
    isNotInFile: true,
  },
  {
    name: 'workers',
    value: 'count',
    variable: 'SEAWORTHY_WORKERS',
    text: 'processes that answer requests',
    standard: 'one per core',
  },
  {
    name: 'master-key-file',
    value: 'file',
    variable: 'SEAWORTHY_MASTER_KEY_FILE',
    text: 'the key that seals online secrets',
    standard: 'in the data folder',
  },
  {
    name: 'credential-key-file',
    value: 'file',
    variable: 'SEAWORTHY_CREDENTIAL_KEY_FILE',
    text: 'the key of stored credentials, which must not be in the data folder',
    standard: 'none are stored',
  },
  {
    name: 'credential-key-command',
    value: 'program',
    variable: 'SEAWORTHY_CREDENTIAL_KEY_COMMAND',
    text: 'a program that holds that key instead, and wraps and unwraps with it (docs/CREDENTIALS.md)',
  },
  {
    name: 'ready-file',
    value: 'file',
    text: 'write url, pin, pid, tokenFile and ownerLinkFile as JSON here once the server answers',
    isNotInFile: true,
  },
  {
    name: 'web-folder',
    value: 'dir',
    variable: 'SEAWORTHY_WEB_FOLDER',
    text: 'the built pages that browsers get',
    standard: 'those of the package @seaworthy/web',
    isNotInFile: true,
  },
  {
    name: 'log-level',
    value: 'level',
    variable: 'SEAWORTHY_LOG_LEVEL',
    text: 'debug, info, warn or error',
    standard: 'info, or warn at a terminal',
  },
  {
    name: 'otlp-endpoint',
    value: 'url',
    variable: 'OTEL_EXPORTER_OTLP_ENDPOINT',
    text: 'send traces to this OpenTelemetry collector, by OTLP over HTTP',
    standard: 'no traces',
  },
  {
    name: 'trace-ratio',
    value: 'ratio',
    variable: 'SEAWORTHY_TRACE_RATIO',
    text: 'share of the requests that are traced, 0 to 1',
    standard: '1',
  },
  {
    name: 'report-form',
    text: 'take reports of vulnerabilities from anybody, by the form at /report, which promises answers in time and no legal steps (docs/DISCLOSURE.md)',
  },
  {
    name: 'no-fast-path',
    text: 'serve idle check-ins as every other request, which costs more processor time',
  },
] as const satisfies readonly UpOption[]

/** Those of them that `seaworthy export` and `import` take too: where everything is. */
export const placeOptionNames = [
  'config',
  'data-dir',
  'database-url',
  'blobs',
  'log-level',
] as const satisfies readonly UpOptionName[]

export type UpOptionName = (typeof upOptions)[number]['name']

/** What the option is, with what holds without it: a line of help. */
export function describeUpOption({ text, standard }: UpOption): string {
  return standard === undefined ? text : `${text} (default: ${standard})`
}

/** `HOST:PORT`, an IPv6 address in brackets; `undefined` where it is something else. */
export function parseListenAddress(text: string): { host: string; port: number } | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text)
  const port = Number(match?.[3])
  return match === null || port > 65535 ? undefined : { host: match[1] ?? match[2]!, port }
}

/** The text below the options in help; each line is a paragraph. */
export const upVariablesText = `These environment variables mean the same as an option: ${upOptions.flatMap((option) => ('variable' in option ? [option.variable] : [])).join(', ')}. \
SEAWORTHY_NAMES is separated by commas.
Credentials of object storage come from variables alone: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN; AWS_REGION and SEAWORTHY_S3_ENDPOINT say what --blobs leaves out. \
The password of the database is better in DATABASE_URL or PGPASSWORD than on the command line, where others may see it.`
