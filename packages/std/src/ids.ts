/** Identifiers that carry their kind: `device_0123456789abcdefghjkmnpqrs`. */
import type { Random } from './random.ts'

declare const kind: unique symbol
export type Id<K extends string> = string & { readonly [kind]: K }

/** Crockford's alphabet in lower case: no i, l, o, u. */
const alphabet = '0123456789abcdefghjkmnpqrstvwxyz'
const suffix = /^[0-9a-hjkmnp-tv-z]{26}$/

/**
 * A new identifier of 130 bits, the first 48 of them milliseconds, so that ids sort roughly by age.
 */
export function newId<K extends string>(kindName: K, now: Date, random: Random): Id<K> {
  let text = ''
  let ms = now.getTime()
  for (let i = 0; i < 10; i++) {
    text = alphabet[ms % 32]! + text
    ms = Math.floor(ms / 32)
  }
  for (const byte of random.bytes(16)) text += alphabet[byte & 31]!
  return `${kindName}_${text}` as Id<K>
}

/** Throws `SyntaxError` when the text is not an identifier of that kind. */
export function parseId<K extends string>(kindName: K, text: string): Id<K> {
  if (!isId(kindName, text)) throw new SyntaxError(`not an identifier of the form ${kindName}_…`)
  return text
}

export function isId<K extends string>(kindName: K, text: string): text is Id<K> {
  return text.startsWith(`${kindName}_`) && suffix.test(text.slice(kindName.length + 1))
}
