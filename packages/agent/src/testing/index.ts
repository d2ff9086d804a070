/**
 * Tools for the tests, simulations and benchmarks of other packages: a real agent, a hostile
 * origin, and the parts that they take by themselves.
 */
export type { TestAgent } from './test-agent.ts'
export { createTestAgent, killHard, makeTestFolder, writeTestApp } from './test-agent.ts'
export type { AssertionClaims } from './device-contract.ts'
export { isGenuineReport, readAssertion, readRegistration, refuseCall } from './device-contract.ts'
export type { TestOrigin } from './test-origin.ts'
export { startTestOrigin } from './test-origin.ts'
export { openDeviceKey, signAssertion } from '../state/device-key.ts'
export { parseConfig, withoutProvisioningKey } from '../config.ts'
export { decodeGeneration, encodeGeneration } from '../state/generations.ts'
export type { Pipe } from '../handover/lines.ts'
export { readMessages } from '../handover/lines.ts'
export type { RequestKind } from '../handover/messages.ts'
export { asMembers, parseEvent, parseFailure, parseReply } from '../handover/messages.ts'
export type {
  AppProcess,
  AppSpec,
  Disk,
  DiskEntry,
  DiskReader,
  DiskWriter,
  Processes,
  TreeWriter,
} from '../ports.ts'
export { DiskError, ProcessError } from '../ports.ts'
export type { DeviceState } from '../state/device-state.ts'
export { emptyState, openState } from '../state/device-state.ts'
export { createFetcher } from '../fetcher/fetcher.ts'
export { createGateway, serveRequests } from '../handover/link.ts'
export type { Installer } from '../installer/installer.ts'
export { openInstaller } from '../installer/installer.ts'
export type { Layout } from '../state/layout.ts'
export { layoutOf } from '../state/layout.ts'
export { rateLimits } from '../fetcher/slow-retrieval.ts'
export { sourcesOf } from '../installer/sources.ts'
