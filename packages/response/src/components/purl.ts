/** Package URLs (the purl specification), read strictly: what cannot be read is no component. */

export interface Purl {
  readonly type: string
  /** Empty where there is none. */
  readonly namespace: string
  readonly name: string
  readonly version: string
  readonly qualifiers: ReadonlyMap<string, string>
}

const lengthMax = 2000

export function parsePurl(text: string): Purl | undefined {
  if (text.length > lengthMax) return undefined
  const [, type, path, version = '', query = ''] =
    /^pkg:\/*([a-zA-Z][a-zA-Z0-9.+-]*)\/([^@?#]+)(?:@([^?#]*))?(?:\?([^#]*))?(?:#.*)?$/.exec(
      text,
    ) ?? []
  if (type === undefined || path === undefined) return undefined
  try {
    const names = path
      .split('/')
      .filter((part) => part !== '')
      .map(decodeURIComponent)
    const name = names.pop()
    if (name === undefined) return undefined
    const qualifiers = new Map<string, string>()
    for (const pair of query.split('&')) {
      const at = pair.indexOf('=')
      if (at > 0)
        qualifiers.set(pair.slice(0, at).toLowerCase(), decodeURIComponent(pair.slice(at + 1)))
    }
    return {
      ...{ type: type.toLowerCase(), namespace: names.join('/'), name },
      ...{ version: decodeURIComponent(version), qualifiers },
    }
  } catch {
    return undefined
  }
}
