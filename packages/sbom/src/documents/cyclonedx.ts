/** CycloneDX 1.6 (ECMA-424), as JSON. */
import type { FoundComponent } from '../components.ts'
import { gatherComponents } from '../components.ts'
import type { Scan } from '../scan.ts'
import { scanVersion } from '../scan.ts'
import type { Subject } from './subject.ts'
import { readLicence } from './licences.ts'

export function formatCycloneDx(scan: Scan, subject: Subject): string {
  const { distribution, unread, unreadCount } = scan
  const { product, version, platform, digest } = subject
  const root = `${product} ${version} ${platform}`
  const placed = gatherComponents(scan.components)
  const document = {
    $schema: 'http://cyclonedx.org/schema/bom-1.6.schema.json',
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    version: 1,
    metadata: {
      tools: {
        components: [{ type: 'application', name: 'seaworthy-sbom', version: String(scanVersion) }],
      },
      component: {
        'bom-ref': root,
        type: 'application',
        ...{ name: product, version },
        properties: [
          { name: 'dev.seaworthy.sbom.platform', value: platform },
          { name: 'dev.seaworthy.sbom.content', value: digest },
          ...unread.map(({ path, why }) => ({
            name: 'dev.seaworthy.sbom.unread',
            value: `${path}: ${why}`,
          })),
          ...(unreadCount > unread.length
            ? [{ name: 'dev.seaworthy.sbom.unread', value: `${unreadCount - unread.length} more` }]
            : []),
        ],
      },
    },
    components: [
      ...(distribution === undefined ? [] : [viewDistribution(distribution)]),
      ...placed.map(viewComponent),
    ],
    dependencies: [{ ref: root, dependsOn: placed.map(({ component }) => component.purl) }],
    // The tree says what was installed as packages, and nothing of what was copied into it.
    compositions: [{ aggregate: unread.length > 0 ? 'incomplete' : 'unknown', assemblies: [root] }],
  }
  return `${JSON.stringify(document, undefined, 2)}\n`
}

function viewDistribution({ id, versionId }: NonNullable<Scan['distribution']>) {
  return {
    'bom-ref': 'distribution',
    type: 'operating-system',
    name: id,
    ...(versionId === '' ? {} : { version: versionId }),
  }
}

function viewComponent({ component, paths }: FoundComponent) {
  const { purl, name, version, licence, source } = component
  const [group, short] = splitScope(name)
  const properties = source && [
    { name: 'dev.seaworthy.sbom.source-name', value: source.name },
    { name: 'dev.seaworthy.sbom.source-version', value: source.version },
  ]
  return {
    'bom-ref': purl,
    type: 'library',
    ...(group === undefined ? {} : { group }),
    name: short,
    ...(version === '' ? {} : { version }),
    ...(licence === '' ? {} : { licenses: [viewLicence(licence)] }),
    purl,
    ...(properties === undefined ? {} : { properties }),
    evidence: { occurrences: paths.map((location) => ({ location })) },
  }
}

/** `@scope/name` is a group and a name. */
function splitScope(name: string): [string | undefined, string] {
  const [, scope, short] = /^(@[^/]+)\/(.+)$/.exec(name) ?? []
  return scope === undefined ? [undefined, name] : [scope, short!]
}

function viewLicence(licence: string) {
  const read = readLicence(licence)
  switch (read.kind) {
    case 'id':
      return { license: { id: read.id } }
    case 'expression':
      return { expression: read.expression }
    case 'words':
      return { license: { name: read.words } }
  }
}
