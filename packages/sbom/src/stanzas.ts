/**
 * Walks the stanzas of a control file: lines `Name: value`, continued by lines that begin with a
 * space, with an empty line between stanzas. Names are the same in any case.
 */
export function forEachStanza(text: string, take: (field: (name: string) => string) => void): void {
  let fields = new Map<string, string>()
  const end = () => {
    if (fields.size > 0) {
      const stanza = fields
      take((name) => stanza.get(name) ?? '')
    }
    fields = new Map()
  }
  for (const line of text.split(/\r?\n/)) {
    if (line === '') end()
    else if (!/^\s/.test(line)) {
      const colon = line.indexOf(':')
      if (colon > 0) {
        const name = line.slice(0, colon).toLowerCase()
        if (!fields.has(name)) fields.set(name, line.slice(colon + 1).trim())
      }
    }
  }
  end()
}
