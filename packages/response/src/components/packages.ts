/** Packages as people read them in a CycloneDX document: with licences, and of any kind. */
import type { Json } from '@seaworthy/std/json'
import { openJson, parseJson } from '@seaworthy/std/json'
import { isObject, sbomMalformed } from './document.ts'

export interface SbomPackage {
  readonly name: string
  readonly version: string
  readonly purl: string | undefined
  /** An SPDX expression, or the words of whoever made the package. */
  readonly licence: string | undefined
}

const limits = { ...openJson, valuesMax: 1_000_000 }

/**
 * The packages at the top of the document, in their order, as our own builds write it. Throws
 * `Refusal<SbomRefusal>`.
 */
export function readPackages(bytes: Uint8Array): readonly SbomPackage[] {
  let root: Json
  try {
    root = parseJson(bytes, limits)
  } catch (cause) {
    throw sbomMalformed('it is not JSON, or has too many values', cause)
  }
  const components = isObject(root) ? (root['components'] ?? []) : undefined
  if (!Array.isArray(components)) throw sbomMalformed('its components are not a list')
  return components.flatMap((one): SbomPackage[] => {
    if (!isObject(one) || one['type'] === 'operating-system') return []
    const { group, name, version, purl, licenses } = one
    if (typeof name !== 'string') return []
    return [
      {
        name: typeof group === 'string' && group !== '' ? `${group}/${name}` : name,
        version: typeof version === 'string' ? version : '',
        purl: typeof purl === 'string' ? purl : undefined,
        licence: readLicences(licenses),
      },
    ]
  })
}

function readLicences(licences: Json | undefined): string | undefined {
  const texts = (Array.isArray(licences) ? licences : []).flatMap((one) => {
    if (!isObject(one)) return []
    const { expression, license: licence } = one
    if (typeof expression === 'string') return [expression]
    if (!isObject(licence)) return []
    const said = licence['id'] ?? licence['name']
    return typeof said === 'string' ? [said] : []
  })
  return texts.length === 0 ? undefined : texts.join(', ')
}
