/**
 * A valid value for a schema, found by looking at it: the examples of openapi.json, and what the
 * fuzzer starts from. The same schema always has the same example.
 */
import type { z } from 'zod'

const ulid = '0'.repeat(26)
const idOf = (kind: string) => `${kind}_${ulid}`
const hex = 'a'.repeat(64)

/**
 * What members of that name are like. The first value that the schema takes is used, so that a name
 * may stand for several things.
 */
const byName: Readonly<Record<string, readonly unknown[]>> = {
  about: ['The console of the crane.'],
  account: ['vera@example.org'],
  action: ['fleet.set'],
  actor: [idOf('token')],
  address: ['192.0.2.7'],
  after: ['gateway-0016'],
  agentVersion: ['0.1.0'],
  allows: ['fleet:read'],
  always: ['release'],
  appId: ['gateway'],
  approvedBy: [idOf('person')],
  architecture: ['arm64'],
  attempt: [1],
  attributes: [{ board: 'gate-rev-b' }],
  bakeSeconds: [1800],
  baselineVersion: ['1.3.2'],
  bootedAt: ['2026-03-01T06:00:00Z'],
  bootId: ['2f1c7d3e'],
  by: [idOf('person')],
  bytes: [12582912],
  caPem: ['-----BEGIN CERTIFICATE-----\n…'],
  challenge: ['AAAA'],
  changedBy: [idOf('person')],
  channel: ['stable'],
  clientId: ['seaworthy'],
  code: ['download_failed', 'BCDF-GHJK'],
  configVersion: [7],
  content: ['AAAA'],
  counter: [12],
  createdBy: [idOf('person')],
  credential: ['crane-console'],
  deniedBy: ['no-secrets'],
  denies: ['secret:write'],
  deviceCode: [`${'A'.repeat(43)}`],
  devicesCount: [120],
  displayName: ['Vera Viewer'],
  effect: ['Moves 120 devices of harbour to 1.4.0.'],
  effectSha256: [hex],
  email: ['vera@example.org'],
  externalId: ['gateway-0017'],
  failurePercentMax: [2],
  fallbackTimeZone: ['Europe/Berlin'],
  fleet: ['harbour'],
  fleets: ['harbour'],
  freeBytes: [2_100_000_000],
  from: ['22:00'],
  group: ['operators'],
  groupsClaim: ['groups'],
  hardware: ['raspberry-pi-4'],
  holder: ['gateway-0017'],
  holdersCount: [3],
  inFlightMax: [50],
  iss: ['https://login.example.org'],
  issuer: ['https://login.example.org', 'CN=Seaworthy'],
  kernel: ['6.12.48+deb13-arm64'],
  key: ['region', 'ed25519'],
  keyid: [hex],
  keyIds: [hex],
  keytype: ['ed25519'],
  kind: ['publish'],
  knowledge: ['Vfdpxa'],
  length: [12582912],
  lifetimeSeconds: [2592000, 86400, 3600],
  limit: [100, '100'],
  logVerifierKey: ['ship.example+00000000+AAAA'],
  machine: ['gateway-0017'],
  membersCount: [12],
  memberOf: ['readers'],
  messages: ['the download was cut off'],
  metadata: [{ root: 3, timestamp: 41, snapshot: 17, targets: 5 }],
  model: ['Raspberry Pi 4 Model B'],
  name: ['gateway-0017', 'harbour', 'ANALYTICS_URL'],
  namePrefix: ['gateway-'],
  names: ['ship.example'],
  networks: ['192.0.2.0/24'],
  next: [null],
  nextCode: ['gate_waiting'],
  nextValues: [{ devices: '3' }],
  nextVersion: [8],
  node: ['v26.10.0'],
  os: ['Debian GNU/Linux 13 (trixie)'],
  password: ['a long sentence that nobody guesses'],
  percent: [10],
  permission: ['fleet:write'],
  permissions: ['fleet:read'],
  person: [idOf('person')],
  personName: ['Vera Viewer'],
  pin: [`sha256:${'A'.repeat(43)}`],
  pinnedVersion: ['1.4.0'],
  platform: ['linux/arm64'],
  pollSeconds: [300],
  product: ['gateway'],
  products: ['gateway'],
  proposal: [{ file: 'as the command line writes it' }],
  provider: ['login'],
  public: [hex],
  purl: ['pkg:npm/minimist@1.2.5'],
  purpose: ['Reads the fleet of the harbour.'],
  q: ['gateway'],
  reason: ['The harbour waits for the new modem driver.'],
  redirectUri: ['https://ship.example:8443/sign-in/provider'],
  refusal: ['fleet_not_found'],
  requestPem: ['-----BEGIN CERTIFICATE REQUEST-----\n…'],
  role: ['operator', 'targets'],
  roles: ['operator'],
  rpId: ['ship.example'],
  scheme: ['ed25519'],
  sealed: ['AAAA'],
  secret: ['DATABASE_PASSWORD'],
  sentence: ['The gate of wave 1 waits for 3 more devices.'],
  setBy: [idOf('person')],
  sig: [hex],
  signatures: [{ file: 'as the command line writes it' }],
  signedKeyIds: [hex],
  silentAfterSeconds: [604800],
  slots: [5],
  state: ['active'],
  stopReason: ['The new driver loses the modem.'],
  stopValues: [{ failures: 3 }],
  subject: ['harbour'],
  successPercentMin: [99],
  tag: ['region=north'],
  target: ['db.example:5432/stock'],
  tags: ['north'],
  targetPath: ['gateway/1.4.0.json'],
  threshold: [2],
  timeoutSeconds: [7200],
  timeZone: ['Europe/Berlin'],
  title: ['Publish gateway 1.4.0 in stable'],
  to: ['04:00'],
  token: [`sw_${ulid}_${hex}`],
  unsignedVersion: [null],
  uri: ['otpauth://totp/Seaworthy:vera?secret=AAAA'],
  userAgent: ['Mozilla/5.0'],
  userCode: ['BCDF-GHJK'],
  value: ['https://analytics.example.org', 'north'],
  variable: ['ANALYTICS_URL'],
  version: ['1.4.0'],
}

