/** A rollout as somebody writes it into a form, and the policy that follows from it. */
import type { RolloutView } from '@seaworthy/api/rollouts'
import { policyDefaults } from '@seaworthy/fleet/rollouts'
import { formatDuration, parseDuration } from '@seaworthy/std/time'

type Policy = RolloutView['policy']

export interface RolloutDraft {
  /** Shares of the fleet, as `1%,10%,100%`; counts and tags as the command line writes them. */
  readonly waves: string
  /** Numbers of waves that wait for a person, as `2,3`. */
  readonly approvals: string
  readonly bake: string
  readonly failuresPercent: string
  readonly isSafe: boolean
  readonly isAbortedByFailures: boolean
}

const firstGate = policyDefaults.waves[0]!.gate

export const draftDefaults: RolloutDraft = {
  waves: '1%,10%,50%,100%',
  approvals: '',
  bake: formatDuration(firstGate.bakeSeconds * 1000),
  failuresPercent: String(firstGate.failurePercentMax),
  isSafe: false,
  isAbortedByFailures: false,
}

/** The policy, or what keeps the draft from being one, by the name of its field. */
export type ReadDraft =
  | { readonly policy: Policy; readonly mistakes: Readonly<Record<string, never>> }
  | { readonly policy: undefined; readonly mistakes: Partial<Record<keyof RolloutDraft, string>> }

export function readDraft(draft: RolloutDraft): ReadDraft {
  const mistakes: Partial<Record<keyof RolloutDraft, string>> = {}
  const members = draft.waves.split(',').map(readMembers)
  if (members.includes(undefined)) {
    mistakes.waves = 'Such as 1%,10%,100%; also count:50 and tag:canary=yes.'
  }
  const approvals = draft.approvals.split(',').filter((part) => part.trim() !== '')
  const approved = new Set(approvals.map((part) => Number(part)))
  if (approved.size > 0 && ![...approved].every((wave) => wave >= 1 && wave <= members.length)) {
    mistakes.approvals = `Numbers of waves, from 1 to ${members.length}.`
  }
  const bakeSeconds = readSeconds(draft.bake)
  if (bakeSeconds === undefined) mistakes.bake = 'A length of time, such as 30m, 12h or 7d.'
  const failures = Number(draft.failuresPercent)
  if (draft.failuresPercent.trim() === '' || !(failures >= 0 && failures <= 100)) {
    mistakes.failuresPercent = 'A share from 0 to 100.'
  }
  if (Object.keys(mistakes).length > 0) return { policy: undefined, mistakes }
  return {
    mistakes: {},
    policy: {
      ...policyDefaults,
      // The form has no windows.
      windows: null,
      waves: members.flatMap((one, index) =>
        one === undefined
          ? []
          : [
              {
                members: one,
                needsApproval: approved.has(index + 1),
                gate: {
                  ...firstGate,
                  bakeSeconds: bakeSeconds ?? 0,
                  failurePercentMax: failures,
                },
              },
            ],
      ),
      safeMode: draft.isSafe,
      onFailure: draft.isAbortedByFailures ? 'abort' : 'pause',
    },
  }
}

function readMembers(text: string): Policy['waves'][number]['members'] | undefined {
  const given = text.trim()
  const percent = /^(\d{1,3}(?:\.\d{1,4})?)\s*%$/.exec(given)
  if (percent !== null) {
    const share = Number(percent[1])
    return share > 0 && share <= 100 ? { kind: 'percent', percent: share } : undefined
  }
  const count = /^count:([1-9]\d{0,7})$/.exec(given)
  if (count !== null) return { kind: 'count', count: Number(count[1]) }
  const tag = /^tag:([a-z][a-z0-9_.-]{0,62})=(.{0,255})$/u.exec(given)
  return tag === null ? undefined : { kind: 'tag', key: tag[1]!, value: tag[2]! }
}

function readSeconds(text: string): number | undefined {
  if (text.trim() === '0') return 0
  try {
    const seconds = Math.round(parseDuration(text.trim()) / 1000)
    return seconds <= 90 * 86_400 ? seconds : undefined
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

/** Options of `seaworthy rollout create` that say the same. */
export function draftOptions(draft: RolloutDraft): string[] {
  return [
    ...['--waves', draft.waves.replaceAll(' ', ''), '--bake', draft.bake],
    ...['--max-failures', `${draft.failuresPercent}%`],
    ...(draft.approvals.trim() === '' ? [] : ['--approve-wave', draft.approvals]),
    ...(draft.isSafe ? ['--safe-mode'] : []),
    ...(draft.isAbortedByFailures ? ['--on-failure', 'abort'] : []),
  ]
}
