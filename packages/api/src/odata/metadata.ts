/** `$metadata`: the model in the form that clients of OData read (CSDL 4.01, XML). */
import type { EntitySet, ValueType } from './model.ts'
import { setsByName } from './model.ts'

const namespace = 'Seaworthy'

const edmTypes: Readonly<Record<ValueType, string>> = {
  text: 'Edm.String',
  whole: 'Edm.Int64',
  instant: 'Edm.DateTimeOffset',
  truth: 'Edm.Boolean',
}

/** Names in the model are letters and digits; nothing needs to be escaped. */
export function formatMetadata(): string {
  const sets = [...setsByName]
  return `<?xml version="1.0" encoding="utf-8"?>
<edmx:Edmx Version="4.0" xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx">
  <edmx:DataServices>
    <Schema Namespace="${namespace}" xmlns="http://docs.oasis-open.org/odata/ns/edm">
${sets.map(([, set]) => formatType(set)).join('\n')}
      <EntityContainer Name="Container">
${sets.map(([name, set]) => formatSet(name, set)).join('\n')}
      </EntityContainer>
    </Schema>
  </edmx:DataServices>
</edmx:Edmx>
`
}

function formatType({ type, key, properties, links }: EntitySet): string {
  const lines = [
    `<EntityType Name="${type}">`,
    `  <Key>${key.map((name) => `<PropertyRef Name="${name}"/>`).join('')}</Key>`,
    ...Object.entries(properties).map(([name, property]) => {
      const precision = property.type === 'instant' ? ' Precision="3"' : ''
      const nullable = property.isNullable ? '' : ' Nullable="false"'
      return `  <Property Name="${name}" Type="${edmTypes[property.type]}"${precision}${nullable}/>`
    }),
    ...Object.entries(links).map(([name, { to, isMany }]) => {
      const entity = `${namespace}.${setsByName.get(to)!.type}`
      const reached = isMany ? `Collection(${entity})` : entity
      return `  <NavigationProperty Name="${name}" Type="${reached}"/>`
    }),
    '</EntityType>',
  ]
  return lines.map((line) => `      ${line}`).join('\n')
}

function formatSet(name: string, { type, links }: EntitySet): string {
  const lines = [
    `<EntitySet Name="${name}" EntityType="${namespace}.${type}">`,
    ...Object.entries(links).map(
      ([link, { to }]) => `  <NavigationPropertyBinding Path="${link}" Target="${to}"/>`,
    ),
    '</EntitySet>',
  ]
  return lines.map((line) => `        ${line}`).join('\n')
}
