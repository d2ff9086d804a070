/**
 * Random policies for tests of limits: every kind of wave, limit and stop, in many combinations.
 */
import type { RolloutPolicy, Wave } from '@seaworthy/fleet/rollouts'
import type { Random } from '@seaworthy/std/random'
import { randomBelow } from '@seaworthy/std/random'

/** Whole numbers drawn from a seed. */
export interface Dice {
  /** A number from 0 to `below`, `below` excluded. */
  roll(below: number): number
  /** True once in `times` times on average. */
  oneIn(times: number): boolean
  pick<T>(of: readonly T[]): T
}

export function createDice(random: Random): Dice {
  const roll = (below: number) => randomBelow(random, below)
  return { roll, oneIn: (times) => roll(times) === 0, pick: (of) => of[roll(of.length)]! }
}

export function rollPolicy(dice: Dice): RolloutPolicy {
  return {
    waves: rollWaves(dice),
    inFlightMax: dice.oneIn(3) ? null : 1 + dice.roll(8),
    perPeriod: dice.oneIn(2) ? { updatesMax: 1 + dice.roll(8), seconds: 20 + dice.roll(60) } : null,
    rate: rollRate(dice),
    windows: null,
    timeoutSeconds: 60 + dice.roll(240),
    silentAfterSeconds: 86_400,
    safeMode: dice.oneIn(8),
    failuresMax: dice.oneIn(3) ? dice.roll(5) : null,
    onFailure: dice.oneIn(5) ? 'abort' : 'pause',
    attempts: { max: 1 + dice.roll(3), waitSeconds: dice.roll(60) },
    isEmergency: false,
  }
}

function rollWaves(dice: Dice): Wave[] {
  const everything = rollWave(dice, { kind: 'percent', percent: 100 })
  if (dice.oneIn(2)) return [everything]
  const waves: Wave[] = []
  if (dice.oneIn(2)) waves.push(rollWave(dice, { kind: 'count', count: 1 + dice.roll(6) }))
  if (dice.oneIn(3)) waves.push(rollWave(dice, { kind: 'tag', key: 'ring', value: 'early' }))
  if (dice.oneIn(2)) waves.push(rollWave(dice, { kind: 'percent', percent: 5 + dice.roll(30) }))
  return [...waves, everything]
}

function rollWave(dice: Dice, members: Wave['members']): Wave {
  return {
    members,
    needsApproval: false,
    gate: {
      bakeSeconds: dice.roll(30),
      successPercentMin: dice.pick([0, 50, 80]),
      successOf: dice.pick(['members', 'ended']),
      failurePercentMax: dice.oneIn(3) ? dice.pick([10, 30, 60]) : null,
      sampleMin: 1 + dice.roll(5),
    },
  }
}

function rollRate(dice: Dice): RolloutPolicy['rate'] {
  if (dice.oneIn(2)) return null
  const perMinute = dice.pick([6, 30, 120, 600])
  if (dice.oneIn(2)) return { kind: 'constant', perMinute }
  const everyHealthy = 1 + dice.roll(10)
  return { kind: 'exponential', perMinute, factor: 2, everyHealthy, perMinuteMax: perMinute * 8 }
}
