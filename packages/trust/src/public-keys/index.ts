/**
 * Public keys of people, as SSH and OpenPGP write them, and OpenPGP signatures of documents. None
 * of these keys or signatures says anything of what a device may run.
 */
export type { OpenPgpSignatureCode, PublicKeyCode } from './codes.ts'
export { openPgpSignatureError, publicKeyError } from './codes.ts'
export { parsePublicKey, publicKeyLengthMax } from './parse.ts'
export type { PersonKey } from './person-key.ts'
export type { OpenPgpSignedForm } from './openpgp-signatures.ts'
export {
  cleartextOf,
  makeOpenPgpKey,
  openPgpSignatureLengthMax,
  requireVerifiable,
  signOpenPgp,
  verifyOpenPgp,
} from './openpgp-signatures.ts'
