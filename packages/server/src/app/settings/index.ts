/**
 * Variables and secrets of applications. Promises: a secret is here only in sealed form, and not
 * for this server unless a person gave it to the server; every change raises the version of the
 * fleet's configuration, which check-ins report from memory; what a device gets fits into one
 * answer. Not handled here: which devices people accept, which the person who seals decides.
 */
export {
  listSecrets,
  listVariables,
  readDeviceSettings,
  removeSetting,
  sealSecret,
  setHeldSecret,
  setSecret,
  setVariable,
} from './settings.ts'
