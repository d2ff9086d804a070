/** Packages of npm: what is installed below a `node_modules`, or what a lock file would install. */
import type { Json } from '@seaworthy/std/json'
import { openJson, parseJson } from '@seaworthy/std/json'
import type { Found } from './components.ts'

/**
 * The package whose own `package.json` this is. Many packages have further ones in folders of
 * theirs, without name and version. Throws `SyntaxError`.
 */
export function readPackageJson(bytes: Uint8Array, path: string): Found[] {
  const json = parseJson(bytes, openJson)
  if (!isObject(json)) return []
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
  if (!isObject(value)) return ''
  return typeof value['type'] === 'string' ? value['type'].trim() : ''
}

const lockLimits = { ...openJson, valuesMax: 2_000_000 }
const lockDepthMax = 64

/**
 * The packages that `npm ci --omit=dev` would install on Linux, by a lock file of any version.
 * Throws `SyntaxError`.
 */
export function readPackageLock(bytes: Uint8Array, path: string): Found[] {
  const json = parseJson(bytes, lockLimits)
  if (!isObject(json)) return []
  const { packages, dependencies } = json
  if (isObject(packages)) {
    return Object.entries(packages).flatMap(([place, one]) => {
      const at = place.lastIndexOf('node_modules/')
      if (at === -1 || !isObject(one) || one['link'] === true || !isForHere(one)) return []
      const name = typeof one['name'] === 'string' ? one['name'] : place.slice(at + modules.length)
      return [lockedPackage(name, one, path)]
    })
  }
  const found: Found[] = []
  const walk = (tree: Json | undefined, depth: number) => {
    if (!isObject(tree) || depth > lockDepthMax) return
    for (const [name, one] of Object.entries(tree)) {
      if (!isObject(one) || !isForHere(one)) continue
      found.push(lockedPackage(name, one, path))
      walk(one['dependencies'], depth + 1)
    }
  }
  walk(dependencies, 0)
  return found
}

const modules = 'node_modules/'

/** Whether it is installed where an application runs. */
function isForHere({ dev, os }: { [name: string]: Json }): boolean {
  if (dev === true) return false
  const systems = Array.isArray(os) ? os : []
  return systems.length === 0 || systems.includes('linux') || systems.some(isExclusion)
}

function isExclusion(system: Json): boolean {
  return typeof system === 'string' && system.startsWith('!') && system !== '!linux'
}

/** A version may also be an address, or another package under this name. */
function lockedPackage(name: string, one: { [name: string]: Json }, path: string): Found {
  const said = typeof one['version'] === 'string' ? one['version'] : ''
  const [, real = name, version = said] = /^npm:(.+)@([^@]+)$/.exec(said) ?? []
  return {
    ...{ type: 'npm', name: real, path },
    version: /^\d/.test(version) ? version : '',
    licence: licenceOf(one),
  }
}

function isObject(value: Json | undefined): value is { [name: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
