/**
 * What installer and fetcher say to each other. The installer asks, the fetcher answers: it
 * reaches the network and decides nothing. Each answer is hostile input and is parsed here,
 * strictly and bounded. Bulk bytes never pass through messages: the fetcher leaves a file in
 * its own folder and names it; the installer opens it once and copies while hashing.
 */
import type { checkIn, registerDevice } from '@seaworthy/api/device-self'
import type { BodyInputOf } from '@seaworthy/api/route'
import type { FetchFailure } from '../refusals.ts'
import { fetchFailures } from '../refusals.ts'
import { base64Form } from '@seaworthy/std/bytes'
import type { HeardPins, Pins } from '@seaworthy/std/pins'
import { isPin } from '@seaworthy/std/pins'
import { refusalAs } from '@seaworthy/std/refusal'
import type { HandoverRefusal } from '../refusals.ts'

/** The longest message, line end included. */
export const messageBytesMax = 256 * 1024

/**
 * A source that serves `/tuf/` and `/v2/`: 0 is the server where there is one, then the mirrors.
 */
export interface SourceSettings {
  url: string
  /**
   * Certificate pins `sha256:…`, any of which will do, or a CA in PEM; a mirror may have neither
   * and is then checked by the machine's CAs.
   */
  pins?: Pins
  ca?: string
  isServer: boolean
}

export interface FetcherSettings {
  fetchFolder: string
  /** Path of the socket; `undefined` where no status is served. */
  socketPath?: string
  sources: SourceSettings[]
}

export type FetcherRequest =
  | { kind: 'metadata'; source: number; name: string; bytesMax: number }
  | {
      kind: 'content'
      source: number
      /** The path without the source's URL: `/tuf/targets/…` or `/v2/…`. */
      path: string
      accept?: string
      sha256: string
      size: number
      /**
       * Whether there are other sources: this one is then given up sooner than if it were the only
       * one.
       */
      isHurried: boolean
    }
  /**
   * Content from one source or from all that was not genuine or is no longer wanted: the fetcher
   * removes it.
   */
  | { kind: 'discard'; sha256: string; source?: number }
  | { kind: 'register'; provisioningKey: string; body: BodyInputOf<typeof registerDevice> }
  | { kind: 'token'; assertion: string }
  | { kind: 'check-in'; body: BodyInputOf<typeof checkIn> }
  | { kind: 'configuration' }
  /**
   * What the installer keeps as pins of the server. The fetcher accepts these from now on, and
   * tells the server of the one that it announced.
   */
  | { kind: 'pins'; pins: Pins }

export type RequestKind = FetcherRequest['kind']
export type FetcherRequestOf<K extends RequestKind> = Extract<FetcherRequest, { kind: K }>

export interface Assignment {
  targetPath: string
  sha256: string
  /**
   * False: make it ready and wait; true: the device may restart now; absent: no permission is
   * needed.
   */
  mayRestart?: boolean
  /** The attempt's number: above 1, a release that failed here fewer times is tried again. */
  attempt?: number
}

export interface FetcherReplies {
  /** The name of a file in the fetcher's folder, or that the source answered 404. */
  metadata: { file: string } | { absent: true }
  /** `isContinued`: it began in an earlier attempt. */
  content: { file: string; isContinued: boolean }
  discard: Record<never, never>
  register: { deviceId: string; product: string; channel: string }
  token: Record<never, never>
  'check-in': {
    assignment: Assignment | null
    pollSeconds: number
    configVersion: number
    acknowledgedSequence: number | null
    /** What the answer said of pins; absent where the server is not pinned. */
    heardPins?: HeardPins
  }
  /** Variables and secrets of the application, the secrets sealed. */
  configuration: { version: number; fleet: string; entries: SettingEntry[] }
  pins: Record<never, never>
}

export interface SettingEntry {
  name: string
  kind: 'variable' | 'secret'
  isOfFleet: boolean
  version: number
  /** The value, or the sealed secret; Base64. */
  content: string
}

