/**
 * What passkeys are asked and answer (WebAuthn Level 3). Options have the standard's JSON form,
 * which browsers read with `parseCreationOptionsFromJSON` and `parseRequestOptionsFromJSON`.
 * Answers hold only what the server verifies. The reply with options sets a cookie for the answer
 * to them.
 */
import { z } from 'zod'
import { text } from './fields.ts'

/** Bytes as base64url without padding. */
const bytesField = (bytesMax: number) =>
  z
    .string()
    .min(1)
    .max(Math.ceil((bytesMax * 4) / 3))
    .regex(/^[A-Za-z0-9_-]+$/, 'base64url without padding')

export const transportName = z.enum([
  'ble',
  'cable',
  'hybrid',
  'internal',
  'nfc',
  'smart-card',
  'usb',
])

const credentialDescriptor = z.object({
  id: z.string(),
  type: z.literal('public-key'),
  transports: z.array(transportName).optional(),
})

/** `PublicKeyCredentialCreationOptionsJSON` */
export const creationOptions = z.object({
  challenge: z.string(),
  rp: z.object({ id: z.string(), name: z.string() }),
  user: z.object({ id: z.string(), name: z.string(), displayName: z.string() }),
  pubKeyCredParams: z.array(z.object({ type: z.literal('public-key'), alg: z.number().int() })),
  timeout: z.number().int(),
  attestation: z.literal('none'),
  excludeCredentials: z.array(credentialDescriptor),
  authenticatorSelection: z.object({
    residentKey: z.literal('required'),
    requireResidentKey: z.literal(true),
    userVerification: z.literal('required'),
  }),
})
export type CreationOptions = z.output<typeof creationOptions>

/** `PublicKeyCredentialRequestOptionsJSON` */
export const requestOptions = z.object({
  challenge: z.string(),
  rpId: z.string(),
  timeout: z.number().int(),
  userVerification: z.literal('required'),
  /** Empty at sign-in: the authenticator knows whose passkeys it has. */
  allowCredentials: z.array(credentialDescriptor),
})
export type RequestOptions = z.output<typeof requestOptions>

/** What `navigator.credentials.create` returns, without what nobody verifies. */
export const newPasskey = z.strictObject({
  id: bytesField(1023),
  clientDataJSON: bytesField(4096),
  attestationObject: bytesField(16 * 1024),
  /** What `getTransports` answers. */
  transports: z.array(transportName).max(8),
})
export type NewPasskey = z.output<typeof newPasskey>

/** What `navigator.credentials.get` returns, without what nobody verifies. */
export const passkeyProof = z.strictObject({
  id: bytesField(1023),
  clientDataJSON: bytesField(4096),
  authenticatorData: bytesField(4096),
  signature: bytesField(1024),
})
export type PasskeyProof = z.output<typeof passkeyProof>

/**
 * A name that people give to people and things: a line of text without controls, separators of
 * lines, and surrounding spaces.
 */
export const lineField = (max: number) =>
  text(max, 1).regex(
    /^[^\p{Cc}\p{Cs}\p{Z}](?:[^\p{Cc}\p{Cs}\p{Zl}\p{Zp}]*[^\p{Cc}\p{Cs}\p{Z}])?$/u,
    'a line of text without spaces around it',
  )
