/**
 * Our own agents: registration, tokens, check-ins, and what people see of devices and change about
 * them. Promises: a check-in is acknowledged only after its commit; what a device runs changes only
 * by a report that the device's key signed; every worker refuses a removed device from the commit
 * of its removal on. Not handled here: what a device is offered (`app/rollouts`), devices of other
 * protocols (`app/foreign`).
 */
export { createCheckIns } from './check-in-writes.ts'
export { checkIn } from './check-ins.ts'
export { changeOwnMetadata } from './own-name.ts'
export {
  findOwnFleet,
  forgetExpiredAssertions,
  issueAccessToken,
  registerDevice,
} from './device-self.ts'
export {
  changeDevice,
  describeDevice,
  countDevices,
  deviceEffect,
  endDevice,
  findDevice,
  listDevices,
  listEnrolments,
  showEnrolment,
  listReports,
  removalEffect,
  viewDevice,
} from './devices.ts'
export { lockTogether } from './lock-together.ts'
export { moveDevices, moveEffect } from './moves.ts'
export { createStoppedDevices } from './identity-sharing.ts'
export { createRemovedDevices } from './removed-devices.ts'
export { digestForm, digestReport } from './report-digest.ts'
