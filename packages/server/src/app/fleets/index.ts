/**
 * Fleets, their policies and their provisioning keys. Promises: a fleet follows a channel that
 * signed metadata has; every worker knows each policy from memory, and looks up once what it has
 * not heard of.
 */
export { createFleetTable, policyOf } from './fleet-table.ts'
export {
  createFleet,
  createProvisioningKey,
  endProvisioningKey,
  findFleet,
  listFleets,
  listProvisioningKeys,
  setFleet,
  showFleet,
  viewFleet,
  viewProvisioningKey,
} from './fleets.ts'
