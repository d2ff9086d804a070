/**
 * HTML and XML in which no text of a stranger becomes markup: every value is escaped, unless it is
 * markup already, which only this module makes.
 */
import { writeOut } from '@seaworthy/std/printable'

/** Text that may stand in a document as it is. Only the tag `markup` makes it. */
export class Markup {
  readonly text: string

  private constructor(text: string) {
    this.text = text
  }

  static of(strings: readonly string[], values: readonly MarkupValue[]): Markup {
    return new Markup(strings.map((part, i) => part + partOf(values[i] ?? '')).join(''))
  }
}

export type MarkupValue = string | number | Markup | readonly Markup[]

/** A tag for templates. Values belong into text or between quotation marks. */
export function markup(strings: TemplateStringsArray, ...values: MarkupValue[]): Markup {
  return Markup.of(strings, values)
}

function partOf(value: MarkupValue): string {
  if (value instanceof Markup) return value.text
  if (typeof value === 'object') return value.map(({ text }) => text).join('')
  return escapeMarkup(String(value))
}

const entities: Readonly<Record<string, string>> = {
  ...{ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' },
}

/** Also writes out what would be invisible or turn the direction of writing; line ends stay. */
export function escapeMarkup(text: string): string {
  const seen = writeOut(text, (character) =>
    character === '\n' ? character : `\\u{${character.codePointAt(0)!.toString(16)}}`,
  )
  return seen.replaceAll(/[&<>"']/g, (character) => entities[character]!)
}