/** The same where a resource has its own idea of a name. */
const byResource: Readonly<Record<string, Readonly<Record<string, readonly unknown[]>>>> = {
  'account-keys': {
    ...{ name: ['work laptop'], algorithm: ['ssh-ed25519'], fingerprint: ['SHA256:AAAA'] },
    publicKey: ['ssh-ed25519 AAAA'],
  },
  fleets: { name: ['harbour'] },
  'foreign-devices': { name: ['gate-1'] },
  grants: { name: ['Vera Viewer'] },
  'identity-providers': { name: ['login', 'Login of the harbour'] },
  invitations: { name: ['Vera Viewer'] },
  advisories: {
    ...{ name: ['HARBOUR-2026-0001', 'Harbour Works'], prefix: ['HARBOUR'], score: [9.8] },
    title: ['A crafted packet opens the lock'],
    summary: ['Whoever reaches port 4711 opens the lock.'],
    description: ['The lock trusts the key of anybody.'],
    ...{ action: ['Install the fixed release.'], workaround: ['Close port 4711.'] },
    ...{ ids: [['CVE-2026-12345']], introduced: ['1.0.0'], fixed: ['1.4.1'] },
    cvss3: ['CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H'],
    cvss4: ['CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N'],
    ...{ credits: [['Vera Viewer']], url: ['https://harbour.example/tide'] },
    ...{ namespace: ['https://harbour.example'], baseUrl: ['https://security.harbour.example'] },
    ...{ contact: ['mailto:security@harbour.example'], versions: ['1.x'] },
    ...{ scopeIn: ['All products that we ship.'], scopeOut: ['Output of scanners.'] },
    ...{ until: ['2027-12-31'], what: ['The fixed release'], reason: ['It was no flaw.'] },
    paths: [['/advisories/', '/.well-known/security.txt']],
  },
  cases: { text: ['The lock opens without its key.'], title: ['The lock opens without its key'] },
  leases: { account: ['seaworthy_lease_0123456789abcdef0123'], value: ['AAAA'] },
  passkeys: { name: ['Key of the safe'] },
  passwords: { name: ['vera'], title: ['Vera Viewer'] },
  people: { name: ['Vera Viewer'], role: ['viewer'] },
  products: { name: ['gateway', 'stable'], title: ['The gateway of the quay'] },
  roles: { name: ['dispatcher'], role: ['dispatcher'] },
  sessions: { name: ['Vera Viewer'] },
  'stored-credentials': { name: ['crane-console'], kind: ['value'] },
  tokens: { name: ['reporting'], role: ['viewer'] },
}

