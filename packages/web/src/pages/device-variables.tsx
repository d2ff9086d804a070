/** The variables that the application of a device gets: its own come before those of the fleet. */
import { Text } from '@mantine/core'
import { listVariables } from '@seaworthy/api/variables'
import { useLive } from '../session.ts'
import { formatCommand } from '../shell-words.ts'
import { CliLine } from '../ui/cli-line.tsx'
import { DataTable } from '../ui/data-table.tsx'
import { Instant } from '../ui/instant.tsx'
import { Section } from '../ui/page.tsx'
import { Loaded } from '../ui/states.tsx'

export function VariableSection(props: { readonly deviceId: string; readonly fleet: string }) {
  const { deviceId, fleet } = props
  const variables = useLive(listVariables, { params: { fleet }, query: { deviceId } })
  return (
    <Section title="Variables" about="Those of the device come before those of the fleet.">
      <Loaded query={variables} what="variables">
        {({ items }) =>
          items.length === 0 ? (
            <Text>None is set for it or for its fleet.</Text>
          ) : (
            <DataTable
              caption="Variables"
              rows={items}
              keyOf={(one) => `${one.name} ${one.deviceId}`}
              columns={[
                { title: 'Name', show: ({ name }) => <code>{name}</code> },
                { title: 'Value', show: ({ value }) => <code>{value}</code> },
                { title: 'For', show: (one) => (one.deviceId === null ? 'the fleet' : 'it alone') },
                { title: 'Set', show: ({ setAt }) => <Instant at={setAt} /> },
              ]}
            />
          )
        }
      </Loaded>
      <CliLine
        line={formatCommand(
          'seaworthy',
          'variable',
          'list',
          '--fleet',
          fleet,
          '--device',
          deviceId,
        )}
      />
    </Section>
  )
}
