/**
 * What a device remembers of the repository, in one file of two generations: the whole root history
 * from its anchor, the newest trusted files, the marks of their versions, and the latest time it
 * verified. A trailer of length and hash tells a torn file from a whole one. A missing file is as
 * unreadable as a broken one: only provisioning makes the first generation.
 */
import { base64Decode, base64Encode, hexEncode, utf8Decode, utf8Encode } from '@seaworthy/std/bytes'
import { formatInstant, parseInstant } from '@seaworthy/std/time'
import { isTrustError, trustError } from './codes.ts'
import { isJsonObject, parseJson, wireJson } from './json.ts'
import type { JsonValue } from './json.ts'
import type { StoredMarks, VersionMark } from './version-marks.ts'

export type StateSlot = 'a' | 'b'

/** Two files on the device's disk. */
export interface StateStore {
  /**
   * The whole file, or `undefined` when there is none. Throws `state_unreadable` for one that is
   * there and cannot be read, which counts as damaged.
   */
  read(slot: StateSlot): Promise<Uint8Array | undefined>
  /** All or nothing, on disk when it resolves: write aside, fsync, rename, fsync of the folder. */
  write(slot: StateSlot, bytes: Uint8Array): Promise<void>
}

export interface ClientState {
  readonly generation: number
  /** The roots from the anchor to the newest, without a gap. */
  readonly roots: readonly Uint8Array[]
  /** Newest trusted bytes by role: `timestamp`, `snapshot`, `targets` and delegated roles. */
  readonly roles: ReadonlyMap<string, Uint8Array>
  /**
   * The latest time at which all metadata was verified: the clock may not fall below it while the
   * same online keys count.
   */
  readonly verifiedAt: Date
  /**
   * Version of the root since which these online keys count (`LearntTime`). Absent in states of
   * earlier versions of this program: it is taken for the keys of the newest stored root.
   */
  readonly verifiedUnder?: number
  /**
   * The marks of the offline roles. Absent in states of earlier versions of this program: they are
   * learnt from `roles`.
   */
  readonly marks?: StoredMarks
}

const format = 'seaworthy-trust-state-v1'
const stateBytesMax = 128 * 1024 * 1024

export async function formatClientState(state: ClientState): Promise<Uint8Array<ArrayBuffer>> {
  const roles = Object.create(null) as Record<string, string>
  for (const [role, bytes] of state.roles) roles[role] = base64Encode(bytes)
  const body = utf8Decode(
    wireJson({
      format,
      generation: state.generation,
      roots: state.roots.map((root) => base64Encode(root)),
      roles,
      verifiedAt: formatInstant(state.verifiedAt),
      ...(state.verifiedUnder === undefined ? {} : { verifiedUnder: state.verifiedUnder }),
      ...(state.marks === undefined ? {} : { marks: formatMarks(state.marks) }),
    }),
  )
  return utf8Encode(`${body}\n${await trailer(body)}\n`)
}

async function trailer(body: string): Promise<string> {
  const bytes = utf8Encode(body)
  const digest = await crypto.subtle.digest('SHA-256', bytes)
  return `${bytes.length} sha256:${hexEncode(new Uint8Array(digest))}`
}

const thresholdForm = /^threshold=([1-9][0-9]{0,8})$/
const floorForm = /^floor=([1-9][0-9]{0,15})$/

/**
 * `VERSION KEY KEY… floor=N threshold=N` for each ring, without a floor where it is 0. Earlier
 * versions of this program read either as one more key that no ring has.
 */
function formatMarks(marks: StoredMarks): Record<string, string[]> {
  const texts = Object.create(null) as Record<string, string[]>
  for (const [name, list] of marks) {
    texts[name] = list.map(({ version, keys, threshold, floor }) => {
      const signed = floor === 0 ? [] : [`floor=${floor}`]
      return [version, ...keys, ...signed, `threshold=${threshold}`].join(' ')
    })
  }
  return texts
}

/**
 * Throws for anything that `formatMarks` has not made; the caller turns the error into
 * `state_unreadable`. Earlier versions of this program stored no threshold: one key that is kept
 * then makes the mark count, because one mark too many costs the owners a new key, and one too few
 * lets an older release back in.
 */
