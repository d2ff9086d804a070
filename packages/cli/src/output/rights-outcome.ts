/** What ends with somebody's rights, and what stays, in words. */
import type { RightsOutcome } from '@seaworthy/api/handed-out'
import { formatCount } from './format.ts'

export const dryRunQuery = (isDryRun = false) => (isDryRun ? { dryRun: 'yes' as const } : {})

const listed = (what: string, ids: readonly string[]) =>
  ids.length === 0 ? [] : [`  ${what}: ${ids.join(', ')}`]
const counted = (count: number, what: string) =>
  count === 0 ? [] : [`  ${formatCount(count, what)}`]

export function describeOutcome({ isDryRun, ends, stays }: RightsOutcome): string[] {
  const ended = [
    ...listed('tokens', ends.tokens),
    ...listed('invitations', ends.invitations),
    ...listed('provisioning keys', ends.provisioningKeys),
    ...counted(ends.sessionsCount, 'session'),
    ...counted(ends.passkeysCount, 'passkey'),
  ]
  const ways = [
    ...stays.tokens.map((id) => `token revoke ${id}`),
    ...stays.provisioningKeys.map((id) => `provisioning-key revoke ${id}`),
    ...stays.approvals.map((id) => `approval reject ${id} --reason TEXT`),
    ...inFleets('reboot-lock key revoke', stays.fleetLockKeys),
    ...inFleets('gateway-token revoke', stays.gatewayTokens),
    ...inFleets('device rotate', stays.foreignDevices),
  ]
  return [
    ...(ended.length === 0 ? [] : [isDryRun ? 'With it would end:' : 'With it ended:', ...ended]),
    ...(stays.sessionsCount === 0
      ? []
      : [`Open sessions that go on: ${stays.sessionsCount} (\`seaworthy session list\`).`]),
    ...(stays.invitations.length === 0
      ? []
      : [`Invitations that wait (the page of people ends them): ${stays.invitations.join(', ')}`]),
    ...(ways.length === 0
      ? []
      : [
          'What they have handed out, or ask for, goes on as far as it is listed here. To end or replace one:',
          ...ways.map((way) => `  seaworthy ${way}`),
        ]),
  ]
}

function inFleets(way: string, made: readonly { id: string; fleet: string }[]): string[] {
  return made.map(({ id, fleet }) => `${way} ${id}   (fleet ${fleet})`)
}
