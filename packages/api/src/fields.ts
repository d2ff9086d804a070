/** Fields that several resources share, with their limits. */
import { z } from 'zod'
import { base64Form } from '@seaworthy/std/bytes'

/** Free text. Its length is counted in Unicode characters, as JSON Schema and PostgreSQL count. */
export const text = (max: number, min = 0) =>
  z
    .string()
    .refine(
      (value) => value.length >= min && isWithin(value, max),
      min === 0 ? `at most ${max} characters` : `${min} to ${max} characters`,
    )
    .meta({ ...(min === 0 ? {} : { minLength: min }), maxLength: max })

/** A text has at least half as many characters as it has UTF-16 units. */
function isWithin(value: string, max: number): boolean {
  if (value.length <= max) return true
  return value.length <= 2 * max && Array.from(value).length <= max
}

/**
 * A whole number in a query, written in one way: no sign, no space, no leading zero, no exponent.
 */
export const wholeInQuery = (min: number, max: number) =>
  z.preprocess(
    (value) =>
      typeof value === 'string' && /^(?:0|[1-9]\d{0,14})$/.test(value) ? Number(value) : value,
    z.number().int().min(min).max(max),
  )

export const nameField = z
  .string()
  .regex(
    /^[a-z][a-z0-9-]{0,62}$/,
    'a name of a-z, 0-9 and -, starting with a letter, at most 63 characters',
  )

export const productName = z
  .string()
  .regex(
    /^(?!(?:root|targets|snapshot|timestamp)$)[a-z][a-z0-9-]{0,62}$/,
    'a name of a-z, 0-9 and -, starting with a letter, at most 63 characters, and not root, targets, snapshot or timestamp, which are TUF roles',
  )

export const versionField = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._+-]{0,127}$/, 'a version of letters, digits and . _ + -')

/** `YYYY-MM-DDTHH:MM:SSZ` */
export const instant = z.iso.datetime({ precision: 0 })
export const sha256Hex = z.string().regex(/^[0-9a-f]{64}$/)
/** The pin of a server's key: SHA-256 of its SubjectPublicKeyInfo in DER form, in Base64url. */
export const pinField = z.string().regex(/^sha256:[A-Za-z0-9_-]{43}$/)
export const digestField = z.string().regex(/^(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/)
export const platformField = z.string().regex(/^[a-z0-9]+\/[a-z0-9]+(\/[a-z0-9]+)?$/)
export const idField = <K extends string>(kind: K) =>
  z.string().regex(new RegExp(`^${kind}_[0-9a-hjkmnp-tv-z]{26}$`), `an identifier ${kind}_…`)

export const productKind = z.enum(['bundle', 'container', 'os-image'])
/** A TUF key object, canonical form checked by `trust`. */
export const publicKeyField = z.strictObject({
  keytype: text(32),
  scheme: text(64),
  keyval: z.strictObject({ public: text(2048) }),
})
/**
 * What holders and a provisioning key have signed of a device (`@seaworthy/trust/enrolment`). A
 * server keeps it for whoever verifies it, and decides nothing by it.
 */
export const enrolmentField = z.strictObject({
  certificate: z.strictObject({
    product: text(64),
    fleet: text(64),
    publicKey: publicKeyField,
    signatures: z.array(z.strictObject({ keyid: text(64), sig: text(4096) })).max(32),
  }),
  /** The device's X25519 public key, to which secrets are sealed. */
  receivingKey: text(44),
  signature: text(4096),
})
/** The name of a variable or secret, and of the file that an application reads it from. */
export const settingName = z
  .string()
  .regex(
    /^[A-Z][A-Z0-9_]{0,63}$/,
    'a name of A-Z, 0-9 and _, starting with a letter, at most 64 characters',
  )
/** Rises with every change of a fleet's variables and secrets, those of its devices included. */
export const configVersionField = z.number().int().min(0).max(2_147_483_647)
/** Bytes as base64 with padding. */
export const base64Field = (bytesMax: number) =>
  z
    .string()
    .max(Math.ceil(bytesMax / 3) * 4)
    .regex(base64Form, 'Base64 with padding')
/** The code of a refusal: closed unions in the code, text on the wire. */
export const refusalCode = z.string().regex(/^[a-z][a-z0-9_]{0,63}$/)
const tagsMax = 64
/** One tag as text. */
export const tagText = z
  .string()
  .regex(/^[a-z][a-z0-9_.-]{0,62}=[^\n]{0,255}$/u, 'a tag of the form name=value')
export const tagName = z.string().regex(/^[a-z][a-z0-9_.-]{0,62}$/)
export const tagMap = z
  .record(tagName, text(255))
  .refine((tags) => Object.keys(tags).length <= tagsMax, `at most ${tagsMax} tags`)
  .meta({ maxProperties: tagsMax })

/**
 * Lists come in pages: `after` is the last item's id or name of the page before. A page may be
 * shorter than `limit` although another one follows: `next` alone says which is the last.
 */
export const pageQuery = z.strictObject({
  limit: wholeInQuery(1, 1000).optional(),
  after: text(255).optional(),
})
export const pageOf = <T extends z.ZodType>(item: T) =>
  z.object({ items: z.array(item), next: z.string().nullable() })
