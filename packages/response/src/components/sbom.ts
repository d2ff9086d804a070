/** A bill of materials in any format that is read here. */
import type { Json } from '@seaworthy/std/json'
import { JsonTooLargeError, openJson, parseJson } from '@seaworthy/std/json'
import { readCycloneDxTree } from './cyclonedx.ts'
import type { ReadSbom } from './document.ts'
import { isObject, sbomMalformed } from './document.ts'
import { readSpdxTree } from './spdx.ts'

const limits = { ...openJson, valuesMax: 5_000_000 }

/** CycloneDX 1.2 to 1.7, or SPDX 2.2 and 2.3, as JSON. Throws `Refusal<SbomRefusal>`. */
export function readSbom(bytes: Uint8Array): ReadSbom {
  let root: Json
  try {
    root = parseJson(bytes, limits)
  } catch (cause) {
    const isTooLarge = cause instanceof JsonTooLargeError
    throw sbomMalformed(isTooLarge ? 'it has too many values' : 'it is not JSON', cause)
  }
  if (isObject(root) && root['bomFormat'] === 'CycloneDX') return readCycloneDxTree(root)
  if (isObject(root) && root['spdxVersion'] !== undefined) return readSpdxTree(root)
  throw sbomMalformed('it is neither CycloneDX nor SPDX as JSON')
}

/** CycloneDX alone. Throws `Refusal<SbomRefusal>`. */
export function readCycloneDx(bytes: Uint8Array): ReadSbom {
  const sbom = readSbom(bytes)
  if (sbom.format !== 'cyclonedx') throw sbomMalformed('it is not CycloneDX')
  return sbom
}
