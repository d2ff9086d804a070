import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { anyCodePoint } from '@seaworthy/std/testing/any-code-point'
import { utf8Encode } from '@seaworthy/std/bytes'
import { printable } from '@seaworthy/std/printable'
import type { CheckedDevice } from '../trust/enrolments.ts'
import type { Reader, ReaderRecord } from './record.ts'
import {
  compareRecords,
  endReaders,
  formatRecord,
  parseRecord,
  requireSameFleet,
  withoutFleet,
  withFleet,
  withReaders,
} from './record.ts'
import type { SeenDevice } from './arrivals.ts'
import { followSecret } from './arrivals.ts'
import { acceptedReader, judgeReaders } from './verdicts.ts'
import { describeOthers, nameDevice } from './words.ts'

const root = '0'.repeat(64)
const nothing: ReaderRecord = { root, fleets: new Map() }
const web = { fleet: 'production', product: 'web' }
const monday = '2026-06-01T08:00:00Z'
const tuesday = '2026-06-02T08:00:00Z'

interface Machine {
  id: string
  name?: string
  signing: string
  receiving: string
}

const idOf = (text: string) => text.repeat(64).slice(0, 64)

/** An enrolled device, named by one digit for each of its keys. */
function enrolled({ id, name, signing, receiving }: Machine) {
  return {
    deviceId: `device_${id}`,
    name: name ?? null,
    keyId: idOf(signing),
    enrolled: {
      receivingKey: utf8Encode(receiving),
      readerId: idOf(`${signing}${receiving}`),
      provisioningKeyId: idOf('e'),
      holderKeyIds: [],
    },
    refusal: undefined,
    seals: [],
  }
}

const withoutEnrolment = (machine: Machine): CheckedDevice => ({
  ...enrolled(machine),
  enrolled: undefined,
  refusal: { code: 'enrolment_missing', why: 'nothing' },
})

const one: Machine = { id: '1', name: 'buoy', signing: 'a', receiving: '1' }
const two: Machine = { id: '2', signing: 'b', receiving: '2' }

const accept = (machines: readonly Machine[], where = web, record = nothing, at = monday) =>
  withReaders(
    record,
    where,
    machines.map((machine) => acceptedReader(enrolled(machine), at)),
  )

const standings = (record: ReaderRecord, devices: readonly CheckedDevice[], where = web) =>
  judgeReaders(record, { ...where, devices }).enrolled.map(({ standing }) => standing)

test('V8 a device is a reader once it was accepted, by both keys, its id and its fleet', () => {
  const devices = [enrolled(one), enrolled(two)]
  assert.deepEqual(standings(nothing, devices), ['new', 'new'])
  assert.deepEqual(standings(accept([one]), devices), ['accepted', 'new'])
  assert.deepEqual(standings(accept([one, two]), devices), ['accepted', 'accepted'])
  const lab = { fleet: 'lab', product: 'web' }
  assert.deepEqual(standings(accept([one], lab), devices), ['moved', 'new'])
  const judged = judgeReaders(accept([one, two]), {
    ...web,
    devices: [withoutEnrolment(one)],
  })
  assert.equal(judged.enrolled.length, 0)
  assert.equal(judged.notEnrolled.length, 1)
  assert.deepEqual(
    judged.gone.map(({ deviceId }) => deviceId),
    ['device_2'],
  )
})

test('V8 attack: a server names another product for a fleet that is remembered', () => {
  const evil = { fleet: 'production', product: 'evil' }
  const code = { code: 'fleet_of_other_product' }
  assert.throws(() => standings(accept([one]), [enrolled(one)], evil), code)
  assert.throws(() => compareRecords(accept([one]), accept([one], evil)), code)
  assert.deepEqual(standings(withoutFleet(accept([one]), 'production'), [], evil), [])
})

