/** Packages of apk (`lib/apk/db/installed`): stanzas of one-letter fields, which have a case. */
import type { Found } from './components.ts'
import { linesOf, stanzasOf } from './stanzas.ts'

export function readApkInstalled(text: string, path: string): Found[] {
  const found: Found[] = []
  for (const field of stanzasOf(linesOf(text), readName)) {
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

const readName = (name: string) => (['P', 'V', 'L', 'A', 'o'].includes(name) ? name : undefined)
