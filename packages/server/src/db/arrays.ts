/**
 * How arrays travel to PostgreSQL and back. The driver would ask each new connection for the array
 * types; a session that ends during that question ends the whole process (porsager/postgres issue
 * 1192), and without its answer a list would be read as one text.
 */
import { invariant } from '@seaworthy/std/refusal'

/** The object ids of `text[]`, `bigint[]` and `boolean[]`, the same in each PostgreSQL. */
export const textsOid = 1009
export const bigintsOid = 1016
export const booleansOid = 1000

export type ArrayElement = string | number | boolean | null

/** Writes one dimension; `null` is an element without a value. */
function formatArray(elements: readonly ArrayElement[]): string {
  const format = (element: ArrayElement) =>
    element === null ? 'null' : `"${String(element).replace(/[\\"]/g, String.raw`\$&`)}"`
  return `{${elements.map(format).join(',')}}`
}

/** Reads one dimension of texts, as PostgreSQL writes it. Throws for anything else. */
function parseTexts(text: string): string[] {
  const elements: string[] = []
  if (text === '{}') return elements
  const element = /"((?:[^"\\]|\\[\s\S])*)"|([^",{}\\]+)/y
  const end = text.length - 1
  invariant(text.startsWith('{') && text.endsWith('}') && end > 0, 'an array stands in braces')
  for (let at = 0; at < end;) {
    invariant(at === 0 || text[at] === ',', 'commas part the elements of an array')
    element.lastIndex = at + 1
    const [all, quoted, plain] = element.exec(text) ?? []
    invariant(all !== undefined && plain !== 'NULL', 'each element of an array has a value')
    elements.push(plain ?? quoted!.replace(/\\([\s\S])/g, '$1'))
    at = element.lastIndex
  }
  return elements
}

const codec = {
  serialize: formatArray,
  parse: (text: string): readonly ArrayElement[] => parseTexts(text),
}

/** The array types that statements of this server use, for the driver. */
export const arrayTypes = {
  texts: { ...codec, to: textsOid, from: [textsOid] },
  // No statement of this server reads these.
  bigints: { ...codec, to: bigintsOid, from: [] },
  booleans: { ...codec, to: booleansOid, from: [] },
}
