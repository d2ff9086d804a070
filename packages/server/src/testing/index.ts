/**
 * A real server as processes, and people and devices that use it. Only for tests, not for
 * production code.
 */
export { endlessSpace } from './registry-space.ts'
export { startTestServer } from './server.ts'
export type { TestServer } from './server.ts'
export {
  askApart,
  carryOut,
  createTestClient,
  fetchCurrent,
  makeProvisioningKey,
  propose,
  publishIntent,
  publishRelease,
  pushBlob,
  pushCrafted,
  pushManifest,
  pushRelease,
  setUpTrust,
  shortAnswerMs,
  sign,
  submit,
} from './people.ts'
export { runGoClient } from './go-client.ts'
export { requireListed } from './listed-problems.ts'
export type { PushedRelease, TestClient } from './people.ts'
export { addDevice, makeAssertion, makeReport, register, report, signReport } from './device.ts'
export type { TestDevice } from './device.ts'
export { acceptLink, becomeOwner, createAuthenticator, createTestBrowser } from './authenticator.ts'
export type { TestBrowser } from './authenticator.ts'
export { confirmed, joinAsFirstOwner, joinBy } from './joined.ts'
export type { Joined } from './joined.ts'
export { startGitHub } from './github.ts'
export type { TestGitHub } from './github.ts'
export { startIdentityProvider } from './identity-provider.ts'
export type { TestIdentityProvider } from './identity-provider.ts'
export { sendHalf } from './half-sent.ts'
export type { HalfSent } from './half-sent.ts'
export { openDatabaseOf, openTlsKey, openTokenMaker } from './tokens.ts'
export { addForeignDevice, publishOsImage, pushOsImage } from './os-images.ts'
export {
  createInstaller,
  fillFleet,
  makeFleet,
  policyOf,
  publishAll,
  waitForRollout,
  waveOf,
} from './rollouts.ts'
export type { Installer, PublishedRelease } from './rollouts.ts'
export { startTestDatabase } from './database.ts'
export { askDatabase, countInDatabase } from './odata.ts'
export type { DevicesWanted } from './device-lists.ts'
export { countWantedDevices, listFirstDevices } from './device-lists.ts'
export type { TestDatabase } from './database.ts'
export { takeSbom } from './sboms.ts'
export { openDecider, readRollout } from './deciders.ts'
export type { Decider, AskedFacts } from './deciders.ts'
export type { Db } from '../db/connection.ts'
export { freezeReplica, killReplica, startSharedServices } from './replicas.ts'
export { startReplicaLoad } from './replica-load.ts'
export type { DatabaseLink, SharedServices } from './replicas.ts'
export { digestReport } from '../app/devices/report-digest.ts'
export { bareMarkOf } from '../db/foreign-check-ins.ts'
export { scrape } from './scrape.ts'
export { makeSshKey } from './ssh-keys.ts'
export { createRegistryHandler } from '../http/registry/index.ts'
export {
  parseAttributes,
  parseFeedback,
  parseInstalled,
  parseTarget,
  readObject,
} from '../http/ddi/requests.ts'
export { readAssertionIssuer, verifyAssertion } from '../app/access/assertions.ts'
export { RegistryError } from '../http/registry/errors.ts'
export { parseByteRange, parsePageSize, parseRegistryTarget } from '../http/registry/requests.ts'
export { parseBasic, parseScopes } from '../http/registry/tokens.ts'
export { parseJson, readJsonText } from '../http/request.ts'
