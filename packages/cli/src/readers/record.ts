/**
 * What this machine remembers of fleets: the product and channel that people named, and the devices
 * by whose keys they accepted that secrets of the fleet are read. Nothing that a server says
 * changes it.
 */
import type { Json } from '@seaworthy/std/json'
import { parseJson } from '@seaworthy/std/json'
import { TrustError } from '@seaworthy/std/refusal'

export type ReaderFault =
  /** The server says that a fleet runs another product than the one remembered. */
  | 'fleet_of_other_product'
  /** The server says that a fleet follows another channel than the one remembered. */
  | 'fleet_of_other_channel'
  /** A device that is remembered shows another key. */
  | 'reader_exchanged'
  /** Two devices of a list have one id or one key. */
  | 'reader_twice'
  /** The record belongs to another installation. */
  | 'readers_of_other_root'

export interface Reader {
  /** Covers both keys of the device. */
  readonly readerId: string
  /** The id of its signing key. */
  readonly keyId: string
  readonly deviceId: string
  readonly name: string | null
  readonly acceptedAt: string
  /** Nothing is sealed to it any more. It is kept, so that it does not come back unseen. */
  readonly endedAt: string | null
}

interface FleetReaders {
  readonly product: string
  /** Nobody has named it where it is `null`. */
  readonly channel: string | null
  readonly readers: readonly Reader[]
}

/** A fleet as a person named it, or as the server shows it. */
export interface FleetTarget {
  readonly fleet: string
  readonly product: string
  readonly channel?: string | null
}

export interface ReaderRecord {
  /** The digest of the root that the installation is anchored at. */
  readonly root: string
  readonly fleets: ReadonlyMap<string, FleetReaders>
}

/** The readers of a fleet with their product, among which these are new or changed. */
export function withReaders(
  record: ReaderRecord,
  { fleet, product, channel = null }: FleetTarget,
  changed: readonly Reader[],
): ReaderRecord {
  const ids = new Set(changed.map(({ readerId }) => readerId))
  const known = record.fleets.get(fleet)
  const kept = (known?.readers ?? []).filter(({ readerId }) => !ids.has(readerId))
  const after = {
    product,
    channel: known?.channel ?? channel,
    readers: kept.concat(changed),
  }
  return { ...record, fleets: new Map(record.fleets).set(fleet, after) }
}

/**
 * Remembers a fleet as a person named it. A fleet that is made anew for another product begins
 * without readers.
 */
export function withFleet(
  record: ReaderRecord,
  { fleet, product, channel: named = null }: FleetTarget,
): ReaderRecord {
  const before = record.fleets.get(fleet)
  const known = before?.product === product ? before : undefined
  const channel = named ?? known?.channel ?? null
  if (known !== undefined && known.channel === channel) return record
  const after = { product, channel, readers: known?.readers ?? [] }
  return { ...record, fleets: new Map(record.fleets).set(fleet, after) }
}

/** Ends the readers that are meant, in the fleets that are meant. */
export function endReaders(
  record: ReaderRecord,
  isMeant: (reader: Reader, fleet: string) => boolean,
  endedAt: string,
): { record: ReaderRecord; ended: readonly Reader[] } {
  let changed = record
  const all: Reader[] = []
  for (const [fleet, { product, readers }] of record.fleets) {
    const ended = readers
      .filter((one) => one.endedAt === null && isMeant(one, fleet))
      .map((one) => ({ ...one, endedAt }))
    if (ended.length === 0) continue
    changed = withReaders(changed, { fleet, product }, ended)
    for (const one of ended) all.push(one)
  }
  return { record: changed, ended: all }
}

export function withoutFleet(record: ReaderRecord, fleet: string): ReaderRecord {
  const fleets = new Map(record.fleets)
  fleets.delete(fleet)
  return { ...record, fleets }
}

/** Throws `fleet_of_other_product`, `fleet_of_other_channel`. */
export function requireSameFleet(
  { fleets }: Pick<ReaderRecord, 'fleets'>,
  { fleet, product, channel = null }: FleetTarget,
): void {
  const known = fleets.get(fleet)
  if (known === undefined) return
  if (known.product !== product) {
    throw new TrustError<ReaderFault>(
      'fleet_of_other_product',
      `the fleet ${fleet} runs ${known.product} as people named it, and ${product} is said here`,
    )
  }
  if (known.channel === null || channel === null || known.channel === channel) return
  throw new TrustError<ReaderFault>(
    'fleet_of_other_channel',
    `the fleet ${fleet} follows ${known.channel} as people named it, and ${channel} is said here`,
  )
}

/** What one record tells another: whoever was accepted or ended later there. */
export interface RecordDifference {
  readonly fleet: string
  readonly product: string
  readonly channel: string | null
  readonly changed: readonly Reader[]
}

/**
 * What `other` knows and `record` does not. The last word about a reader counts, whether it was
 * accepted or ended. Throws `ReaderFault`s where the two contradict each other.
 */
