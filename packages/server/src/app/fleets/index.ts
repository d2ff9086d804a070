/**
 * Fleets, their policies and their provisioning keys. Promises: a fleet follows a channel that
 * signed metadata has; every worker has each policy in memory, and looks up once one that it does
 * not know yet.
 */
export { nextConfigVersion } from './config-versions.ts'
export { createFleetTable, policyOf } from './fleet-table.ts'
export {
  createFleet,
  findFleet,
  fleetEffect,
  listFleets,
  setFleet,
  showFleet,
  viewFleet,
} from './fleets.ts'
export {
  createProvisioningKey,
  endProvisioningKey,
  listProvisioningKeys,
  viewProvisioningKey,
} from './provisioning-keys.ts'
export { removeFleet, showDependents } from './remove-fleet.ts'
export { tellEnrolledDevice, tellMovedDevice } from './moved-devices.ts'
