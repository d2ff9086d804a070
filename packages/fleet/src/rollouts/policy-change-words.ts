/** What a change of a policy changes, from what to what, in words. */
import { formatDuration } from '@seaworthy/std/time'
import { describeMembers, describeRate, describeWindows } from './policy-words.ts'
import type { RolloutPolicy, Wave } from './rollout.ts'

/** One line for each difference: `bake time of wave 2: 30 m → 10 m`. */
export function describePolicyChange(before: RolloutPolicy, after: RolloutPolicy): string[] {
  return [
    ...difference('waves', membersOf(before), membersOf(after)),
    ...describeGateChanges(before, after),
    ...limits.flatMap(({ name, say }) => difference(name, say(before), say(after))),
  ]
}

interface Sayable<Of> {
  readonly name: string
  readonly say: (of: Of) => string
}

const none = 'no limit'
const seconds = (count: number) => formatDuration(count * 1000)
const percent = (value: number) => `${value} %`

const limits: readonly Sayable<RolloutPolicy>[] = [
  { name: 'updates at the same time', say: ({ inFlightMax }) => `${inFlightMax ?? none}` },
  {
    name: 'updates in a period',
    say: ({ perPeriod }) =>
      perPeriod === null ? none : `${perPeriod.updatesMax} in ${seconds(perPeriod.seconds)}`,
  },
  { name: 'rate', say: ({ rate }) => (rate === null ? none : describeRate(rate)) },
  {
    name: 'windows',
    say: ({ windows }) => (windows === null ? 'at any time' : describeWindows(windows)),
  },
  { name: 'time of one update', say: ({ timeoutSeconds }) => seconds(timeoutSeconds) },
  {
    name: 'silent after',
    say: ({ silentAfterSeconds: after }) => (after === null ? 'never' : seconds(after)),
  },
  { name: 'safe mode', say: ({ safeMode }) => (safeMode ? 'on' : 'off') },
  { name: 'failed devices allowed', say: ({ failuresMax }) => `${failuresMax ?? none}` },
  { name: 'on too many failures', say: ({ onFailure }) => onFailure },
  {
    name: 'attempts',
    say: ({ attempts }) => `${attempts.max}, ${seconds(attempts.waitSeconds)} apart`,
  },
  { name: 'emergency', say: ({ isEmergency }) => (isEmergency ? 'yes' : 'no') },
]

const gates: readonly Sayable<Wave>[] = [
  { name: 'approval by a person', say: ({ needsApproval }) => (needsApproval ? 'yes' : 'no') },
  { name: 'bake time', say: ({ gate }) => seconds(gate.bakeSeconds) },
  {
    name: 'healthy share',
    say: ({ gate }) =>
      `${percent(gate.successPercentMin)} of ${gate.successOf === 'members' ? 'members' : 'ended updates'}`,
  },
  {
    name: 'share of failures allowed',
    say: ({ gate }) => (gate.failurePercentMax === null ? none : percent(gate.failurePercentMax)),
  },
  { name: 'updates before shares count', say: ({ gate }) => String(gate.sampleMin) },
]

function membersOf({ waves }: RolloutPolicy): string {
  return waves.map(({ members }) => describeMembers(members)).join(', ')
}

/** Waves that are new or gone are told by their members. */
function describeGateChanges(before: RolloutPolicy, after: RolloutPolicy): string[] {
  const count = Math.min(before.waves.length, after.waves.length)
  return gates.flatMap(({ name, say }) => {
    const changes: string[] = []
    for (let index = 0; index < count; index += 1) {
      const [from, to] = [say(before.waves[index]!), say(after.waves[index]!)]
      changes.push(from === to ? '' : `${from} → ${to}`)
    }
    const [first = ''] = changes
    const isAll = count > 1 && first !== '' && changes.every((change) => change === first)
    if (isAll) return [`${name} of each wave: ${first}`]
    return changes.flatMap((change, index) =>
      change === '' ? [] : [`${name} of wave ${index + 1}: ${change}`],
    )
  })
}

function difference(name: string, from: string, to: string): string[] {
  return from === to ? [] : [`${name}: ${from} → ${to}`]
}
