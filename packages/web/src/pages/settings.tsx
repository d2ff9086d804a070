/** What applications are given: variables with their values, and secrets by their names alone. */
import { Badge, Group, Text } from '@mantine/core'
import type { SecretView } from '@seaworthy/api/secrets'
import { listSecrets } from '@seaworthy/api/secrets'
import { listVariables } from '@seaworthy/api/variables'
import type { UseQueryResult } from '@tanstack/react-query'
import { useLive } from '../session.ts'
import { formatCommand } from '../shell-words.ts'
import { CliLine } from '../ui/cli-line.tsx'
import type { DataColumn } from '../ui/data-table.tsx'
import { DataTable } from '../ui/data-table.tsx'
import { Instant } from '../ui/instant.tsx'
import { Section } from '../ui/page.tsx'
import { Loaded } from '../ui/states.tsx'

interface SettingScope {
  readonly fleet: string
  /** Without one, what is set for the whole fleet is shown. */
  readonly deviceId?: string
}

const inputOf = ({ fleet, deviceId }: SettingScope) => ({
  params: { fleet },
  query: deviceId === undefined ? {} : { deviceId },
})

export function VariableSection(scope: SettingScope) {
  return (
    <SettingSection
      noun="variable"
      scope={scope}
      about={scope.deviceId && 'Those of the device come before those of the fleet.'}
      query={useLive(listVariables, inputOf(scope))}
      columns={[
        { title: 'Name', show: ({ name }) => <code>{name}</code> },
        { title: 'Value', show: ({ value }) => <code>{value}</code> },
        { title: 'For', show: describeFor },
        { title: 'Set', show: ({ setAt }) => <Instant at={setAt} /> },
      ]}
    />
  )
}

export function SecretSection(scope: SettingScope) {
  return (
    <SettingSection
      noun="secret"
      scope={scope}
      about="No page shows a value. The server can read those that it keeps, and no other."
      query={useLive(listSecrets, inputOf(scope))}
      columns={[
        { title: 'Name', show: (one) => <SecretName secret={one} /> },
        { title: 'For', show: describeFor },
        { title: 'Version', show: ({ version }) => version },
        {
          title: 'Kept by',
          show: ({ keeper }) => (keeper === 'server' ? 'the server' : 'who set it'),
        },
        { title: 'Set', show: ({ setAt }) => <Instant at={setAt} /> },
        {
          title: 'Last sealed',
          show: ({ sealedAt }) => (sealedAt === null ? 'not yet' : <Instant at={sealedAt} />),
        },
      ]}
    />
  )
}

/** Lists the settings of one kind, and names the command that lists the same. */
function SettingSection<T extends { readonly name: string; readonly deviceId: string | null }>({
  noun,
  scope: { fleet, deviceId },
  about,
  query,
  columns,
}: {
  readonly noun: 'variable' | 'secret'
  readonly scope: SettingScope
  readonly about: string | undefined
  readonly query: UseQueryResult<{ readonly items: readonly T[] }>
  readonly columns: readonly DataColumn<T>[]
}) {
  const title = noun === 'variable' ? 'Variables' : 'Secrets'
  const list = ['seaworthy', noun, 'list', '--fleet', fleet]
  return (
    <Section title={title} {...(about === undefined ? {} : { about })}>
      <Loaded query={query} what={`${noun}s`}>
        {({ items }) =>
          items.length === 0 ? (
            <Text>
              {deviceId === undefined
                ? 'None is set for the fleet.'
                : 'None is set for it or for its fleet.'}
            </Text>
          ) : (
            <DataTable
              caption={title}
              rows={items}
              keyOf={(one) => `${one.name} ${one.deviceId}`}
              columns={columns}
            />
          )
        }
      </Loaded>
      <CliLine
        line={formatCommand(...list, ...(deviceId === undefined ? [] : ['--device', deviceId]))}
      />
    </Section>
  )
}

function SecretName({ secret }: { readonly secret: SecretView }) {
  return (
    <Group gap="xs">
      <code>{secret.name}</code>
      {secret.isDamaged && <Badge color="red">does not open: set it again</Badge>}
    </Group>
  )
}

const describeFor = ({ deviceId }: { readonly deviceId: string | null }) =>
  deviceId === null ? 'the fleet' : 'the device'
