/** What a package says of its licence, in the terms of SPDX where it uses them. */
import { cutText } from '@seaworthy/std/printable'
import known from 'spdx-license-ids/index.json' with { type: 'json' }

export type Licence =
  | { readonly kind: 'id'; readonly id: string }
  | { readonly kind: 'expression'; readonly expression: string }
  /** What SPDX has no identifier for. */
  | { readonly kind: 'words'; readonly words: string }

const ids: ReadonlySet<string> = new Set(known)
const wordsMax = 200

export function readLicence(text: string): Licence {
  const words = text.replaceAll(/\s+/g, ' ').trim()
  if (ids.has(words)) return { kind: 'id', id: words }
  // Identifiers with one AND or OR after another, all in one pair of brackets or in none.
  const inner = /^\((.*)\)$/.exec(words)?.[1] ?? words
  const parts = inner.split(/ (?:AND|OR) /)
  if (parts.length > 1 && parts.every((part) => ids.has(part))) {
    return { kind: 'expression', expression: inner }
  }
  return { kind: 'words', words: cutText(words, wordsMax) }
}
