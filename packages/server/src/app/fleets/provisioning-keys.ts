/** Keys with which devices join a fleet. */
import type { ProvisioningKeyView } from '@seaworthy/api/provisioning-keys'
import type { FleetRefusal } from '@seaworthy/fleet/fleets'
import { newId } from '@seaworthy/std/ids'
import { Refusal } from '@seaworthy/std/refusal'
import { formatInstant } from '@seaworthy/std/time'
import type { ReadTx, WriteTx } from '../../db/connection.ts'
import * as db from '../../db/provisioning-keys.ts'
import type { ProvisioningKeyRow } from '../../db/provisioning-keys.ts'
import {
  getProvisioningKey,
  insertProvisioningKey,
  revokeProvisioningKey,
} from '../../db/provisioning-keys.ts'
import type { Actor, Current } from '../access/index.ts'
import { createCredential, requireRoomFor } from '../access/index.ts'
import type { Ports } from '../app.ts'
import type { Page, PageQuery } from '../paging.ts'
import { listById } from '../paging.ts'
import { findFleet } from './fleets.ts'

/** Throws `fleet_not_found`, `out_of_scope`, `handed_out_too_many`, `enrolment_key_taken`. */
export async function createProvisioningKey(
  tx: WriteTx,
  { random }: Pick<Ports, 'random'>,
  actor: Current,
  wanted: {
    readonly fleet: string
    readonly uses: number
    readonly lifetimeMs: number
    readonly enrolmentKeyId: string | null
  },
  now: Date,
): Promise<{ row: ProvisioningKeyRow; key: string }> {
  const fleet = await findFleet(tx, actor, wanted.fleet)
  requireRoomFor('provisioning keys', await db.countProvisioningKeys(tx, fleet.name, now))
  const id = newId('provisioning', now, random)
  const credential = createCredential('provisioning', id, random)
  const row: ProvisioningKeyRow = {
    id,
    fleet: fleet.name,
    secretSha256: credential.secretSha256,
    usesLeft: wanted.uses,
    expiresAt: new Date(now.getTime() + wanted.lifetimeMs),
    createdAt: now,
    createdBy: actor.id,
    revokedAt: null,
    enrolmentKeyId: wanted.enrolmentKeyId,
  }
  if (!(await insertProvisioningKey(tx, row))) {
    throw new Refusal<FleetRefusal>(
      'enrolment_key_taken',
      'the enrolment key belongs to another provisioning key, which may have ended',
    )
  }
  return { row, key: credential.text }
}

/** Throws `provisioning_key_not_found`, `out_of_scope`. */
export async function endProvisioningKey(
  tx: WriteTx,
  actor: Current,
  id: string,
  now: Date,
): Promise<void> {
  const row = await getProvisioningKey(tx, id)
  const refusal = () =>
    new Refusal<FleetRefusal>('provisioning_key_not_found', 'no such key, or it was revoked before')
  if (row === undefined) throw refusal()
  await findFleet(tx, actor, row.fleet)
  if (!(await revokeProvisioningKey(tx, id, now))) throw refusal()
}

export function viewProvisioningKey(row: ProvisioningKeyRow): ProvisioningKeyView {
  return {
    id: row.id,
    fleet: row.fleet,
    usesLeft: row.usesLeft,
    expiresAt: formatInstant(row.expiresAt),
    createdAt: formatInstant(row.createdAt),
    createdBy: row.createdBy,
    enrolmentKeyId: row.enrolmentKeyId,
  }
}

/**
 * Lists the keys of a fleet that can still register devices. Throws `fleet_not_found`,
 * `out_of_scope`.
 */
export async function listProvisioningKeys(
  tx: ReadTx,
  actor: Actor,
  query: PageQuery & { readonly fleet: string },
  now: Date,
): Promise<Page<ProvisioningKeyView>> {
  const { name } = await findFleet(tx, actor, query.fleet)
  return listById(
    query,
    (part) => db.listProvisioningKeys(tx, { ...part, fleet: name, now }),
    viewProvisioningKey,
  )
}
