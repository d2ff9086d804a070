/**
 * Keys: their text forms, signatures by them, and files that hold them. A signature says only "this
 * key signed these bytes"; `tuf/` decides who may sign what. Private keys never leave the signer.
 */
export type { KeyCode } from './codes.ts'
export { isSignedBy, keyId, parsePublicKey, readForeignKey } from './public-key.ts'
export type { PublicKey, VerifyingKey } from './public-key.ts'
export { registrationMessage, reportMessage } from './device-statements.ts'
export { generateKeyPair, generateSigner, signerFromPkcs8 } from './signer.ts'
export type { KeyAlgorithm, Signer } from './signer.ts'
export {
  defaultKeyFileCost,
  formatPublicKeyFile,
  keyFileBytesMax,
  keyFileFormat,
  openKeyFile,
  parsePublicKeyFile,
  sealKeyFile,
} from './key-file.ts'
export type { Argon2id, KeyFileCost } from './key-file.ts'
