/** Public keys of people, as SSH and OpenPGP write them. */
export type { PublicKeyCode } from './codes.ts'
export { parsePublicKey, publicKeyLengthMax } from './parse.ts'
export type { PersonKey } from './person-key.ts'
