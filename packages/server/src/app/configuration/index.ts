/**
 * Variables and secrets of applications. Promises: a secret is never here but sealed to somebody
 * else; every change raises the version of the fleet's configuration, which check-ins tell from
 * memory; what a device gets fits into one answer. Not handled here: who was enrolled, which is
 * for whoever seals to decide.
 */
export {
  listSecrets,
  listVariables,
  readDeviceConfiguration,
  removeSetting,
  sealSecret,
  setSecret,
  setVariable,
} from './configuration.ts'
