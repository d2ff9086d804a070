/**
 * Devices that speak hawkBit's DDI or Omaha, and gateways that speak for them. Promises: they
 * follow the same rules as our agents, through the same engine; their reports carry no signature,
 * so only a token vouches for them, and nothing they say counts for another device. Not handled
 * here: the wire formats (`http/ddi`, `http/omaha`), what is offered (`app/rollouts`).
 */
export { findMembership, isToCancel, listActions, viewAction } from './ddi/actions.ts'
export { forceCancel } from './ddi/cancels.ts'
export type { Agenda, AttributeMode, Deployment } from './ddi/deployments.ts'
export {
  answerPoll,
  findDeployment,
  mayInstall,
  takeAttributes,
  takeCancelFeedback,
  takeFeedback,
  takeInstalled,
} from './ddi/deployments.ts'
export type { ForeignState } from './foreign-check-ins.ts'
export { createForeignCheckIns } from './foreign-check-ins.ts'
export {
  createForeignDevice,
  createGatewayToken,
  endGatewayToken,
  findForeignDevice,
  gatewayEndEffect,
  listGatewayTokens,
  registerBehind,
  rotationEffect,
  rotateForeignDevice,
  viewGatewayToken,
} from './foreign-devices.ts'
export { createForeignIdentities } from './foreign-identities.ts'
export { createOmahaAppTable, isAppOf, setOmahaApp } from './omaha/apps.ts'
export type { Offer } from './omaha/offers.ts'
export { findOfferedFile, admitMachine, takeStatement } from './omaha/offers.ts'
