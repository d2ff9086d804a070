/** Packages of Python: `*.dist-info/METADATA` and `*.egg-info/PKG-INFO` (core metadata). */
import type { Found } from './components.ts'
import { anyCase, linesOf, stanzasOf } from './stanzas.ts'

const fields = anyCase('name', 'version', 'license', 'license-expression')

export function readPythonMetadata(text: string, path: string): Found[] {
  // What follows the first empty line is the description.
  for (const field of stanzasOf(linesOf(text), fields)) {
    const name = field('name')
    const version = field('version')
    if (name === '' || version === '') return []
    const licence = field('license-expression') || field('license')
    return [
      {
        ...{ type: 'pypi', name, version, path },
        licence: licence === 'UNKNOWN' ? '' : licence,
      },
    ]
  }
  return []
}
