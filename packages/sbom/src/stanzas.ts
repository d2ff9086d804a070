/**
 * Lines of control files, without a list of all of them: a hostile file may be nothing but their
 * ends.
 */
export function* linesOf(text: string): Generator<string> {
  for (let begin = 0; begin <= text.length;) {
    const end = text.indexOf('\n', begin)
    const stop = end === -1 ? text.length : end
    yield text.slice(begin, text[stop - 1] === '\r' && stop > begin ? stop - 1 : stop)
    begin = stop + 1
  }
}

/**
 * Walks stanzas: lines `Name:value`, with an empty line between stanzas. A line of another form
 * continues the one before it, and is left out. The first field of a name counts.
 */
export function* stanzasOf(
  lines: Iterable<string>,
  readName: (name: string) => string | undefined,
): Generator<(name: string) => string> {
  let fields = new Map<string, string>()
  const take = () => {
    const stanza = fields
    fields = new Map()
    return (name: string) => stanza.get(name) ?? ''
  }
  for (const line of lines) {
    if (line === '') {
      if (fields.size > 0) yield take()
      continue
    }
    const colon = line.indexOf(':')
    const name = colon > 0 && colon <= nameMax ? readName(line.slice(0, colon)) : undefined
    if (name !== undefined && !fields.has(name)) fields.set(name, line.slice(colon + 1).trim())
  }
  if (fields.size > 0) yield take()
}

const nameMax = 40

/** Names of fields that are the same in any case. */
export function anyCase(...wanted: readonly string[]): (name: string) => string | undefined {
  return (name) => {
    const lower = name.toLowerCase()
    return wanted.includes(lower) ? lower : undefined
  }
}
