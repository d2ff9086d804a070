import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { compareBytes, utf8Encode } from '@seaworthy/std/bytes'
import { readCycloneDx } from '../components/index.ts'
import { readRecord } from '../records/index.ts'
import { boundsOf, judgeComponent, placeOf } from './index.ts'

function componentOf(purl: string) {
  const components = [{ type: 'library', name: 'a', purl }]
  const document = { bomFormat: 'CycloneDX', specVersion: '1.6', components }
  return readCycloneDx(utf8Encode(JSON.stringify(document))).components[0]!
}

function recordOf(ecosystem: string, said: object) {
  const affected = [{ package: { ecosystem, name: 'a' }, ...said }]
  const record = readRecord(
    utf8Encode(JSON.stringify({ id: 'X-1', modified: '2026-01-01T00:00:00Z', affected })),
  )
  assert.ok('id' in record)
  return record
}

/** Whether a database that compares keys finds the component. */
function isFound(component: ReturnType<typeof componentOf>, record: ReturnType<typeof recordOf>) {
  const bounds = boundsOf(record.affected)
  const place = placeOf(component)
  if (bounds === undefined || place === undefined) return true
  return (
    compareBytes(place, bounds.lowest) >= 0 &&
    (bounds.highest === undefined || compareBytes(place, bounds.highest) <= 0)
  )
}

test('R13 no component that is affected or unknown lies outside the bounds of a record', () => {
  const version = fc.oneof(
    fc.tuple(fc.nat(4), fc.nat(4), fc.nat(4)).map((parts) => parts.join('.')),
    fc.constantFrom('odd', '1.0.0-rc.1', '2.0'),
  )
  const event = fc.oneof(
    version.map((introduced) => ({ introduced })),
    fc.constant({ introduced: '0' }),
    version.map((fixed) => ({ fixed })),
    version.map((last) => ({ last_affected: last })),
    version.map((limit) => ({ limit })),
  )
  const range = fc.record({
    type: fc.constantFrom('SEMVER', 'ECOSYSTEM', 'GIT'),
    events: fc.array(event, { minLength: 1, maxLength: 5 }),
  })
  const said = fc.record({
    ranges: fc.array(range, { maxLength: 3 }),
    versions: fc.array(version, { maxLength: 3 }),
  })
  let outsideCount = 0
  fc.assert(
    fc.property(said, version, (parts, own) => {
      const record = recordOf('npm', parts)
      const component = componentOf(`pkg:npm/a@${own}`)
      const verdict = judgeComponent(component, record)?.verdict
      const found = isFound(component, record)
      if (!found) outsideCount++
      if (verdict === 'affected' || verdict === 'unknown') assert.ok(found)
    }),
    { numRuns: 3000 },
  )
  assert.ok(outsideCount > 100, 'some components lie outside')
})

test('R13 where a record or a component does not say its distribution’s release, everything is judged', () => {
  const ranges = [{ type: 'ECOSYSTEM', events: [{ introduced: '0' }, { fixed: '1.0-1' }] }]
  assert.equal(boundsOf(recordOf('Debian', { ranges }).affected), undefined)
  assert.notEqual(boundsOf(recordOf('Debian:12', { ranges }).affected), undefined)
  assert.equal(placeOf(componentOf('pkg:deb/debian/a@1.0-1')), undefined)
  assert.notEqual(placeOf(componentOf('pkg:deb/debian/a@1.0-1?distro=debian-12')), undefined)
})