export function compareRecords(record: ReaderRecord, other: ReaderRecord): RecordDifference[] {
  if (record.root !== other.root) {
    throw new TrustError<ReaderFault>(
      'readers_of_other_root',
      `the readers are of the installation with the root sha256:${other.root}`,
    )
  }
  const requireSameKeys = createKeyCheck(record)
  return [...other.fleets].flatMap(([fleet, { product, channel, readers }]) => {
    requireSameFleet(record, { fleet, product, channel })
    const own = new Map((record.fleets.get(fleet)?.readers ?? []).map((one) => [one.readerId, one]))
    const changed = readers.filter((one) => {
      const known = own.get(one.readerId)
      if (known === undefined) requireSameKeys(one)
      return known === undefined || lastWord(known) < lastWord(one)
    })
    const known = record.fleets.get(fleet)
    const isNamed = known !== undefined && (known.channel !== null || channel === null)
    return isNamed && changed.length === 0 ? [] : [{ fleet, product, channel, changed }]
  })
}

/** Instants have one form, so that their order is that of their texts. */
function lastWord({ acceptedAt, endedAt }: Reader): string {
  return endedAt !== null && endedAt >= acceptedAt ? `${endedAt} 1` : `${acceptedAt} 0`
}

/**
 * The id of a device stands for one key for ever, whatever the fleet, and the signing key of a
 * reader for one receiving key. What is returned throws `reader_exchanged`.
 */
export function createKeyCheck({
  fleets,
}: ReaderRecord): (shown: Pick<Reader, 'readerId' | 'keyId' | 'deviceId'>) => void {
  const all = [...fleets.values()].flatMap(({ readers }) => readers)
  const ofDevice = Map.groupBy(all, ({ deviceId }) => deviceId)
  const ofKey = Map.groupBy(
    all.filter(({ endedAt }) => endedAt === null),
    ({ keyId }) => keyId,
  )
  return (shown) => {
    const known =
      ofDevice.get(shown.deviceId)?.find(({ readerId }) => readerId !== shown.readerId) ??
      ofKey.get(shown.keyId)?.find(({ readerId }) => readerId !== shown.readerId)
    if (known === undefined) return
    const who = known.deviceId === shown.deviceId ? 'it' : known.deviceId
    throw new TrustError<ReaderFault>(
      'reader_exchanged',
      `${shown.deviceId} shows the key ${shortReaderId(shown)}, and ${who} was accepted with the key ${shortReaderId(known)}`,
    )
  }
}

/** The first 16 hexadecimal digits, for lists. A key is named to a command by all 64. */
export function shortReaderId({ readerId }: Pick<Reader, 'readerId'>): string {
  return readerId.slice(0, 16)
}

const format = 'seaworthy-readers-v1'
export const recordBytesMax = 64 * 1024 * 1024

export function formatRecord({ root, fleets }: ReaderRecord): string {
  const list = [...fleets].map(([fleet, one]) => ({ fleet, ...one }))
  return `${JSON.stringify({ format, root, fleets: list }, undefined, 1)}\n`
}

/** Throws `SyntaxError` for what `formatRecord` does not write. */
export function parseRecord(bytes: Uint8Array): ReaderRecord {
  const members = membersOf(parseJson(bytes), ['format', 'root', 'fleets'])
  if (members['format'] !== format) throw new SyntaxError('another format')
  const fleets = new Map<string, FleetReaders>()
  for (const item of listOf(members['fleets'])) {
    const one = membersOf(item, ['fleet', 'product', 'channel', 'readers'])
    const fleet = textOf(one['fleet'], nameForm)
    if (fleets.has(fleet)) throw new SyntaxError(`the fleet ${fleet} twice`)
    const readers = listOf(one['readers']).map(parseReader)
    if (new Set(readers.map(({ readerId }) => readerId)).size !== readers.length) {
      throw new SyntaxError('a reader twice')
    }
    const product = textOf(one['product'], nameForm)
    const channel = one['channel'] === null ? null : textOf(one['channel'], nameForm)
    fleets.set(fleet, { product, channel, readers })
  }
  return { root: textOf(members['root'], sha256Form), fleets }
}

const nameForm = /^[a-z][a-z0-9-]{0,62}$/
const sha256Form = /^[0-9a-f]{64}$/
const idForm = /^[a-z]+_[0-9A-Za-z]{1,64}$/
const instantForm = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/
const anyName = /^[^\0]{0,256}$/su

/** The server chooses names: what cannot be read again is not remembered. */
export function rememberedName(name: string | null): string | null {
  return name !== null && anyName.test(name) ? name : null
}

function parseReader(value: Json): Reader {
  const names = ['readerId', 'keyId', 'deviceId', 'name', 'acceptedAt', 'endedAt']
  const members = membersOf(value, names)
  const { name = null, endedAt = null } = members
  return {
    readerId: textOf(members['readerId'], sha256Form),
    keyId: textOf(members['keyId'], sha256Form),
    deviceId: textOf(members['deviceId'], idForm),
    name: name === null ? null : textOf(name, anyName),
    acceptedAt: textOf(members['acceptedAt'], instantForm),
    endedAt: endedAt === null ? null : textOf(endedAt, instantForm),
  }
}

function membersOf(value: Json | undefined, names: readonly string[]): Record<string, Json> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new SyntaxError('not an object')
  }
  const found = Object.keys(value)
  if (found.length !== names.length || !names.every((name) => Object.hasOwn(value, name))) {
    throw new SyntaxError(`exactly the members ${names.join(', ')} are expected`)
  }
  return value
}

function listOf(value: Json | undefined): Json[] {
  if (!Array.isArray(value)) throw new SyntaxError('not a list')
  return value
}

function textOf(value: Json | undefined, form: RegExp): string {
  if (typeof value === 'string' && form.test(value)) return value
  throw new SyntaxError(`not of the form ${form.source}`)
}
