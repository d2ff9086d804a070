/** Rollouts as a server describes them, for tests. */
import type { RolloutView } from '@seaworthy/api/rollouts'
import { policyDefaults } from '@seaworthy/fleet/rollouts'

type WaveView = RolloutView['waves'][number]

export function makeWave(
  number: number,
  state: WaveView['state'],
  changes: Partial<WaveView> = {},
): WaveView {
  return {
    number,
    state,
    membersCount: null,
    silentCount: null,
    openedAt: null,
    successSince: null,
    approvedAt: null,
    approvedBy: null,
    offeredCount: 0,
    inFlightCount: 0,
    healthyCount: 0,
    failedCount: 0,
    supersededCount: 0,
    ...changes,
  }
}

/** The default policy, its last wave repeated for as many waves as there are. */
export function makeRollout(changes: Partial<RolloutView> = {}): RolloutView {
  const waves = changes.waves ?? policyDefaults.waves.map((_, i) => makeWave(i + 1, 'waiting'))
  return {
    id: `rollout_${'0'.repeat(26)}`,
    fleet: 'lab',
    product: 'web',
    channel: 'stable',
    version: '2.0',
    sha256: 'a'.repeat(64),
    counter: 2,
    state: 'active',
    stopCode: null,
    stopValues: null,
    stopReason: null,
    wayBackOf: null,
    policy: {
      ...policyDefaults,
      windows: null,
      waves: waves.map((_, i) => policyDefaults.waves[i] ?? policyDefaults.waves.at(-1)!),
    },
    next: 'wave 1 opens',
    nextCode: 'due',
    nextValues: {},
    createdAt: '2026-05-04T10:00:00Z',
    policyVersion: 1,
    policyChanges: [],
    createdBy: 'ann',
    startAt: '2026-05-04T10:00:00Z',
    endedAt: null,
    ...changes,
    waves,
  }
}
