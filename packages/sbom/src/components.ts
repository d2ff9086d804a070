/**
 * Components: the packages that a tree says it holds, each with a package URL (the purl
 * specification) that names it in every other tool.
 */
export type ComponentType =
  | 'apk'
  | 'cargo'
  | 'deb'
  | 'golang'
  /** A Java archive in which nobody wrote down where it comes from. */
  | 'jar'
  | 'maven'
  | 'npm'
  | 'pypi'

export interface Component {
  readonly type: ComponentType
  /** The full name in its ecosystem: `@scope/name`, `example.org/module`, `group:artifact`. */
  readonly name: string
  /** The version as the package says it, with its epoch; empty where it says none. */
  readonly version: string
  /** The licence in the package's own words; empty where it says none. */
  readonly licence: string
  readonly purl: string
  /** What a distribution built the package from, where its data says so. */
  readonly source: { readonly name: string; readonly version: string } | undefined
  /** Path of the file in the tree that says all this. */
  readonly path: string
}

export interface Found {
  readonly type: ComponentType
  readonly name: string
  readonly version: string
  readonly licence?: string
  readonly source?: Component['source']
  readonly path: string
  /** The distribution that the package is of, where it has one. */
  readonly distribution?: DistributionRelease | undefined
  readonly architecture?: string
}

/** What `os-release` says of the tree. */
export interface DistributionRelease {
  /** Such as `debian`. */
  readonly id: string
  /** Such as `12`; empty for one without releases. */
  readonly versionId: string
}

/** The component with the package URL that its facts make. */
export function makeComponent(found: Found): Component {
  const { type, name, version, licence = '', source, path } = found
  return { type, name, version, licence, source, path, purl: purlOf(found) }
}

/** Orders by types, names, versions and paths, so that a tree has one list. */
export function compareComponents(a: Component, b: Component): number {
  return (
    compareText(a.type, b.type) ||
    compareText(a.name, b.name) ||
    compareText(a.version, b.version) ||
    compareText(a.path, b.path)
  )
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : Number(a > b)
}

/**
 * The package URL: `pkg:TYPE/NAMESPACE/NAME@VERSION?QUALIFIERS`, with each part encoded by itself.
 * An epoch stands in the version, as Debian and Alpine write it.
 */
function purlOf({ type, name, version, source, distribution, architecture }: Found): string {
  const path = namePath(type, name, distribution)
  const qualifiers: Record<string, string> = {}
  if (architecture) qualifiers['arch'] = architecture
  if (distribution) {
    const { id, versionId } = distribution
    qualifiers['distro'] = versionId === '' ? id : `${id}-${versionId}`
  }
  if (source) {
    const isSame = source.version === version
    qualifiers['upstream'] = isSame ? source.name : `${source.name}@${source.version}`
  }
  const query = Object.entries(qualifiers)
    .map(([key, value]) => `${key}=${encodePart(value)}`)
    .join('&')
  return [
    `pkg:${type === 'jar' ? 'generic' : type}/${path.map(encodePart).join('/')}`,
    version === '' ? '' : `@${encodePart(version)}`,
    query === '' ? '' : `?${query}`,
  ].join('')
}

function namePath(
  type: ComponentType,
  name: string,
  distribution: DistributionRelease | undefined,
) {
  switch (type) {
    case 'apk':
      return [distribution?.id ?? 'alpine', name]
    case 'deb':
      return [distribution?.id ?? 'debian', name]
    case 'golang':
    case 'npm':
      return name.split('/')
    case 'maven':
      return name.split(':')
    case 'cargo':
    case 'jar':
      return [name]
    case 'pypi':
      return [normalPythonName(name)]
  }
}

/** PEP 503. */
function normalPythonName(name: string): string {
  return name.toLowerCase().replaceAll(/[-_.]+/g, '-')
}

/** A colon stays as it is (the purl specification); everything else that is reserved is encoded. */
function encodePart(part: string): string {
  return encodeURIComponent(part)
    .replaceAll(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll('%3A', ':')
}

/** A component with every path at which the tree has it. */
export interface FoundComponent {
  readonly component: Component
  readonly paths: readonly string[]
}

/** Gathers what has one package URL. Keeps the order of the first ones. */
export function gatherComponents(components: readonly Component[]): FoundComponent[] {
  const gathered = new Map<string, { component: Component; paths: string[] }>()
  for (const component of components) {
    const known = gathered.get(component.purl)
    if (known === undefined) {
      gathered.set(component.purl, { component, paths: [component.path] })
    } else known.paths.push(component.path)
  }
  return [...gathered.values()]
}
