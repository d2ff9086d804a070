import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Metadata, NewRelease, TargetsSigned } from '@seaworthy/trust/tuf'
import { addRelease, buildTargets, listReleases } from '@seaworthy/trust/tuf'
import { createReleaseTable } from './rollout-table.ts'

const now = new Date('2030-01-01T00:00:00Z')
const release: NewRelease = {
  product: 'acme',
  channel: 'stable',
  version: '1.0.0',
  counter: 1,
  floor: 1,
  kind: 'os-image',
  platforms: ['linux/arm64'],
  hardware: [],
  security: false,
  releasedAt: now,
  length: 10,
  sha256: 'a'.repeat(64),
  sha512: 'b'.repeat(128),
}

test('T7 D12 what lies below the floor that the channel signs is offered to nobody, foreign devices included', () => {
  const next = { ...release, version: '2.0.0', counter: 2, floor: 2, sha256: 'c'.repeat(64) }
  const signed = addRelease(addRelease(buildTargets(now), release, now), next, now)
  const channel = { signed } as Metadata<TargetsSigned>
  const { releases } = listReleases(signed)
  assert.equal(releases.length, 2)
  const table = createReleaseTable({
    state: () => ({
      roles: new Map([['acme.stable', channel]]),
      releases: new Map([['acme.stable', releases]]),
    }),
  })
  const offered = table.of({ product: 'acme', channel: 'stable' })
  assert.deepEqual(
    offered.map(({ version }) => version),
    ['2.0.0'],
  )
})
