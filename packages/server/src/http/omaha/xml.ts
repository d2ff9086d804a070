/**
 * The small part of XML that Omaha clients send: elements and attributes, bounded, without document
 * types. It is strict about form, with one tolerance: update_engine does not escape `"` in
 * attribute values (Flatcar#1424), so a quotation mark ends a value only where something that may
 * follow a value comes next. Not here: namespaces, text (which is skipped), entities beyond the
 * five.
 */

export interface XmlElement {
  readonly name: string
  /** The attributes by name; of several with one name, the first. */
  readonly attributes: ReadonlyMap<string, string>
  readonly children: readonly XmlElement[]
}

export class XmlError extends Error {
  override readonly name = 'XmlError'
}

const depthMax = 16
const elementsMax = 2000
const attributesMax = 64

const space = /[ \t\r\n]*/y
const nameForm = /[A-Za-z_:][A-Za-z0-9_:.-]{0,63}/y
const equals = /[ \t\r\n]*=[ \t\r\n]*(["'])/y
/** What may follow the end of a value: the end of the tag, or another attribute. */
const behindValue =
  /[ \t\r\n]*(?:\/?>|\?>)|[ \t\r\n]+[A-Za-z_:][A-Za-z0-9_:.-]{0,63}[ \t\r\n]*=[ \t\r\n]*["']/y

interface Open {
  readonly name: string
  readonly attributes: Map<string, string>
  readonly children: XmlElement[]
}

/**
 * Parses the document and answers its root element. Throws `XmlError`. The caller has bounded the
 * length of the text.
 */
export function parseXml(text: string): XmlElement {
  let at = text.startsWith('\uFEFF') ? 1 : 0
  let elementsCount = 0
  const open: Open[] = []

  const match = (form: RegExp): RegExpExecArray | null => {
    form.lastIndex = at
    const found = form.exec(text)
    if (found !== null) at = form.lastIndex
    return found
  }
  const skipPast = (end: string, what: string) => {
    const index = text.indexOf(end, at)
    if (index < 0) throw new XmlError(`${what} does not end`)
    at = index + end.length
  }
  const readName = (): string => {
    const found = match(nameForm)
    if (found === null) throw new XmlError(`a name is missing at ${at}`)
    return found[0]
  }
  const readValue = (quote: string): string => {
    const begin = at
    for (let from = at; ;) {
      const end = text.indexOf(quote, from)
      if (end < 0) throw new XmlError('an attribute does not end')
      at = end + 1
      const after = at
      const isEnd = match(behindValue) !== null
      at = after
      if (isEnd) return decode(text.slice(begin, end))
      from = after
    }
  }
  const readAttributes = (): Map<string, string> => {
    const attributes = new Map<string, string>()
    for (let count = 0; ; count++) {
      const before = at
      match(space)
      if ('/>?'.includes(text[at] ?? '>')) return attributes
      if (at === before) throw new XmlError(`an attribute is malformed at ${at}`)
      if (count >= attributesMax) throw new XmlError('too many attributes')
      const name = readName()
      const quote = match(equals)?.[1]
      if (quote === undefined) throw new XmlError(`attribute name without = in element at ${at}`)
      const value = readValue(quote)
      if (!attributes.has(name)) attributes.set(name, value)
    }
  }

  if (text.startsWith('<?xml', at)) skipPast('?>', 'the declaration')
  for (;;) {
    const next = text.indexOf('<', at)
    const between = text.slice(at, next < 0 ? text.length : next)
    if (open.length === 0 && between.trim() !== '') throw new XmlError('text outside of the root')
    if (next < 0) throw new XmlError('the document does not end')
    at = next + 1
    if (text.startsWith('!--', at)) {
      skipPast('-->', 'a comment')
    } else if (text[at] === '!' || text[at] === '?') {
      throw new XmlError('document types and instructions are not accepted')
    } else if (text[at] === '/') {
      at++
      const name = readName()
      match(space)
      if (text[at] !== '>') throw new XmlError(`an end tag is malformed at ${at}`)
      at++
      const closed = open.pop()
      if (closed?.name !== name) throw new XmlError(`</${name}> has no beginning`)
      if (open.length === 0) return finish(closed)
      open.at(-1)!.children.push(closed)
    } else {
      if (++elementsCount > elementsMax) throw new XmlError('too many elements')
      const element: Open = { name: readName(), attributes: readAttributes(), children: [] }
      const isEmpty = text[at] === '/'
      if (isEmpty) at++
      if (text[at] !== '>') throw new XmlError(`a tag is malformed at ${at}`)
      at++
      if (isEmpty && open.length === 0) return finish(element)
      if (isEmpty) open.at(-1)!.children.push(element)
      else if (open.length >= depthMax) throw new XmlError('too deep')
      else open.push(element)
    }
  }

  /** Checks what follows the root: only comments and white space, each read once. */
  function finish(root: XmlElement): XmlElement {
    for (;;) {
      match(space)
      if (!text.startsWith('<!--', at)) break
      skipPast('-->', 'a comment')
    }
    if (at < text.length) throw new XmlError('something follows the root element')
    return root
  }
}

const entities: Readonly<Record<string, string>> = {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  apos: "'",
}

function decode(value: string): string {
  if (value.includes('<')) throw new XmlError('< in an attribute')
  const decoded = value.replaceAll(/&([^;&]{0,10});?/g, (whole, name: string) => {
    if (!whole.endsWith(';')) throw new XmlError('an & without its ;')
    const number = /^#(?:x([0-9A-Fa-f]{1,6})|([0-9]{1,7}))$/.exec(name)
    if (number !== null) return decodeNumber(number[1], number[2])
    const known = Object.hasOwn(entities, name) ? entities[name] : undefined
    if (known === undefined) throw new XmlError('an unknown entity')
    return known
  })
  if (/[^\t\n\r -\uFFFD]/.test(decoded)) throw new XmlError('a character that XML does not have')
  return decoded
}

function decodeNumber(hex: string | undefined, decimal: string | undefined): string {
  const code = hex === undefined ? Number(decimal) : Number.parseInt(hex, 16)
  const isCharacter =
    code === 9 ||
    code === 10 ||
    code === 13 ||
    (code >= 0x20 && code <= 0xd7ff) ||
    (code >= 0xe000 && code <= 0xfffd) ||
    (code >= 0x10000 && code <= 0x10ffff)
  if (!isCharacter) throw new XmlError('a character that XML does not have')
  return String.fromCodePoint(code)
}

/** Formats an element; attributes that are `undefined` are left out. */
export function formatElement(
  name: string,
  attributes: Readonly<Record<string, string | number | undefined>>,
  children: readonly string[] = [],
): string {
  const written = Object.entries(attributes)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => ` ${key}="${escape(String(value))}"`)
  return `<${name}${written.join('')}>${children.join('')}</${name}>`
}

function escape(value: string): string {
  return value.replaceAll(/[&<>"'\t\n\r]/g, (character) => `&#${character.charCodeAt(0)};`)
}
