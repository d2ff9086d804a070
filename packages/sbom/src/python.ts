/** Packages of Python: `*.dist-info/METADATA` and `*.egg-info/PKG-INFO` (core metadata). */
import type { Found } from './components.ts'
import { forEachStanza } from './stanzas.ts'

export function readPythonMetadata(text: string, path: string): Found[] {
  const found: Found[] = []
  // What follows the first empty line is the description.
  const head = text.split(/\r?\n\r?\n/, 1)[0]!
  forEachStanza(head, (field) => {
    const name = field('name')
    const version = field('version')
    if (name === '' || version === '') return
    const licence = field('license-expression') || field('license')
    found.push({
      ...{ type: 'pypi', name, version, path },
      licence: licence === 'UNKNOWN' ? '' : licence,
    })
  })
  return found
}