export interface Gateway {
  /**
   * Throws `FetchError` for what the fetcher could not do and for a malformed answer, and nothing
   * else.
   */
  ask<R extends FetcherRequest>(
    request: R,
    signal?: AbortSignal,
  ): Promise<FetcherReplies[R['kind']]>
  /** What `status` shows; the fetcher serves it and may well lie about it. */
  publishStatus(status: Readonly<Record<string, unknown>>): void
  /**
   * Calls back when somebody wants an update now, and while content arrives. Returns how to stop.
   */
  onEvent(listener: (event: FetcherEvent) => void): () => void
}

export type FetcherEvent =
  | { kind: 'update-now' }
  | { kind: 'progress'; sha256: string; percent: number }

const fileName = /^[a-z0-9][a-z0-9._-]{0,127}$/
const deviceId = /^device_[0-9a-hjkmnp-tv-z]{26}$/
const label = /^[a-z][a-z0-9-]{0,62}$/
const sha256 = /^[0-9a-f]{64}$/
const challengeForm = /^[A-Za-z0-9._-]{1,512}$/
const problemCode = /^[a-z][a-z0-9_]{0,63}$/
const retrySecondsMax = 1_000_000

export function isFileName(text: string): boolean {
  return fileName.test(text)
}

export const malformed = refusalAs<HandoverRefusal>('message_malformed')

type Members = Readonly<Record<string, unknown>>

export function asMembers(value: unknown): Members {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw malformed('not an object')
  }
  return value as Members
}

function refuseForm(name: string): never {
  throw malformed(`${name} is out of form`)
}

function text(members: Members, name: string, form: RegExp): string {
  const value = members[name]
  return typeof value === 'string' && form.test(value) ? value : refuseForm(name)
}

function whole(members: Members, name: string, min: number, max: number): number {
  const value = members[name]
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < min || value > max) {
    throw malformed(`${name} is out of range`)
  }
  return value
}

function flag(members: Members, name: string): boolean {
  const value = members[name]
  return typeof value === 'boolean' ? value : refuseForm(name)
}

/**
 * The path is no longer than a report may carry: otherwise a path that a server made up would make
 * every later report unacceptable.
 */
const targetPath = /^[A-Za-z0-9._/+-]{1,256}$/

function parseAssignment(value: unknown): Assignment | null {
  if (value === null) return null
  const members = asMembers(value)
  const assignment: Assignment = {
    targetPath: text(members, 'targetPath', targetPath),
    sha256: text(members, 'sha256', sha256),
  }
  if (members['attempt'] !== undefined) assignment.attempt = whole(members, 'attempt', 1, 1000)
  if (members['mayRestart'] !== undefined) assignment.mayRestart = flag(members, 'mayRestart')
  return assignment
}

const settingName = /^[A-Z][A-Z0-9_]{0,63}$/
const entriesMax = 100
/** The longest sealed secret, in Base64. */
const contentMax = 21_924

function parseEntry(value: unknown): SettingEntry {
  const members = asMembers(value)
  const { kind } = members
  if (kind !== 'variable' && kind !== 'secret') return refuseForm('kind')
  return {
    name: text(members, 'name', settingName),
    kind,
    isOfFleet: flag(members, 'isOfFleet'),
    version: whole(members, 'version', 1, 2 ** 31 - 1),
    content: contentOf(members),
  }
}

function contentOf(members: Members): string {
  const content = text(members, 'content', base64Form)
  return content.length <= contentMax ? content : refuseForm('content')
}

function parseEntries(value: unknown): SettingEntry[] {
  if (!Array.isArray(value) || value.length > entriesMax) return refuseForm('entries')
  return value.map(parseEntry)
}

