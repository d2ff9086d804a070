/** What applications are given: variables with their values, and secrets by their names alone. */
import { Badge, Group, Text } from '@mantine/core'
import type { SecretView } from '@seaworthy/api/secrets'
import { listSecrets } from '@seaworthy/api/secrets'
import { listVariables } from '@seaworthy/api/variables'
import { useLive } from '../session.ts'
import { formatCommand } from '../shell-words.ts'
import { CliLine } from '../ui/cli-line.tsx'
import { DataTable } from '../ui/data-table.tsx'
import { Instant } from '../ui/instant.tsx'
import { Section } from '../ui/page.tsx'
import { Loaded } from '../ui/states.tsx'

interface SettingScope {
  readonly fleet: string
  /** Without one, what is set for the whole fleet is shown. */
  readonly deviceId?: string
}

const queryOf = ({ deviceId }: SettingScope) => (deviceId === undefined ? {} : { deviceId })

export function VariableSection(scope: SettingScope) {
  const { fleet, deviceId } = scope
  const variables = useLive(listVariables, { params: { fleet }, query: queryOf(scope) })
  const list = ['seaworthy', 'variable', 'list', '--fleet', fleet]
  return (
    <Section
      title="Variables"
      {...(deviceId === undefined
        ? {}
        : { about: 'Those of the device come before those of the fleet.' })}
    >
      <Loaded query={variables} what="variables">
        {({ items }) =>
          items.length === 0 ? (
            <Text>
              {deviceId === undefined
                ? 'None is set for the fleet.'
                : 'None is set for it or for its fleet.'}
            </Text>
          ) : (
            <DataTable
              caption="Variables"
              rows={items}
              keyOf={(one) => `${one.name} ${one.deviceId}`}
              columns={[
                { title: 'Name', show: ({ name }) => <code>{name}</code> },
                { title: 'Value', show: ({ value }) => <code>{value}</code> },
                { title: 'For', show: describeFor },
                { title: 'Set', show: ({ setAt }) => <Instant at={setAt} /> },
              ]}
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

export function SecretSection(scope: SettingScope) {
  const { fleet, deviceId } = scope
  const secrets = useLive(listSecrets, { params: { fleet }, query: queryOf(scope) })
  const list = ['seaworthy', 'secret', 'list', '--fleet', fleet]
  return (
    <Section
      title="Secrets"
      about="No page shows a value. The server can read those that it keeps, and no other."
    >
      <Loaded query={secrets} what="secrets">
        {({ items }) =>
          items.length === 0 ? (
            <Text>
              {deviceId === undefined
                ? 'None is set for the fleet.'
                : 'None is set for it or for its fleet.'}
            </Text>
          ) : (
            <DataTable
              caption="Secrets"
              rows={items}
              keyOf={(one) => `${one.name} ${one.deviceId}`}
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
                  show: ({ sealedAt }) =>
                    sealedAt === null ? 'not yet' : <Instant at={sealedAt} />,
                },
              ]}
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
