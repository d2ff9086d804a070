/** The report of access: all that gives a right, for whoever reviews it. */
import type { GrantEntry } from '@seaworthy/api/grants'
import type { Permission } from '@seaworthy/fleet/access'
import {
  copyScope,
  deniedPermissions,
  permissionsOf,
  provisioningKeyPermissions,
} from '@seaworthy/fleet/access'
import { formatInstant } from '@seaworthy/std/time'
import type { ReadTx } from '../../db/connection.ts'
import * as db from '../../db/grants.ts'
import type { GrantRow } from '../../db/grants.ts'
import type { Page, PageQuery } from '../paging.ts'
import { instantOrNull } from '../views.ts'
import { listById } from '../paging.ts'
import type { Actor } from './actors.ts'
import { requireUnscoped } from './actors.ts'

/** Lists by id. Throws `out_of_scope`: a review that leaves something out misses its purpose. */
export async function listGrants(
  tx: ReadTx,
  actor: Actor,
  query: PageQuery,
  now: Date,
): Promise<Page<GrantEntry>> {
  requireUnscoped(actor, 'the report of access is of')
  return listById(query, (part) => db.listGrants(tx, { ...part, now }), viewGrant)
}

function viewGrant(row: GrantRow): GrantEntry {
  return {
    kind: row.kind,
    id: row.id,
    name: row.name,
    role: row.role,
    deniedBy: [...row.deniedBy],
    permissions: [...permissionsOfRow(row)],
    denied: deniedOfRow(row),
    ...copyScope(row),
    networks: row.networks && [...row.networks],
    since: formatInstant(row.since),
    grantedBy: { id: row.grantedBy, name: row.grantedByName },
    holder: { id: row.holder, name: row.holderName },
    lastUsedAt: instantOrNull(row.lastUsedAt),
    expiresAt: instantOrNull(row.expiresAt),
    isEnabled: row.isEnabled,
  }
}

/** Keys of gateways and of FleetLock clients speak protocols of others and have no permission. */
export function permissionsOfRow({ kind, role, ...names }: GrantRow): readonly Permission[] {
  if (role !== null) return permissionsOf({ ...names, role })
  return kind === 'provisioning-key' ? provisioningKeyPermissions : []
}

function deniedOfRow({ role, ...names }: GrantRow): { permission: string; by: string[] }[] {
  const denied = role === null ? [] : deniedPermissions({ ...names, role })
  return denied.map(({ permission, by }) => ({ permission, by: [...by] }))
}
