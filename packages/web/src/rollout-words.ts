/** Rollouts, their waves and gates, in words and figures. */
import type { FleetView } from '@seaworthy/api/fleets'
import type { RolloutView } from '@seaworthy/api/rollouts'
import { formatDuration } from '@seaworthy/std/time'
import type { Mark, Tone } from './device-words.ts'

export type ShownWave = RolloutView['waves'][number]

const tones: Readonly<Record<RolloutView['state'], Tone>> = {
  active: 'blue',
  paused: 'yellow',
  finished: 'green',
  aborted: 'red',
}

export function markOfRollout({ state, stopCode }: RolloutView): Mark {
  const text = stopCode === null ? state : `${state}: ${stopCode.replaceAll('_', ' ')}`
  return { text, tone: tones[state] }
}

const waveStates: Readonly<Record<ShownWave['state'], readonly [text: string, tone: Tone]>> = {
  waiting: ['waiting', 'gray'],
  awaiting_approval: ['to approve', 'yellow'],
  open: ['open', 'blue'],
  passed: ['passed', 'green'],
}

export function markOfWave({ state }: ShownWave): Mark {
  const [text, tone] = waveStates[state]
  return { text, tone }
}

export function sumWaves({ waves }: RolloutView) {
  const sum = (count: (wave: ShownWave) => number) =>
    waves.reduce((total, wave) => total + count(wave), 0)
  return {
    members: sum(({ membersCount }) => membersCount ?? 0),
    inFlight: sum(({ inFlightCount }) => inFlightCount),
    healthy: sum(({ healthyCount }) => healthyCount),
    failed: sum(({ failedCount }) => failedCount),
  }
}

/** `wave 2 of 4, 44 healthy, 1 failed`. */
export function describeProgress(rollout: RolloutView): string {
  const opened = rollout.waves.filter(({ state }) => state === 'open' || state === 'passed').length
  const { healthy, failed } = sumWaves(rollout)
  const trouble = failed === 0 ? '' : `, ${failed} failed`
  return `wave ${opened} of ${rollout.waves.length}, ${healthy} healthy${trouble}`
}

/** `44 of 90 healthy, 12 in flight, 1 failed, 3 silent`. */
export function describeWave(wave: ShownWave): string {
  const of = wave.membersCount === null ? '' : ` of ${wave.membersCount.toLocaleString()}`
  const parts = [
    `${wave.healthyCount.toLocaleString()}${of} healthy`,
    wave.inFlightCount === 0 ? undefined : `${wave.inFlightCount.toLocaleString()} in flight`,
    wave.failedCount === 0 ? undefined : `${wave.failedCount.toLocaleString()} failed`,
    wave.supersededCount === 0 ? undefined : `${wave.supersededCount.toLocaleString()} superseded`,
    wave.silentCount ? `${wave.silentCount.toLocaleString()} silent` : undefined,
  ]
  return parts.filter((part) => part !== undefined).join(', ')
}

/** How far an open wave is from letting the next one open. */
export function describeGate(rollout: RolloutView, wave: ShownWave, now: Date): string | undefined {
  if (wave.state !== 'open') return undefined
  const { gate } = rollout.policy.waves[wave.number - 1]!
  const of = gate.successOf === 'members' ? 'its devices' : 'its ended updates'
  const bake = formatDuration(gate.bakeSeconds * 1000)
  if (wave.successSince === null) {
    const held = gate.bakeSeconds === 0 ? '' : `, for ${bake}`
    return `Gate: ${gate.successPercentMin} % of ${of} healthy${held}.`
  }
  const leftMs = Date.parse(wave.successSince) + gate.bakeSeconds * 1000 - now.getTime()
  const left = formatDuration(Math.max(0, Math.ceil(leftMs / 1000) * 1000))
  return leftMs <= 0 ? 'Gate met.' : `Gate met: it bakes, ${left} left of ${bake}.`
}

/** What decides the release of devices of the fleet. */
export function describeFollow(fleet: FleetView): string {
  if (!fleet.updatesEnabled) return 'updates are off'
  if (fleet.follow === 'rollouts') return 'rollouts'
  return fleet.pinnedVersion === null ? 'the newest release' : `held at ${fleet.pinnedVersion}`
}
