/** The lock under which rights end. */
import type { WriteTx } from './connection.ts'
import { lockKeys } from './lock-keys.ts'

declare const rightsHeld: unique symbol

/**
 * A transaction that runs beside no other audited change. Work that ends a right, or decides by the
 * rights of several people, needs one.
 */
export interface RightsTx extends WriteTx {
  readonly [rightsHeld]: true
}

/**
 * Every end of a right begins with this lock, so that two owners who demote each other at once do
 * not leave no owner at all, and no change that the right allowed comes after its end. It is the
 * first lock of its transaction, so that a transaction that waits for it holds no other.
 */
export async function lockRights(tx: WriteTx): Promise<RightsTx> {
  await tx.sql`select pg_advisory_xact_lock(${lockKeys.people}::int)`
  return tx as RightsTx
}

/**
 * Every other audited change begins with its share of the same lock: until it has committed, no
 * right ends.
 */
export async function shareRights(tx: WriteTx): Promise<WriteTx> {
  await tx.sql`select pg_advisory_xact_lock_shared(${lockKeys.people}::int)`
  return tx
}
