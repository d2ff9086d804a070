/**
 * The few flat XML answers of S3. The caller bounds the length before. What is not found is absent,
 * and the caller checks every value that it uses.
 */

const entities: Readonly<Record<string, string>> = {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  apos: "'",
}

function decodeText(text: string): string {
  return text.replace(
    /&(?:#(\d{1,7})|#x([0-9a-fA-F]{1,6})|(\w{2,4}));/g,
    (whole, dec, hex, name) => {
      if (name !== undefined) return entities[name as string] ?? whole
      const code = dec === undefined ? Number.parseInt(hex as string, 16) : Number(dec)
      return code <= 0x10ffff ? String.fromCodePoint(code) : whole
    },
  )
}

/**
 * The text between each `<name …>` and the next `</name>`; elements of one name never lie within
 * one another here.
 */
export function xmlElements(xml: string, name: string): string[] {
  const found: string[] = []
  let at = 0
  for (;;) {
    const open = xml.indexOf(`<${name}`, at)
    if (open < 0) return found
    const next = xml[open + name.length + 1]
    const start = xml.indexOf('>', open) + 1
    if (start === 0) return found
    at = start
    if (next !== '>' && next !== ' ') continue
    if (xml[start - 2] === '/') continue
    const end = xml.indexOf(`</${name}>`, start)
    if (end < 0) return found
    found.push(xml.slice(start, end))
    at = end
  }
}

/** The text of the first element of that name. */
export function xmlText(xml: string, name: string): string | undefined {
  const [first] = xmlElements(xml, name)
  return first === undefined ? undefined : decodeText(first)
}

export function xmlEncode(text: string): string {
  return text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`)
}
