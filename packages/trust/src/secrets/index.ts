/** Secrets of applications, sealed to one device each. */
export { createSecretEnvelope, secretBytesMax, secretOverhead } from './secrets.ts'
export { versionAt } from './versions.ts'
export type { SecretBinding, SecretEnvelope, SecretScope } from './secrets.ts'
