/** Components of an SPDX document (2.2 or 2.3) as JSON, in the dialects of several tools. */
import type { Json } from '@seaworthy/std/json'
import type { Hints, SbomComponent } from './component.ts'
import { readComponent } from './component.ts'
import type { ReadSbom } from './document.ts'
import { isObject, sbomMalformed } from './document.ts'

/** Throws `Refusal<SbomRefusal>`. */
export function readSpdxTree(root: { [name: string]: Json }): ReadSbom {
  const [, formatVersion] = /^SPDX-(2\.[23])$/.exec(textOf(root['spdxVersion'])) ?? []
  if (formatVersion === undefined) throw sbomMalformed('it is SPDX of neither 2.2 nor 2.3')
  const packages = root['packages'] ?? []
  if (!Array.isArray(packages)) throw sbomMalformed('its packages are not a list')
  const named = packages.map((one) => {
    if (!isObject(one)) throw sbomMalformed('a package is not an object')
    return one
  })
  const distro = findDistro(named)
  const sources = findSources(root['relationships'], named)
  const described = findDescribed(root)
  const found = new Map<string, SbomComponent>()
  const others: string[] = []
  for (const one of named) {
    const id = textOf(one['SPDXID'])
    const hints = { ...hintsOf(one), ...sources.get(id), distro }
    const purls = purlsOf(one)
    const components = purls.flatMap((purl) => readComponent(purl, hints) ?? [])
    for (const component of components) found.set(component.purl, component)
    // What the document is about is no component of it, nor is a folder or a system.
    const isWhole = described.has(id) || one['primaryPackagePurpose'] === 'OPERATING-SYSTEM'
    if (components.length === 0 && !isWhole) others.push(textOf(one['name']))
  }
  return {
    ...{ format: 'spdx', formatVersion, others },
    components: [...found.values()],
    isIncomplete: /^Not read: /m.test(textOf(root['comment'])),
  }
}

function textOf(value: Json | undefined): string {
  return typeof value === 'string' ? value : ''
}

function purlsOf({ externalRefs }: { [name: string]: Json }): string[] {
  return (Array.isArray(externalRefs) ? externalRefs : []).flatMap((one) => {
    if (!isObject(one) || one['referenceType'] !== 'purl') return []
    return typeof one['referenceLocator'] === 'string' ? [one['referenceLocator']] : []
  })
}

/** The one operating system, whose release counts where package URLs name none. */
function findDistro(packages: readonly { [name: string]: Json }[]): string | undefined {
  const systems = packages.filter((one) => one['primaryPackagePurpose'] === 'OPERATING-SYSTEM')
  const [only] = systems
  if (only === undefined || systems.length > 1) return undefined
  return `${textOf(only['name'])}-${textOf(only['versionInfo'])}`
}

/** What a package was built from, in words: `built package from: NAME VERSION`. */
function hintsOf({ sourceInfo }: { [name: string]: Json }): Hints {
  const [, sourceName, sourceVersion] =
    /^built package from: ([^\s;]+) ([^\s;]+)(?:;|$)/.exec(textOf(sourceInfo)) ?? []
  return { sourceName, sourceVersion }
}

/** What a package was built from, as a relationship to a package of its source. */
function findSources(
  relationships: Json | undefined,
  packages: readonly { [name: string]: Json }[],
): ReadonlyMap<string, Hints> {
  const byId = new Map(packages.map((one) => [textOf(one['SPDXID']), one]))
  const sources = new Map<string, Hints>()
  for (const one of Array.isArray(relationships) ? relationships : []) {
    if (!isObject(one)) continue
    const from = textOf(one['spdxElementId'])
    const to = textOf(one['relatedSpdxElement'])
    const type = one['relationshipType']
    if (type !== 'GENERATED_FROM' && type !== 'GENERATES') continue
    const [built, source] = type === 'GENERATES' ? [to, from] : [from, to]
    const origin = byId.get(source)
    if (
      origin === undefined ||
      !purlsOf(origin).some((purl) => /[?&]arch=source(?:&|$)/.test(purl))
    ) {
      continue
    }
    const sourceVersion = textOf(origin['versionInfo'])
    if (sourceVersion === '') continue
    sources.set(built, { sourceName: textOf(origin['name']), sourceVersion })
  }
  return sources
}

function findDescribed(root: { [name: string]: Json }): ReadonlySet<string> {
  const relationships = root['relationships']
  const described = (Array.isArray(relationships) ? relationships : []).flatMap((one) => {
    if (!isObject(one) || one['relationshipType'] !== 'DESCRIBES') return []
    return [textOf(one['relatedSpdxElement'])]
  })
  const listed = root['documentDescribes']
  return new Set([...described, ...(Array.isArray(listed) ? listed.map(textOf) : [])])
}
