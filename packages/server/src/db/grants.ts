/** Everything that gives a right, as rows of one form. */
import type { RoleRules } from '@seaworthy/fleet/access'
import type { ReadTx } from './connection.ts'
import { roleColumns } from './held-roles.ts'

export interface GrantRow {
  readonly kind:
    | 'person'
    | 'token'
    | 'invitation'
    | 'provisioning-key'
    | 'gateway-token'
    | 'fleetlock-key'
  readonly id: string
  /** What stays when a token is refreshed: the first token of its line. */
  readonly key: string
  readonly name: string | null
  /** `null` for keys. */
  readonly role: string | null
  readonly deniedBy: readonly string[]
  readonly customRoles: readonly RoleRules[]
  readonly products: readonly string[] | null
  readonly fleets: readonly string[] | null
  /** The only networks that it works from; `null` for all. */
  readonly networks: readonly string[] | null
  readonly since: Date
  readonly grantedBy: string
  readonly grantedByName: string | null
  /** The maker who is no token. */
  readonly holder: string
  readonly holderName: string | null
  readonly lastUsedAt: Date | null
  readonly expiresAt: Date | null
  readonly isEnabled: boolean
}

/** Lists by id what works as of now, and people who are disabled. */
export async function listGrants(
  { sql }: ReadTx,
  page: { readonly after: string; readonly limit: number; readonly now: Date },
): Promise<GrantRow[]> {
  return sql<GrantRow[]>`
    with grants as (
      select 'person' as kind, p.id, p.id as key, p.name, p.role, p.denied_by, p.products, p.fleets, null::text[] as networks, coalesce(p.granted_at, p.created_at) as since,
        coalesce(p.granted_by, p.created_by) as by, p.id as owner,
        greatest(p.last_sign_in_at, (select max(s.last_used_at) from sessions s where s.person_id = p.id))
          as used, null::timestamptz as expires, p.disabled_at is null as enabled
      from people p
      union all
      select 'token', id, line, name, role, denied_by, products, fleets, networks, created_at, created_by, holder, last_used_at,
        expires_at, true
      from tokens where revoked_at is null and expires_at > ${page.now}
      union all
      select 'invitation', id, id, coalesce(name, email), role, denied_by, products, fleets, null, created_at, created_by,
        created_by, null, expires_at, true
      from invitations where used_at is null and revoked_at is null and expires_at > ${page.now}
      union all
      select 'provisioning-key', k.id, k.id, null, null, '{}', array[f.product], array[f.name], null, k.created_at, k.created_by,
        k.created_by, null, k.expires_at, true
      from provisioning_keys k join fleets f on f.name = k.fleet
      where k.revoked_at is null and k.expires_at > ${page.now} and k.uses_left > 0
      union all
      select 'gateway-token', k.id, k.id, null, null, '{}', array[f.product], array[f.name], null, k.created_at, k.created_by,
        k.created_by, null, null, true
      from gateway_tokens k join fleets f on f.name = k.fleet where k.revoked_at is null
      union all
      select 'fleetlock-key', k.id, k.id, null, null, '{}', array[f.product], array[f.name], null, k.created_at, k.created_by,
        k.created_by, null, null, true
      from fleetlock_keys k join fleets f on f.name = k.fleet where k.revoked_at is null
    )
    select g.kind, g.id, g.key, g.name, ${roleColumns({ sql }, 'g')}, g.products, g.fleets, g.networks, g.since, g.by as "grantedBy",
      coalesce(gp.name, gt.name) as "grantedByName", coalesce(ht.holder, g.owner) as holder,
      hp.name as "holderName", g.used as "lastUsedAt", g.expires as "expiresAt", g.enabled as "isEnabled"
    from grants g
    left join people gp on gp.id = g.by
    left join tokens gt on gt.id = g.by
    left join tokens ht on ht.id = g.owner
    left join people hp on hp.id = coalesce(ht.holder, g.owner)
    where g.id > ${page.after} order by g.id limit ${page.limit}`
}
