import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { FleetView } from '@seaworthy/api/fleets'
import { utf8Encode } from '@seaworthy/std/bytes'
import { declareDevices, mergeDeclarations, parseDeclaration } from './declaration.ts'
import type { Present } from './plan.ts'
import { describeStep, planChanges } from './plan.ts'

const shops: FleetView = {
  name: 'shops',
  product: 'acme',
  channel: 'stable',
  pollSeconds: 60,
  pinnedVersion: null,
  updatesEnabled: true,
  follow: 'newest',
  baselineVersion: null,
  reboot: { strategy: 'coordinated', slots: 1, ttlSeconds: null },
  sharedIdentity: 'tell',
  devicesCount: 1,
  createdAt: '2030-01-01T00:00:00Z',
}
const present: Present = {
  fleets: [shops],
  devices: new Map([['till', { id: 'device_1', fleet: 'shops', tags: { a: '1', b: '2' } }]]),
  channels: new Set(['acme/stable']),
}
const read = (value: unknown) => parseDeclaration('f.json', utf8Encode(JSON.stringify(value)))
const linesOf = (value: unknown, prunes = false) => {
  const { steps, impossible } = planChanges(read(value), present, prunes)
  return [...steps.flatMap(describeStep), ...impossible]
}

test('D1 what is as declared changes nothing, in whatever order its members stand, and what is not declared is left alone', () => {
  const fleet = {
    channel: 'stable',
    product: 'acme',
    reboot: { ttlSeconds: null, slots: 1, strategy: 'coordinated' },
  }
  assert.deepEqual(
    linesOf({ fleets: { shops: fleet }, devices: { till: { tags: { b: '2', a: '1' } } } }),
    [],
  )
  assert.deepEqual(linesOf({}), [])
  assert.deepEqual(linesOf({}, true), ['- fleet shops, for good: its name is never used again'])
})

test('D1 the difference is in words: what is made, and of what changes the value before', () => {
  const declared = {
    fleets: {
      shops: { product: 'acme', channel: 'stable', pollSeconds: 120 },
      kiosks: { product: 'acme', channel: 'stable', follow: 'rollouts' },
    },
    devices: { till: { fleet: 'kiosks', tags: { a: '1' } } },
  }
  assert.deepEqual(linesOf(declared), [
    '~ fleet shops',
    '    pollSeconds: 60 -> 120',
    '+ fleet kiosks of acme/stable',
    '    follow: "rollouts"',
    '~ device "till"',
    '    fleet: "shops" -> "kiosks"',
    '    tags: {"a":"1","b":"2"} -> {"a":"1"}',
  ])
})

test('D1 what no change brings about is said before anything is done', () => {
  const impossible = (value: unknown) => planChanges(read(value), present, false).impossible.join()
  const other = { shops: { product: 'acme', channel: 'beta' } }
  assert.match(impossible({ fleets: other }), /shops follows acme\/stable and not acme\/beta/)
  const unsigned = { kiosks: { product: 'acme', channel: 'beta' } }
  assert.match(impossible({ fleets: unsigned }), /no signed channel acme\/beta/)
  assert.match(impossible({ devices: { till: { fleet: 'none' } } }), /there is no fleet none/)
})

test('D1 a file with what this version does not know is refused, with the nearest name', () => {
  const fleet = { product: 'acme', channel: 'stable' }
  for (const [value, said] of [
    [[], /it is not an object/],
    [{ fleet: {} }, /unknown member "fleet"; did you mean "fleets"/],
    [{ fleets: { shops: { ...fleet, pollSecond: 5 } } }, /did you mean "pollSeconds"/],
    [{ fleets: { shops: { ...fleet, pollSeconds: 'often' } } }, /fleets\.shops\.pollSeconds: /],
    [{ fleets: { 'Shops!': fleet } }, /"Shops!" is not the name of a fleet/],
    [{ devices: { till: { id: 'x' } } }, /devices\.till has the unknown member "id"/],
  ] as const) {
    assert.throws(() => read(value), { name: 'CliError', message: said })
  }
  assert.throws(() => parseDeclaration('f', utf8Encode('{"fleets":{},"fleets":{}}')), /not JSON/)
  const file = { path: 'f.json', declaration: read({ fleets: { shops: fleet } }) }
  assert.throws(() => mergeDeclarations([file, file]), /the fleet shops is in another file too/)
})

test('D1 attack: a device that calls itself by the id of another has that one moved by no file', () => {
  const victim = `device_${'0'.repeat(26)}`
  const devices = [
    { name: victim, fleet: 'labs', tags: { wave: 'canary' } },
    { name: 'till', fleet: 'shops', tags: {} },
    { name: null, fleet: 'shops', tags: {} },
  ]
  assert.deepEqual(declareDevices(devices), { till: { fleet: 'shops', tags: {} } })
  assert.throws(
    () => read({ devices: { [victim]: { fleet: 'labs' } } }),
    /f\.json: "device_0{26}" is an id, and not a name/,
  )
})
