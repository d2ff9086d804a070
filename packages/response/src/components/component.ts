/**
 * A component as records of vulnerabilities speak of it: in an ecosystem, for a release of a
 * distribution, by the name and version of what it was built from.
 */
import type { VersionOrder } from '../versions/index.ts'
import type { Purl } from './purl.ts'
import { parsePurl } from './purl.ts'

export interface SbomComponent {
  readonly purl: string
  /** Name and version of the package itself, as people know it. */
  readonly name: string
  readonly version: string
  readonly ecosystem: string
  /** Release of the distribution, such as `12` or `v3.22`; empty where the ecosystem has none. */
  readonly release: string
  /** What records are about: of a distribution's package the source that it was built from. */
  readonly subject: { readonly name: string; readonly version: string }
}

/** What a document says beside the package URL. */
export interface Hints {
  readonly sourceName?: string | undefined
  readonly sourceVersion?: string | undefined
  /** The distribution that the whole document is about, such as `debian-12.11`. */
  readonly distro?: string | undefined
}

/** Distributions by the namespace of their package URLs, with the form of their releases. */
const distributions: Readonly<
  Record<string, { readonly ecosystem: string; readonly release: (version: string) => string }>
> = {
  debian: { ecosystem: 'Debian', release: (version) => version.split('.')[0]! },
  ubuntu: { ecosystem: 'Ubuntu', release: (version) => version },
  alpine: {
    ecosystem: 'Alpine',
    release: (version) => `v${version.split('.').slice(0, 2).join('.')}`,
  },
  almalinux: { ecosystem: 'AlmaLinux', release: (version) => version.split('.')[0]! },
  rocky: { ecosystem: 'Rocky Linux', release: (version) => version.split('.')[0]! },
}

const orders: Readonly<Record<string, VersionOrder>> = {
  ...{ npm: 'semver', 'crates.io': 'semver', Go: 'semver', Hex: 'semver', Bitnami: 'semver' },
  ...{ PyPI: 'python', Maven: 'maven', Debian: 'debian', Ubuntu: 'debian', Alpine: 'alpine' },
  ...{ AlmaLinux: 'rpm', 'Rocky Linux': 'rpm', 'Red Hat': 'rpm' },
}

/** How the ecosystem orders its versions; `undefined` where nobody knows here. */
export function orderOf(ecosystem: string): VersionOrder | undefined {
  return Object.hasOwn(orders, ecosystem) ? orders[ecosystem] : undefined
}

/** `undefined` for what is no package of an ecosystem that records speak of. */
export function readComponent(text: string, hints: Hints = {}): SbomComponent | undefined {
  const purl = parsePurl(text)
  if (purl === undefined) return undefined
  const { type, namespace, name, version } = purl
  const fullName = namespace === '' ? name : `${namespace}/${name}`
  const make = (ecosystem: string, subject: string, subjectVersion = version): SbomComponent => ({
    ...{ purl: text, name: fullName, version, ecosystem, release: '' },
    subject: { name: subject, version: subjectVersion },
  })
  switch (type) {
    case 'npm':
      return make('npm', fullName)
    case 'pypi':
      return make('PyPI', name.toLowerCase().replaceAll(/[-_.]+/g, '-'))
    case 'golang':
      return make('Go', fullName, version.replace(/^v/, ''))
    case 'cargo':
      return make('crates.io', name)
    case 'maven':
      // A record cannot name an archive without a group.
      return namespace === '' ? undefined : make('Maven', `${namespace}:${name}`)
    case 'apk':
    case 'deb':
    case 'rpm':
      return readPackage(text, purl, hints)
    default:
      return undefined
  }
}

/**
 * Records speak of the source, whose version is another one where a package has an epoch of its own
 * or `+bN`.
 */
function readPackage(text: string, purl: Purl, hints: Hints): SbomComponent | undefined {
  const { namespace, name, qualifiers } = purl
  const distribution = Object.hasOwn(distributions, namespace)
    ? distributions[namespace]
    : undefined
  if (distribution === undefined) return undefined
  const epoch = qualifiers.get('epoch') ?? '0'
  const version =
    epoch === '0' || purl.version.includes(':') ? purl.version : `${epoch}:${purl.version}`
  const [, upstreamName, upstreamVersion] =
    /^([^@]+)(?:@(.+))?$/.exec(qualifiers.get('upstream') ?? '') ?? []
  // RPM's `upstream` is a file: NAME-VERSION-RELEASE.src.rpm.
  const isFile = upstreamName?.endsWith('.src.rpm') === true
  const sourceName = hints.sourceName ?? (isFile ? undefined : upstreamName) ?? name
  const sourceVersion = hints.sourceVersion ?? upstreamVersion ?? version.replace(/\+b\d+$/, '')
  const distro = qualifiers.get('distro') ?? hints.distro ?? ''
  const said = distro.startsWith(`${namespace}-`) ? distro.slice(namespace.length + 1) : ''
  const { ecosystem } = distribution
  return {
    ...{ purl: text, name, version, ecosystem },
    release: said === '' ? '' : distribution.release(said),
    subject:
      ecosystem === 'AlmaLinux' || ecosystem === 'Rocky Linux'
        ? { name, version }
        : { name: sourceName, version: sourceVersion },
  }
}

/** Whether packages of the ecosystem belong to a release of it. */
export function hasReleases(ecosystem: string): boolean {
  return Object.values(distributions).some((one) => one.ecosystem === ecosystem)
}
