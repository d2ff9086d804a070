/** Sealing to a public key (RFC 9180): what only one device can open, whoever stores it. */
export { hpkeError } from './codes.ts'
export type { HpkeCode } from './codes.ts'
export { createWebPlatform } from './platform.ts'
export type { SealingPlatform } from './platform.ts'
export { generateReceivingKey, openReceivingKey, parseReceivingKey } from './receiving-key.ts'
export type { ReceivingKey } from './receiving-key.ts'
export { createEnvelope, sealedOverhead } from './envelope.ts'