test('V8 the product of a fleet is the one that a person named, and readers of another go with it', () => {
  const named = withFleet(nothing, web)
  assert.deepEqual(standings(named, [enrolled(one)]), ['new'])
  const evil = { fleet: 'production', product: 'evil' }
  assert.throws(() => standings(named, [], evil), { code: 'fleet_of_other_product' })
  const record = accept([one])
  assert.equal(withFleet(record, web), record)
  // What it follows is remembered beside, and is no one else's to change.
  const stable = withFleet(record, { ...web, channel: 'stable' })
  assert.deepEqual(standings(stable, [enrolled(one)]), ['accepted'])
  assert.throws(() => requireSameFleet(stable, { ...web, channel: 'beta' }), {
    code: 'fleet_of_other_channel',
  })
  requireSameFleet(record, { ...web, channel: 'beta' })
  assert.equal(withFleet(stable, web), stable)
  assert.deepEqual(compareRecords(stable, record), [])
  assert.deepEqual(compareRecords(record, stable), [{ ...web, channel: 'stable', changed: [] }])
  assert.deepEqual(standings(withFleet(record, evil), [enrolled(one)], evil), ['new'])
})

test('V8 attack: a name that cannot be read again does not spoil the record', () => {
  for (const name of ['x'.repeat(100_000), 'zero\0', '\u{1f6a2}'.repeat(200), '']) {
    const record = accept([{ ...one, name }])
    assert.deepEqual(parseRecord(utf8Encode(formatRecord(record))), record)
    assert.deepEqual(standings(record, [enrolled({ ...one, name })]), ['accepted'])
  }
})

test('V8 attack: a server shows a key of its own, of a namesake, or one device as two', () => {
  const record = accept([one, two])
  const exchanged = { code: 'reader_exchanged' }
  const judge = (...machines: Machine[]) => standings(record, machines.map(enrolled))
  // Another device under the id, another receiving key under the signing key, two swapped.
  assert.throws(() => judge({ ...one, signing: 'c', receiving: '3' }), exchanged)
  assert.throws(() => judge({ ...one, receiving: '3' }), exchanged)
  assert.throws(() => judge({ ...one, id: '9', receiving: '3' }), exchanged)
  assert.throws(() => judge({ ...one, id: '2' }, { ...two, id: '1' }), exchanged)
  assert.throws(() => judge(one, { ...one, id: '9' }), { code: 'reader_twice' })
  assert.throws(() => judge(one, { ...two, id: '1' }), { code: 'reader_twice' })
  // The same in another fleet, which nobody has sealed to yet.
  const other = { fleet: 'lab', product: 'web' }
  const thief = enrolled({ ...one, signing: 'c', receiving: '3' })
  assert.throws(() => standings(record, [thief], other), exchanged)
  // What honest people may do too is shown for what it is.
  assert.deepEqual(judge({ ...one, id: '9' }), ['other_id'])
  assert.deepEqual(judge({ id: '9', name: 'buoy', signing: 'c', receiving: '3' }), ['same_name'])
})

test('V8 attack: a device that was removed or moved away comes back unasked', () => {
  const { record, ended } = endReaders(
    accept([one, two]),
    ({ deviceId }, fleet) => deviceId === 'device_1' && fleet === 'production',
    tuesday,
  )
  assert.deepEqual(
    ended.map(({ deviceId }) => deviceId),
    ['device_1'],
  )
  assert.deepEqual(standings(record, [enrolled(one), enrolled(two)]), ['came_back', 'accepted'])
  assert.deepEqual(standings(record, [enrolled({ ...one, id: '9' })]), ['came_back'])
  assert.throws(() => standings(record, [enrolled({ ...one, signing: 'c' })]), {
    code: 'reader_exchanged',
  })
  // It was set up anew with its signing key: a person judges it.
  assert.deepEqual(standings(record, [enrolled({ ...one, id: '9', receiving: '3' })]), [
    'same_name',
  ])
  assert.equal(endReaders(record, () => false, tuesday).record, record)
})

test('V8 attack: a server hides whom a person is asked to accept behind devices of its own making', () => {
  const made = Array.from({ length: 80 }, (_, i) =>
    withoutEnrolment({ id: `made-${i}`, signing: 'c', receiving: '3' }),
  )
  const { enrolled: unaccepted } = judgeReaders(nothing, {
    ...web,
    devices: [enrolled(one), enrolled(two)],
  })
  const lines = describeOthers({
    judgement: { fleet: web.fleet, gone: [] },
    ...{ unaccepted, notEnrolled: made },
  })
  assert.match(lines[0]!, /key .*, named "buoy"\) is no reader yet/)
  assert.match(lines[1]!, /is no reader yet/)
  assert.equal(lines.at(-2), 'There are 30 more: `seaworthy reader list --fleet production`.')
  assert.match(lines.at(-1)!, /^To enrol a device: .*--fleet production .*--sign-with KEY-FILE/)
})

