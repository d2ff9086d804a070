/**
 * Who may restart at the moment (RFD 14): our agents at their check-ins, and FleetLock clients.
 * Promises: a fleet's slots are counted under one row lock, so there are never more holders than
 * slots; a slot is given back when an update has ended, not when a device comes up again; a slot
 * that is held too long is given up or reported to people.
 */
export type { LockClient } from './fleetlock.ts'
export {
  createFleetLockKey,
  endFleetLockKey,
  identifyLockClient,
  listFleetLockKeys,
  lockBeforeReboot,
  unlockWhenSteady,
  viewFleetLockKey,
} from './fleetlock.ts'
export { listRebootLocks, takeAwayLock, viewRebootLock, watchRebootLocks } from './reboot-locks.ts'
export type { SlotRefusal } from './slots.ts'
export {
  createRebootLockTable,
  decideRestart,
  mayInterrupt,
  releaseAllSlots,
  releaseSlot,
} from './slots.ts'
