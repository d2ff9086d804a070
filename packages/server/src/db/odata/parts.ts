/**
 * Parts of a statement that is put together from a question. A text gets into one only as part of
 * this program's source or as a parameter: there is no other way to make a part.
 */

declare const made: unique symbol

/** What the driver takes as a parameter; every use says its type by a cast. */
export type Value = string | number | boolean | readonly string[]

export interface Part {
  readonly texts: readonly string[]
  readonly values: readonly Value[]
  readonly [made]: true
}

/** A part from source text, with other parts and parameters in it. */
export function part(source: TemplateStringsArray, ...inserted: readonly (Part | Value)[]): Part {
  const texts: string[] = [source[0]!]
  const values: Value[] = []
  const append = (text: string) => {
    texts[texts.length - 1] += text
  }
  for (const [i, one] of inserted.entries()) {
    if (isPart(one)) {
      append(one.texts[0]!)
      for (const text of one.texts.slice(1)) texts.push(text)
      for (const value of one.values) values.push(value)
    } else {
      values.push(one)
      texts.push('')
    }
    append(source[i + 1]!)
  }
  // The mark exists in types alone: nothing outside of this file can make a part.
  return { texts, values } as unknown as Part
}

function isPart(one: Part | Value): one is Part {
  return typeof one === 'object' && 'texts' in one
}

/** The name of the row that a question is about, or of another one that it needs, by its number. */
export function alias(number: number): Part {
  return { texts: [`e${Math.trunc(number)}`], values: [] } as unknown as Part
}

export function join(parts: readonly Part[], between: Part): Part {
  const [first, ...rest] = parts
  return rest.reduce((all, one) => part`${all}${between}${one}`, first ?? part``)
}

export function formatStatement({ texts, values }: Part): { text: string; values: Value[] } {
  const text = texts.reduce((all, one, i) => `${all}$${i}${one}`)
  return { text, values: [...values] }
}