test('V8 attack: a server writes another key into the name of a device, and the line still shows the device’s own first', () => {
  const own = enrolled({ ...one, name: 'pump-3' })
  const key = nameDevice(own).match(/key ([0-9a-f ]+)/)?.[1]
  assert.ok(key !== undefined && key.length > 8)
  const foreign = fc.oneof(
    fc.string({ unit: anyCodePoint, maxLength: 300 }),
    fc.constantFrom(
      `pump-3, key 0000 0000 0000 0000) is no reader yet: not accepted on this machine.${' '.repeat(400)}`,
      '", key 0000 0000 0000 0000) "',
      'key 0000\u{202e}',
    ),
  )
  fc.assert(
    fc.property(foreign, (name) => {
      const line = nameDevice({ ...own, name })
      assert.equal(line.match(/key ([0-9a-f ]+)/)?.[1], key)
      assert.ok(line.startsWith(`${own.deviceId} (key ${key}, named "`) && line.endsWith('")'))
      assert.equal(line.split('"').length, 3, 'the name does not close its quotation marks')
      assert.equal(printable(line), line)
      assert.doesNotMatch(line, / {2}/)
    }),
  )
})

test('V8 attack: an older record brings back nobody who was ended, and one of another root is none', () => {
  const before = accept([one, two])
  const after = endReaders(before, ({ deviceId }) => deviceId === 'device_1', tuesday).record
  assert.deepEqual(compareRecords(after, before), [])
  const [difference] = compareRecords(before, after)
  assert.deepEqual(
    difference?.changed.map(({ deviceId, endedAt }) => [deviceId, endedAt]),
    [['device_1', tuesday]],
  )
  assert.throws(() => compareRecords(before, { ...after, root: idOf('f') }), {
    code: 'readers_of_other_root',
  })
  const thief = accept([{ ...one, signing: 'c', receiving: '3' }])
  assert.throws(() => compareRecords(before, thief), { code: 'reader_exchanged' })
})

test('V8 how far a secret has come is told for each device, and what nobody can know is not told', () => {
  const secret = { name: 'TOKEN', deviceId: null, version: 7, setAt: monday }
  const protocol = 'agent' as const
  const seal = (version: number, isOfFleet = true) => ({ name: 'TOKEN', isOfFleet, version })
  const arrivalOf = (
    seals: ReturnType<typeof seal>[],
    lastSeenAt: string | null,
    record = accept([one]),
    configuration: SeenDevice['configuration'] = null,
  ) => {
    const devices = [{ ...enrolled(one), seals }]
    const seen = [{ id: 'device_1', name: null, protocol, lastSeenAt, configuration }]
    return followSecret(secret, 9, judgeReaders(record, { ...web, devices }), seen)[0]?.arrival
  }
  assert.equal(arrivalOf([seal(7)], tuesday), 'asked_since')
  // What asked in the same second may have asked before.
  for (const at of [null, monday, '2026-05-01T08:00:00Z']) {
    assert.equal(arrivalOf([seal(7)], at), 'not_seen_since')
  }
  for (const seals of [[], [seal(6)], [seal(7, false)]]) {
    assert.equal(arrivalOf(seals, tuesday), 'not_sealed')
  }
  assert.equal(arrivalOf([seal(7)], tuesday, nothing), 'not_accepted')
  const failed = { version: 8, code: 'crash_loop' }
  for (const [configuration, arrival] of [
    [{ version: 9 }, 'confirmed'],
    // It may have been sealed to the device after that.
    [{ version: 8 }, 'asked_since'],
    [{ version: 6, failed }, 'failed'],
    [{ version: null, failed }, 'failed'],
    [{ version: 5, failed: { ...failed, version: 6 } }, 'asked_since'],
    [{ version: 7, failed }, 'asked_since'],
  ] as const) {
    assert.equal(arrivalOf([seal(7)], tuesday, accept([one]), configuration), arrival)
  }
  const machines = [
    { id: 'device_1', name: null, protocol, lastSeenAt: tuesday, configuration: null },
    { id: 'device_2', name: 'omaha', protocol, lastSeenAt: tuesday, configuration: null },
  ]
  const judged = judgeReaders(nothing, { ...web, devices: [withoutEnrolment(one)] })
  assert.deepEqual(
    followSecret(secret, 9, judged, machines).map(({ arrival }) => arrival),
    ['not_enrolled', 'without_key'],
  )
  const own = { ...secret, deviceId: 'device_2' }
  assert.equal(followSecret(own, 9, judged, machines).length, 1)
})

