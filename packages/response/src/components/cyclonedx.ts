/** Components of a CycloneDX document (1.2 to 1.7), in the dialects of several tools. */
import type { Json } from '@seaworthy/std/json'
import { openJson, parseJson } from '@seaworthy/std/json'
import { Refusal } from '@seaworthy/std/refusal'
import type { SbomComponent } from './component.ts'
import { readComponent } from './component.ts'

export type SbomRefusal = 'sbom_malformed'

export interface ReadSbom {
  readonly components: readonly SbomComponent[]
  /** Names of components that no record can be about: no package URL, or one of another kind. */
  readonly others: readonly string[]
  /** The document says itself that it does not list everything. */
  readonly isIncomplete: boolean
}

const limits = { ...openJson, valuesMax: 5_000_000 }
const depthMax = 32

/** Throws `Refusal<SbomRefusal>`. */
export function readCycloneDx(bytes: Uint8Array): ReadSbom {
  const root = read(bytes)
  if (!isObject(root) || root['bomFormat'] !== 'CycloneDX') {
    throw new Refusal<SbomRefusal>('sbom_malformed', 'the document is not one of CycloneDX')
  }
  const found = new Map<string, SbomComponent>()
  const others: string[] = []
  const walk = (list: Json | undefined, depth: number) => {
    if (!Array.isArray(list) || depth > depthMax) return
    for (const one of list) {
      if (!isObject(one)) continue
      const { purl, name, type, components } = one
      const component = typeof purl === 'string' ? readComponent(purl, hintsOf(one)) : undefined
      if (component !== undefined) found.set(component.purl, component)
      else if (type !== 'operating-system' && typeof name === 'string') others.push(name)
      walk(components, depth + 1)
    }
  }
  walk(root['components'], 0)
  return { components: [...found.values()], others, isIncomplete: isIncomplete(root) }
}

function read(bytes: Uint8Array): Json {
  try {
    return parseJson(bytes, limits)
  } catch (cause) {
    throw new Refusal<SbomRefusal>('sbom_malformed', 'the document is not JSON', { cause })
  }
}

/** Where tools say what a package was built from, besides the package URL. */
function hintsOf({ properties }: { [name: string]: Json }) {
  const said = new Map<string, string>()
  for (const one of Array.isArray(properties) ? properties : []) {
    if (!isObject(one)) continue
    const { name, value } = one
    if (typeof name === 'string' && typeof value === 'string') said.set(name, value)
  }
  const version = said.get('aquasecurity:trivy:SrcVersion')
  const release = said.get('aquasecurity:trivy:SrcRelease')
  const epoch = said.get('aquasecurity:trivy:SrcEpoch')
  const whole = [epoch === undefined ? '' : `${epoch}:`, version, release && `-${release}`]
  return {
    sourceName: said.get('aquasecurity:trivy:SrcName'),
    sourceVersion: version === undefined ? undefined : whole.join(''),
  }
}

function isIncomplete({ compositions }: { [name: string]: Json }): boolean {
  return (Array.isArray(compositions) ? compositions : []).some((one) => {
    const aggregate = isObject(one) ? one['aggregate'] : undefined
    return typeof aggregate === 'string' && aggregate.startsWith('incomplete')
  })
}

function isObject(value: Json | undefined): value is { [name: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
