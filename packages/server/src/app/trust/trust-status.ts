/** The lifetimes of all roles, which people see and which raise alarms. */
import type { TrustStatus } from '@seaworthy/api/trust'
import { parseInstant } from '@seaworthy/std/time'
import type { RoleAuthority, RoleKeys } from '@seaworthy/trust/tuf'
import { blindTimeMs, delegatorOf, lifetimeAlarm } from '@seaworthy/trust/tuf'
import { shareUsed } from './metadata-renewal.ts'
import type { TrustState } from '../app.ts'

type RoleView = TrustStatus['roles'][number]

/** Every role of a verified state, delegating roles before delegated ones. */
export function viewRoles(state: TrustState, now: Date): RoleView[] {
  const top = [
    ['root', state.root.signed],
    ['timestamp', state.timestamp.signed],
    ['snapshot', state.snapshot.signed],
  ] as const
  const rows = [...top, ...[...state.roles].map(([role, { signed }]) => [role, signed] as const)]
  return rows.map(([role, signed]) => {
    const keys = roleKeys(state, role)
    const used = shareUsed(signed.expires, state.publishedAt.get(role), now) * 100
    const isExpired = parseInstant(signed.expires).getTime() <= now.getTime()
    return {
      role,
      version: signed.version,
      expiresAt: signed.expires,
      threshold: keys.threshold,
      keyIds: [...keys.keyids],
      online: role === 'timestamp' || role === 'snapshot',
      usedPercent: Math.max(0, Math.round(used * 10) / 10),
      alarm: lifetimeAlarm(used, isExpired),
    }
  })
}

/** The keys and threshold that speak for a role of a verified state. */
export function roleKeys(state: TrustState, role: string): RoleKeys {
  const { signed } = state.root
  if (role === 'root' || role === 'targets' || role === 'snapshot' || role === 'timestamp') {
    return signed.roles[role]
  }
  const delegator = state.roles.get(delegatorOf(role) ?? '')?.signed
  const found = delegator?.delegations?.roles?.find(({ name }) => name === role)
  if (found === undefined) throw new Error(`${role} is in no verified delegation`)
  return found
}

/** Who speaks for a product, in verified metadata; `undefined` where there is no such product. */
export function findHolders(
  state: TrustState | undefined,
  product: string,
): RoleAuthority | undefined {
  const delegations = state?.roles.get('targets')?.signed.delegations
  const role = delegations?.roles?.find(({ name }) => name === product)
  if (delegations === undefined || role === undefined) return undefined
  const keys = role.keyids.flatMap((id) => delegations.keys[id] ?? [])
  return { keys, threshold: role.threshold }
}

export function viewTrustStatus(state: TrustState | undefined, now: Date): TrustStatus {
  if (state === undefined) return { initialized: false, roles: [], blindTimeSeconds: null }
  const offline = [state.root, ...state.roles.values()].map(({ signed }) => ({
    expiresAt: parseInstant(signed.expires),
  }))
  return {
    initialized: true,
    roles: viewRoles(state, now),
    blindTimeSeconds: Math.floor(blindTimeMs(offline, now) / 1000),
  }
}
