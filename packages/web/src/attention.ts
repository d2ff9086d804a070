/** What a person should look at first, out of what the pages already read. */
import type { ApprovalView } from '@seaworthy/api/approvals'
import type { ProposalView } from '@seaworthy/api/proposals'
import type { RolloutView } from '@seaworthy/api/rollouts'
import type { TrustStatus } from '@seaworthy/api/trust'

/** A reason to look somewhere, with the address of the page. */
export interface Attention {
  readonly text: string
  readonly to: string
  readonly isGrave: boolean
}

interface Seen {
  readonly roles: TrustStatus['roles']
  readonly paused: readonly RolloutView[]
  readonly active: readonly RolloutView[]
  readonly proposals: readonly ProposalView[]
  readonly approvals: readonly ApprovalView[]
  readonly silentCount: number
  readonly sharedCount: number
  readonly clockCount: number
  readonly failedCount: number
  /** How many devices there are. */
  readonly devicesCount: number
}

const plural = (count: number, one: string, many: string) =>
  `${count === 1 ? 'One' : count.toLocaleString()} ${count === 1 ? one : many}`

/** Counts are read one after the other, so the whole may be older than a part. */
const ofDevices = (count: number, devicesCount: number) =>
  `${count === 1 ? 'One' : count.toLocaleString()} of ${plural(Math.max(count, devicesCount), 'device', 'devices').toLowerCase()}`

/** Everything that wants a person, the gravest first. */
export function listAttention(seen: Seen): Attention[] {
  const { roles, paused, active, proposals, approvals } = seen
  const late = roles.filter(
    ({ alarm, online }) => !online && alarm !== 'none' && alarm !== 'notice',
  )
  const waves = active.flatMap((rollout) =>
    rollout.waves
      .filter(({ state }) => state === 'awaiting_approval')
      .map(({ number }) => ({ rollout, number })),
  )
  const deciding = approvals.filter(({ mayDecide, state }) => mayDecide && state === 'pending')
  const counts = [
    [seen.sharedCount, 'shares its identity', 'share their identity', 'identity=shared', true],
    [
      seen.failedCount,
      'failed its last update, or rolled it back',
      'failed their last update, or rolled it back',
      'update=failed',
      true,
    ],
    [
      seen.silentCount,
      'is silent: not heard of for a day and five polls',
      'are silent: not heard of for a day and five polls',
      'presence=silent',
      false,
    ],
    [seen.clockCount, 'has a clock that is off', 'have clocks that are off', 'clock=off', false],
  ] as const
  const found: Attention[] = [
    ...late.map(({ role, alarm, expiresAt }) => ({
      text:
        alarm === 'expired'
          ? `The role ${role} has expired: devices refuse what it signed.`
          : `The role ${role} expires on ${expiresAt.slice(0, 10)}: its holders must sign it again.`,
      to: '/trust',
      isGrave: alarm !== 'warning',
    })),
    ...paused.map(({ id, product, version, fleet, stopReason }) => ({
      text: `The rollout of ${product} ${version} to ${fleet} is paused${stopReason === null ? '' : `: ${stopReason}`}.`,
      to: `/rollouts/${id}`,
      isGrave: true,
    })),
    ...waves.map(({ rollout, number }) => ({
      text: `Wave ${number} of ${rollout.product} ${rollout.version} to ${rollout.fleet} needs an approval.`,
      to: `/rollouts/${rollout.id}`,
      isGrave: false,
    })),
    ...counts.flatMap(([count, one, many, filter, isGrave]) =>
      count === 0
        ? []
        : [
            {
              text: `${ofDevices(count, seen.devicesCount)} ${count === 1 ? one : many}.`,
              to: `/devices?${filter}`,
              isGrave,
            },
          ],
    ),
    ...(deciding.length === 0
      ? []
      : [
          {
            text: `${plural(deciding.length, 'request waits', 'requests wait')} for your approval.`,
            to: '/approvals',
            isGrave: false,
          },
        ]),
    ...proposals.map(({ id, title, complete }) => ({
      text: complete
        ? `“${title}” is signed, and waits to be published.`
        : `“${title}” waits for signatures.`,
      to: `/proposals/${id}`,
      isGrave: false,
    })),
  ]
  return [...found.filter(({ isGrave }) => isGrave), ...found.filter(({ isGrave }) => !isGrave)]
}
