/** Packages of apk (`lib/apk/db/installed`): stanzas of one-letter fields, which have a case. */
import type { Found } from './components.ts'

export function readApkInstalled(text: string, path: string): Found[] {
  const found: Found[] = []
  for (const stanza of text.split(/\n\n+/)) {
    const fields = new Map<string, string>()
    for (const line of stanza.split('\n')) {
      const [, name, value] = /^([A-Za-z]):(.*)$/.exec(line) ?? []
      if (name !== undefined && !fields.has(name)) fields.set(name, value!.trim())
    }
    const field = (name: string) => fields.get(name) ?? ''
    const name = field('P')
    const version = field('V')
    if (name === '' || version === '') continue
    const origin = field('o')
    found.push({
      ...{ type: 'apk', name, version, licence: field('L'), path },
      ...(field('A') === '' ? {} : { architecture: field('A') }),
      ...(origin === '' ? {} : { source: { name: origin, version } }),
    })
  }
  return found
}