function parseHeardPins(value: unknown): { heardPins?: HeardPins } {
  if (value === undefined) return {}
  const { under, next } = asMembers(value)
  if (typeof under !== 'string' || !isPin(under)) return refuseForm('under')
  if (next !== null && (typeof next !== 'string' || !isPin(next))) return refuseForm('next')
  return { heardPins: { under, next } }
}

const replyParsers: { [K in RequestKind]: (members: Members) => FetcherReplies[K] } = {
  metadata: (m) => (m['absent'] === true ? { absent: true } : { file: text(m, 'file', fileName) }),
  content: (m) => ({
    file: text(m, 'file', fileName),
    isContinued: flag(m, 'isContinued'),
  }),
  discard: () => ({}),
  register: (m) => ({
    deviceId: text(m, 'deviceId', deviceId),
    product: text(m, 'product', label),
    channel: text(m, 'channel', label),
  }),
  token: () => ({}),
  'check-in': (m) => ({
    assignment: parseAssignment(m['assignment']),
    pollSeconds: whole(m, 'pollSeconds', 1, 2 ** 31),
    // A fleet without variables and secrets has no version.
    configVersion: m['configVersion'] === undefined ? 0 : whole(m, 'configVersion', 0, 2 ** 31 - 1),
    acknowledgedSequence:
      m['acknowledgedSequence'] === null
        ? null
        : whole(m, 'acknowledgedSequence', 0, Number.MAX_SAFE_INTEGER),
    ...parseHeardPins(m['heardPins']),
  }),
  configuration: (m) => ({
    version: whole(m, 'version', 0, 2 ** 31 - 1),
    fleet: text(m, 'fleet', label),
    entries: parseEntries(m['entries']),
  }),
  pins: () => ({}),
}

/**
 * Reads an answer at both ends: the fetcher reads what servers said before it hands it over, and
 * the installer what the fetcher handed over. Takes the agreed members and drops all others. Throws
 * `Refusal<'message_malformed'>`.
 */
export function parseReply<K extends RequestKind>(kind: K, value: unknown): FetcherReplies[K] {
  return replyParsers[kind](asMembers(value))
}

export interface WireFailure {
  code: FetchFailure
  problem?: string
  retryAfterSeconds?: number
  challenge?: string
}

/** The facts of a failure: what a server said is kept only where it has the form of a code. */
export function formFailure(failure: {
  code: FetchFailure
  problem?: string | undefined
  retryAfterSeconds?: number | undefined
  challenge?: string | undefined
}): WireFailure {
  const formed: WireFailure = { code: failure.code }
  const { problem, retryAfterSeconds, challenge } = failure
  if (problem !== undefined && problemCode.test(problem)) formed.problem = problem
  if (retryAfterSeconds !== undefined && retryAfterSeconds >= 0) {
    formed.retryAfterSeconds = Math.min(Math.ceil(retryAfterSeconds), retrySecondsMax)
  }
  if (challenge !== undefined && challengeForm.test(challenge)) formed.challenge = challenge
  return formed
}

export function parseFailure(value: unknown): WireFailure {
  const members = asMembers(value)
  const code = fetchFailures.find((known) => known === members['code'])
  if (code === undefined) throw malformed('code is unknown')
  const failure: WireFailure = { code }
  if (members['problem'] !== undefined) failure.problem = text(members, 'problem', problemCode)
  if (members['retryAfterSeconds'] !== undefined) {
    failure.retryAfterSeconds = whole(members, 'retryAfterSeconds', 0, retrySecondsMax)
  }
  if (members['challenge'] !== undefined) {
    failure.challenge = text(members, 'challenge', challengeForm)
  }
  return failure
}

export function parseEvent(value: unknown): FetcherEvent {
  const members = asMembers(value)
  if (members['kind'] === 'update-now') return { kind: 'update-now' }
  if (members['kind'] === 'progress') {
    return {
      kind: 'progress',
      sha256: text(members, 'sha256', sha256),
      percent: whole(members, 'percent', 0, 100),
    }
  }
  throw malformed('kind is unknown')
}