function parseMarks(json: JsonValue): StoredMarks {
  if (!isJsonObject(json)) throw new SyntaxError('marks are no object')
  const readMark = (value: JsonValue): VersionMark => {
    const [version, ...rest] = typeof value === 'string' ? value.split(' ') : []
    const stated = thresholdForm.exec(rest.at(-1) ?? '')?.[1]
    const unbound = stated === undefined ? rest : rest.slice(0, -1)
    const floor = floorForm.exec(unbound.at(-1) ?? '')?.[1]
    const keys = floor === undefined ? unbound : unbound.slice(0, -1)
    const number = Number(version)
    if (!Number.isSafeInteger(number) || number < 1 || keys.length === 0) {
      throw new SyntaxError('a mark is out of form')
    }
    return { version: number, keys, threshold: Number(stated ?? 1), floor: Number(floor ?? 0) }
  }
  const readMarks = ([name, list]: [string, JsonValue]) => {
    if (!Array.isArray(list)) throw new SyntaxError('marks are no list')
    return [name, list.map(readMark)] as const
  }
  return new Map(Object.entries(json).map(readMarks))
}

/** Throws `state_unreadable` for anything that `formatClientState` has not written. */
export async function parseClientState(bytes: Uint8Array): Promise<ClientState> {
  const unreadable = (what: string, cause?: unknown) =>
    trustError('state_unreadable', `the stored trust state is unreadable: ${what}`, { cause })
  try {
    const [body, end, rest, ...more] = utf8Decode(bytes).split('\n')
    if (body === undefined || rest !== '' || more.length > 0 || end !== (await trailer(body))) {
      throw unreadable('length or hash does not hold')
    }
    const json = parseJson(utf8Encode(body), { bytesMax: stateBytesMax, depthMax: 3 })
    if (!isJsonObject(json) || json['format'] !== format) throw unreadable('an unknown format')
    const { generation, roots, roles, verifiedAt, verifiedUnder, marks } = json
    if (
      typeof generation !== 'number' ||
      !Array.isArray(roots) ||
      roots.length === 0 ||
      !isJsonObject(roles) ||
      (verifiedUnder !== undefined && typeof verifiedUnder !== 'number')
    ) {
      throw unreadable('members are missing')
    }
    const decode = (value: JsonValue) => base64Decode(value as string)
    return {
      generation,
      roots: roots.map(decode),
      roles: new Map(Object.entries(roles).map(([role, value]) => [role, decode(value)])),
      verifiedAt: parseInstant(verifiedAt as string),
      ...(verifiedUnder === undefined ? {} : { verifiedUnder }),
      ...(marks === undefined ? {} : { marks: parseMarks(marks) }),
    }
  } catch (cause) {
    if (isTrustError(cause, 'state_unreadable')) throw cause
    throw unreadable('its content is malformed', cause)
  }
}

export interface ReadState {
  readonly state: ClientState
  readonly slot: StateSlot
  /** The other generation should exist and does not: a write was lost, or somebody removed it. */
  readonly isGenerationLost: boolean
}

/** The newest readable generation. Throws `state_unreadable` when there is none. */
export async function readClientState(store: StateStore): Promise<ReadState> {
  const found: { slot: StateSlot; state: ClientState }[] = []
  let cause: unknown
  for (const slot of ['a', 'b'] as const) {
    try {
      const bytes = await store.read(slot)
      if (!bytes) continue
      found.push({ slot, state: await parseClientState(bytes) })
    } catch (error) {
      if (!isTrustError(error, 'state_unreadable')) throw error
      cause = error
    }
  }
  const [newest] = found.toSorted((x, y) => y.state.generation - x.state.generation)
  if (!newest) {
    const why = cause instanceof Error ? `: ${cause.message}` : ''
    throw trustError('state_unreadable', `no generation of the trust state is readable${why}`, {
      cause,
    })
  }
  return {
    ...newest,
    isGenerationLost: newest.state.generation > 1 && found.length < 2,
  }
}

/** Whether there is no generation, not even one that cannot be read. */
export async function isTrustStateAbsent(store: StateStore): Promise<boolean> {
  for (const slot of ['a', 'b'] as const) {
    try {
      if ((await store.read(slot)) !== undefined) return false
    } catch (error) {
      if (!isTrustError(error, 'state_unreadable')) throw error
      return false
    }
  }
  return true
}

/** Writes the next generation over the older slot. */
export async function writeClientState(
  store: StateStore,
  before: StateSlot,
  state: ClientState,
): Promise<StateSlot> {
  const slot = before === 'a' ? 'b' : 'a'
  await store.write(slot, await formatClientState(state))
  return slot
}
