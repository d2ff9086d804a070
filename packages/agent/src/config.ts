/** `/etc/seaworthy/agent.json`: read strictly, every complaint names the member. */
import { parseAnyJson } from '@seaworthy/std/json'
import { describeKnown } from '@seaworthy/std/nearest'
import type { Refuse } from '@seaworthy/std/refusal'
import { Refusal, refuseAs } from '@seaworthy/std/refusal'
import type { ConfigRefusal } from './refusals.ts'

export interface AgentConfig {
  /** Origin of the server, `https://host:port`; absent in mirror-only mode. */
  server?: string
  /** Pin of the server certificate's public key, `sha256:<base64url>`. */
  pin?: string
  /** File with the CA's certificate in PEM. */
  ca?: string
  /** SHA-256, hexadecimal, of the root metadata file that anchors all trust. */
  root: string
  /** Path of that file; without it the agent asks for it and checks the digest. */
  rootFile?: string
  /** Content of that file, Base64. */
  rootInline?: string
  provisioningKey?: string
  /**
   * The private half of the provisioning key and what the holders signed about it, Base64; it is
   * removed together with the provisioning key.
   */
  enrolmentKey?: string
  product: string
  channel: string
  pollSeconds: number
  mirrors: MirrorConfig[]
  /** Whether reports of a failed update have the last lines that the application wrote. */
  reportOutput: boolean
  stateDir: string
  /** Folder of `agent.sock`. */
  runDir: string
  /** Values for `${NAME}` in `seaworthy.json`, also given to the application. */
  environment: Readonly<Record<string, string>>
  /**
   * Account the application runs as, where the agent runs as root: `seaworthy-app` unless named, or
   * a number where there is no such account. It is root only if named.
   */
  user?: string
  /**
   * Account the fetcher runs as, where the agent runs as root: `seaworthy` unless named, or a
   * number where there is no such account. It is never root.
   */
  fetchUser?: string
  platform: string
  hardware?: string
  name?: string
  tags?: Readonly<Record<string, string>>
}

export interface MirrorConfig {
  url: string
  pin?: string
  ca?: string
}

export const configBytesMax = 256 * 1024

const label = /^[a-z][a-z0-9-]{0,62}$/
const pin = /^sha256:[A-Za-z0-9_-]{43}$/
const hex = /^[0-9a-f]{64}$/
const environmentName = /^[A-Za-z_][A-Za-z0-9_]{0,127}$/
const account = /^[a-z_][a-z0-9_-]{0,31}$/
const absolute = /^\/(?!.*(?:^|\/)\.\.?(?:\/|$))[^\0]{0,1023}$/
const platformForm = /^[a-z0-9]+\/[a-z0-9]+(?:\/[a-z0-9]+)?$/

const refuse: Refuse = refuseAs<ConfigRefusal>('config_malformed')

type Members = Record<string, unknown>
type Check<T> = (value: unknown, name: string) => T

const textOf =
  (form: RegExp, expected: string): Check<string> =>
  (value, name) =>
    typeof value === 'string' && form.test(value) ? value : refuse(`${name}: expected ${expected}`)

const anyText = textOf(/^[^\0]{1,4096}$/, 'a text')

const origin: Check<string> = (value, name) => {
  const url = typeof value === 'string' ? URL.parse(value) : null
  const fits = url !== null && (url.protocol === 'https:' || url.protocol === 'http:')
  if (
    !fits ||
    url.pathname !== '/' ||
    url.search !== '' ||
    url.hash !== '' ||
    url.username !== ''
  ) {
    return refuse(`${name}: expected https://host[:port] without a path`)
  }
  return url.origin
}

const textMap =
  (nameForm: RegExp, entriesMax: number): Check<Record<string, string>> =>
  (value, name) => {
    const members = asObject(value, name)
    const entries = Object.entries(members)
    if (entries.length > entriesMax) return refuse(`${name}: at most ${entriesMax} members`)
    for (const [key, item] of entries) {
      if (!nameForm.test(key)) return refuse(`${name}: ${JSON.stringify(key)} is not a name`)
      if (typeof item !== 'string' || item.length > 32_768 || item.includes('\0')) {
        return refuse(`${name}.${key}: expected a text`)
      }
    }
    return members as Record<string, string>
  }

function asObject(value: unknown, name: string): Members {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return refuse(`${name}: expected an object`)
  }
  return value as Members
}

const mirrorMembers: readonly string[] = ['url', 'pin', 'ca']

function parseMirrors(value: unknown): MirrorConfig[] {
  if (!Array.isArray(value) || value.length > 16)
    return refuse('mirrors: expected a list of at most 16')
  return value.map((item: unknown, i) => {
    const at = `mirrors[${i}]`
    if (typeof item === 'string') return { url: origin(item, at) }
    const members = asObject(item, at)
    const mirror: MirrorConfig = { url: origin(members['url'], `${at}.url`) }
    if (members['pin'] !== undefined) mirror.pin = checks.pin(members['pin'], `${at}.pin`)
    if (members['ca'] !== undefined) mirror.ca = checks.ca(members['ca'], `${at}.ca`)
    for (const name of Object.keys(members)) {
      if (!mirrorMembers.includes(name))
        return refuse(`${at}.${name}: unknown member; ${describeKnown(name, mirrorMembers)}`)
    }
    return mirror
  })
}

