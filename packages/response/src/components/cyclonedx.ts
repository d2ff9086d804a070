/** Components of a CycloneDX document (1.2 to 1.7), in the dialects of several tools. */
import type { Json } from '@seaworthy/std/json'
import type { Hints, SbomComponent } from './component.ts'
import { readComponent } from './component.ts'
import type { ReadSbom } from './document.ts'
import { isObject, sbomMalformed } from './document.ts'

const depthMax = 32
const formatVersions = ['1.2', '1.3', '1.4', '1.5', '1.6', '1.7']

/** Throws `Refusal<SbomRefusal>`. */
export function readCycloneDxTree(root: { [name: string]: Json }): ReadSbom {
  const formatVersion = root['specVersion']
  if (typeof formatVersion !== 'string' || !formatVersions.includes(formatVersion)) {
    throw sbomMalformed('it is CycloneDX of no version from 1.2 to 1.7')
  }
  const found = new Map<string, SbomComponent>()
  const others: string[] = []
  const distro = findDistro(root['components'])
  const walk = (list: Json | undefined, depth: number) => {
    if (list === undefined) return
    if (!Array.isArray(list)) throw sbomMalformed('its components are not a list')
    if (depth > depthMax) throw sbomMalformed('its components lie in too many others')
    for (const one of list) {
      if (!isObject(one)) throw sbomMalformed('a component is not an object')
      const { purl, name, type, components } = one
      const hints = { ...hintsOf(one), distro }
      const component = typeof purl === 'string' ? readComponent(purl, hints) : undefined
      if (component !== undefined) found.set(component.purl, component)
      else if (type !== 'operating-system' && typeof name === 'string') others.push(name)
      walk(components, depth + 1)
    }
  }
  walk(root['components'], 0)
  return {
    ...{ format: 'cyclonedx', formatVersion, others },
    components: [...found.values()],
    isIncomplete: isIncomplete(root),
  }
}

/** The operating system of which the document lists the packages, where it names exactly one. */
function findDistro(components: Json | undefined): string | undefined {
  const systems = (Array.isArray(components) ? components : []).flatMap((one) => {
    if (!isObject(one) || one['type'] !== 'operating-system') return []
    const { name, version } = one
    return typeof name === 'string' && typeof version === 'string' ? [`${name}-${version}`] : []
  })
  return systems.length === 1 ? systems[0] : undefined
}

/** Where tools say what a package was built from, besides the package URL. */
function hintsOf({ properties }: { [name: string]: Json }): Hints {
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