const instants = fc.integer({ min: 0, max: 5 }).map((second) => `2026-06-01T08:00:0${second}Z`)
const machines = fc.integer({ min: 1, max: 6 }).map((digit): Machine => {
  const text = String(digit)
  return { id: text, name: `n${text}`, signing: 'abcdef'[digit - 1]!, receiving: text }
})
const readers = fc
  .record({ machine: machines, acceptedAt: instants, endedAt: fc.option(instants) })
  .map(({ machine, acceptedAt, endedAt }): Reader => ({
    ...acceptedReader(enrolled(machine), acceptedAt),
    endedAt,
  }))
const records = fc
  .array(
    fc.record({
      fleet: fc.constantFrom('lab', 'production', 'boats'),
      readers: fc.uniqueArray(readers, { selector: ({ readerId }) => readerId }),
    }),
    { maxLength: 4 },
  )
  .map((fleets) =>
    fleets.reduce<ReaderRecord>(
      (record, one) => withReaders(record, { fleet: one.fleet, product: 'web' }, one.readers),
      nothing,
    ),
  )

const merge = (record: ReaderRecord, other: ReaderRecord) =>
  compareRecords(record, other).reduce<ReaderRecord>(
    (merged, difference) => withReaders(merged, difference, difference.changed),
    record,
  )

test('V8 what two people remember comes to the same whoever imports first, and twice is once (property)', () => {
  const lastWords = ({ fleets }: ReaderRecord) =>
    [...fleets]
      .flatMap(([fleet, one]) =>
        one.readers.map(({ readerId, acceptedAt, endedAt }) => {
          const isEnded = endedAt !== null && endedAt >= acceptedAt
          return `${fleet} ${readerId} ${isEnded ? endedAt : acceptedAt} ${isEnded}`
        }),
      )
      .sort()
  fc.assert(
    fc.property(records, records, (a, b) => {
      const merged = merge(a, b)
      assert.deepEqual(lastWords(merged), lastWords(merge(b, a)))
      assert.deepEqual(compareRecords(merged, b), [])
      assert.deepEqual(compareRecords(merged, a), [])
    }),
    { numRuns: 200, interruptAfterTimeLimit: 30_000, markInterruptAsFailure: false },
  )
})

test('V8 a record is read as it was written, and nothing else is a record (property)', () => {
  fc.assert(
    fc.property(records, (record) => {
      assert.deepEqual(parseRecord(utf8Encode(formatRecord(record))), record)
    }),
    { numRuns: 100, interruptAfterTimeLimit: 30_000, markInterruptAsFailure: false },
  )
  const [good] = [JSON.stringify({ format: 'seaworthy-readers-v1', root, fleets: [] })]
  const fleet = { fleet: 'lab', product: 'web', channel: null, readers: [] }
  const reader = acceptedReader(enrolled(one), monday)
  const made = (fleets: unknown) => good.replace('[]', JSON.stringify(fleets))
  assert.equal(parseRecord(utf8Encode(made([{ ...fleet, readers: [reader] }]))).fleets.size, 1)
  for (const bad of [
    '',
    '{}',
    good.replace('-v1', '-v2'),
    good.replace(root, 'f'),
    made([fleet, fleet]),
    made([{ ...fleet, readers: [reader, reader] }]),
    made([{ ...fleet, readers: [{ ...reader, acceptedAt: 'now' }] }]),
    made([{ ...fleet, readers: [{ ...reader, more: 1 }] }]),
    made([{ ...fleet, fleet: '../lab' }]),
    made([{ ...fleet, channel: 'Beta' }]),
  ]) {
    assert.throws(() => parseRecord(utf8Encode(bad)), SyntaxError, bad)
  }
})