const checks = {
  server: origin,
  pin: textOf(pin, 'sha256:<base64url of 32 bytes>'),
  ca: textOf(absolute, 'an absolute path'),
  root: (value: unknown, name: string) =>
    textOf(hex, 'the SHA-256 of the root file, 64 hexadecimal digits')(
      typeof value === 'string' && value.startsWith('sha256:') ? value.slice(7) : value,
      name,
    ),
  rootFile: textOf(absolute, 'an absolute path'),
  rootInline: textOf(/^[A-Za-z0-9+/]{1,175000}={0,2}$/, 'Base64'),
  provisioningKey: textOf(
    /^swp_[A-Za-z0-9]{1,64}_[A-Za-z0-9_-]{16,128}$/,
    'a provisioning key swp_…',
  ),
  enrolmentKey: textOf(/^[A-Za-z0-9+/]{1,21848}={0,2}$/, 'Base64'),
  product: textOf(label, 'a product name'),
  channel: textOf(label, 'a channel name'),
  pollSeconds: (value: unknown, name: string) =>
    typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= 604_800
      ? value
      : refuse(`${name}: expected 1 to 604800`),
  mirrors: parseMirrors,
  reportOutput: (value: unknown, name: string) =>
    typeof value === 'boolean' ? value : refuse(`${name}: expected true or false`),
  stateDir: textOf(absolute, 'an absolute path'),
  runDir: textOf(absolute, 'an absolute path'),
  environment: textMap(environmentName, 256),
  user: textOf(account, 'an account name'),
  fetchUser: textOf(account, 'an account name'),
  platform: textOf(platformForm, 'a platform such as linux/amd64'),
  hardware: textOf(/^[\x21-\x7e]{1,128}$/, 'up to 128 visible characters'),
  name: anyText,
  tags: textMap(/^[a-z][a-z0-9_.-]{0,62}$/, 64),
} satisfies { [K in keyof AgentConfig]-?: Check<NonNullable<AgentConfig[K]>> }

/**
 * Throws `Refusal<ConfigRefusal>`. `overrides` come from the command line; `platform` is this
 * machine's.
 */
export function parseConfig(
  bytes: Uint8Array,
  defaults: { platform: string; stateDir?: string },
): AgentConfig {
  let value: unknown
  try {
    value = parseAnyJson(bytes)
  } catch (cause) {
    return refuse('not a JSON file', cause)
  }
  const members = asObject(value, 'the configuration')
  const parsed: Members = {}
  for (const [name, member] of Object.entries(members)) {
    if (!Object.hasOwn(checks, name)) {
      refuse(`${name}: unknown member; ${describeKnown(name, Object.keys(checks))}`)
    }
    parsed[name] = checks[name as keyof typeof checks](member, name)
  }
  const missing = ['root', 'product', 'channel'].filter((name) => parsed[name] === undefined)
  if (missing.length > 0) refuse(`${missing.join(', ')}: missing`)
  const stateDir = defaults.stateDir ?? (parsed['stateDir'] as string | undefined)
  const config = {
    pollSeconds: 3600,
    mirrors: [],
    reportOutput: true,
    environment: {},
    platform: defaults.platform,
    runDir: stateDir === undefined ? '/run/seaworthy' : `${stateDir}/run`,
    ...parsed,
    stateDir: stateDir ?? '/var/lib/seaworthy',
  } as unknown as AgentConfig
  if (defaults.stateDir !== undefined) config.runDir = `${defaults.stateDir}/run`
  if (config.server === undefined && config.mirrors.length === 0) {
    refuse('server: missing, and there are no mirrors')
  }
  if (config.pin !== undefined && config.ca !== undefined) refuse('pin: not together with ca')
  return config
}

/** Id of a provisioning key: its public half, by which the server knows the key. */
export function provisioningKeyId(provisioningKey: string): string {
  return `provisioning_${provisioningKey.split('_')[1]}`
}

/**
 * The provisioning key of a configuration file; `undefined` when the file has none or is just being
 * written.
 */
export function findProvisioningKey(bytes: Uint8Array): string | undefined {
  try {
    const member = asObject(parseAnyJson(bytes), 'the configuration')['provisioningKey']
    return member === undefined ? undefined : checks.provisioningKey(member, 'provisioningKey')
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TypeError || error instanceof Refusal) {
      return undefined
    }
    throw error
  }
}

/** The enrolment key beside the provisioning key of a configuration file. */
export function findEnrolmentKey(bytes: Uint8Array): string | undefined {
  if (findProvisioningKey(bytes) === undefined) return undefined
  const member = asObject(parseAnyJson(bytes), 'the configuration')['enrolmentKey']
  return member === undefined ? undefined : checks.enrolmentKey(member, 'enrolmentKey')
}

/**
 * The same file without its provisioning key and what belongs to it, the order of its members kept;
 * `undefined` when it holds none.
 */
export function withoutProvisioningKey(bytes: Uint8Array): string | undefined {
  const members = asObject(parseAnyJson(bytes), 'the configuration')
  if (members['provisioningKey'] === undefined) return undefined
  const { provisioningKey: _destroyed, enrolmentKey: _alsoDestroyed, ...rest } = members
  return `${JSON.stringify(rest, undefined, 2)}\n`
}
