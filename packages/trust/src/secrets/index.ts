/** Secrets of applications, sealed to one device each. */
export { createSecretEnvelope, secretBytesMax } from './secrets.ts'
export { versionAt } from './versions.ts'
export type { SecretBinding, SecretEnvelope, SecretScope } from './secrets.ts'