/** Texts one of which every text field of the contract takes. */
const texts = [
  'acme',
  '1.0.0',
  'linux/amd64',
  hex,
  `sha256:${hex}`,
  `sha256:${'a'.repeat(43)}`,
  '2026-03-01T12:00:00Z',
  'AAAA',
  'https://ship.example:8443',
  ...[
    ...['device', 'fleet', 'proposal', 'token', 'provisioning', 'rollout', 'release'],
    ...['gateway', 'lock', 'fleetlock', 'person', 'session', 'passkey', 'invitation'],
    ...['pairing', 'approval', 'review', 'lease', 'accountkey', 'case', 'entry', 'statement'],
    'advisory',
  ].map((kind) => `${kind}_${ulid}`),
  `sw_${ulid}_${hex}`,
  `https://ship.example:8443/invitation#${hex}`,
  'BCDF-GHJK',
  'ann@example.org',
  '0000-0000-0000-0000-0000-0000',
  '123456',
  'fleet:read',
  'site=berlin',
  'note',
  '30d',
  '22:00',
  'UTC',
]
const numbers = [1, 0, 5, 60, 3600, 200]

interface Definition {
  type: string
  shape?: Record<string, z.ZodType>
  element?: z.ZodType
  items?: z.ZodType[]
  keyType?: z.ZodType
  valueType?: z.ZodType
  innerType?: z.ZodType
  in?: z.ZodType
  out?: z.ZodType
  options?: z.ZodType[]
  values?: unknown[]
  entries?: Record<string, unknown>
}

function definitionOf(schema: z.ZodType): Definition {
  return (schema as unknown as { _zod: { def: Definition } })._zod.def
}

export interface ExampleOptions {
  /** Which members objects have: all, or those that must be there. */
  readonly members?: 'all' | 'required'
  /** What it is about, as in `routes.ts`. */
  readonly resource?: string
}

/**
 * The example of a schema. `name` is that of the member that has it. Throws when the schema has a
 * part that this does not know how to fill.
 */
export function exampleOf(schema: z.ZodType, options: ExampleOptions = {}, name = ''): unknown {
  const definition = definitionOf(schema)
  const named = [...(byResource[options.resource ?? '']?.[name] ?? []), ...(byName[name] ?? [])]
  const candidates = [...named, ...candidatesFor(definition, options, name)]
  const found = candidates.find((value) => schema.safeParse(value).success)
  if (found === undefined && definition.type !== 'undefined') {
    throw new Error(`no example for ${name}, a schema of type ${definition.type}`)
  }
  return found
}

/** Whether an object may be without this member. */
function mayBeAbsent(schema: z.ZodType): boolean {
  return schema.safeParse(undefined).success
}

function objectOf(shape: Record<string, z.ZodType>, options: ExampleOptions): unknown {
  const entries = Object.entries(shape)
  const required = entries.filter(
    ([, inner]) => options.members !== 'required' || !mayBeAbsent(inner),
  )
  // A change says at least one thing.
  const chosen = required.length === 0 ? entries.slice(0, 2) : required
  return Object.fromEntries(chosen.map(([name, inner]) => [name, exampleOf(inner, options, name)]))
}

function candidatesFor(definition: Definition, options: ExampleOptions, name: string): unknown[] {
  const same = (schema: z.ZodType) => exampleOf(schema, options, name)
  switch (definition.type) {
    case 'object':
      return [objectOf(definition.shape!, options)]
    case 'array':
      return [[same(definition.element!)], []]
    case 'record':
      return [
        { [String(exampleOf(definition.keyType!, options, 'key'))]: same(definition.valueType!) },
        {},
      ]
    case 'nullable':
      // Lists of which this is the last page say so.
      return name === 'next' ? [null] : [same(definition.innerType!)]
    case 'optional':
    case 'default':
    case 'readonly':
      return [same(definition.innerType!)]
    case 'pipe': {
      // A transformation in front of a schema takes what the schema takes, perhaps as text.
      if (definitionOf(definition.in!).type !== 'transform') return [same(definition.in!)]
      const example = same(definition.out!)
      return [String(example), example]
    }
    case 'union':
      return definition.options!.map(same)
    case 'tuple':
      return [definition.items!.map(same)]
    case 'enum':
      return Object.values(definition.entries!)
    case 'literal':
      return definition.values!
    case 'number':
    case 'int':
      return [...numbers, ...numbers.map(String)]
    case 'boolean':
      return [true, false]
    case 'string':
      return texts
    case 'unknown':
    case 'any':
      return [{ a: ['1', 2, null] }]
    default:
      return []
  }
}
