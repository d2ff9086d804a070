/** Packages of npm: `package.json` of what is installed below a `node_modules`. */
import type { Json } from '@seaworthy/std/json'
import { openJson, parseJson } from '@seaworthy/std/json'
import type { Found } from './components.ts'

/**
 * The package whose own `package.json` this is. Many packages have further ones in folders of
 * theirs, without name and version. Throws `SyntaxError`.
 */
export function readPackageJson(bytes: Uint8Array, path: string): Found[] {
  const json = parseJson(bytes, openJson)
  if (typeof json !== 'object' || json === null || Array.isArray(json)) return []
  const { name, version } = json
  if (typeof name !== 'string' || typeof version !== 'string') return []
  if (name === '' || version === '') return []
  return [{ type: 'npm', name, version, licence: licenceOf(json), path }]
}

/** `license` is text today; older packages have objects, or a list of them. */
function licenceOf({ license, licenses }: { [name: string]: Json }): string {
  const one = nameOfLicence(license)
  if (one !== '' || !Array.isArray(licenses)) return one
  const names = licenses.map(nameOfLicence).filter((name) => name !== '')
  return names.length > 1 ? `(${names.join(' OR ')})` : (names[0] ?? '')
}

function nameOfLicence(value: Json | undefined): string {
  if (typeof value === 'string') return value.trim()
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return ''
  return typeof value['type'] === 'string' ? value['type'].trim() : ''
}
