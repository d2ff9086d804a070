/** The updates of a rollout by device, all of them or those in a state that the address names. */
import { NativeSelect, Text } from '@mantine/core'
import { listRolloutUpdates, updateStateField } from '@seaworthy/api/rollouts'
import type { UpdateView } from '@seaworthy/api/rollouts'
import { readAllPages } from '../all-pages.ts'
import { markOfState } from '../device-words.ts'
import { usePorts } from '../ports.ts'
import { useLive } from '../session.ts'
import { useAddress } from '../ui/address.ts'
import { DataTable } from '../ui/data-table.tsx'
import type { DataColumn } from '../ui/data-table.tsx'
import { Downloads } from '../ui/downloads.tsx'
import { Instant } from '../ui/instant.tsx'
import { Marks } from '../ui/marks.tsx'
import { Section } from '../ui/page.tsx'
import { Pager } from '../ui/pager.tsx'
import { Loaded } from '../ui/states.tsx'
import { TextLink } from '../ui/text-link.tsx'

const shownMax = 50

const columns: readonly DataColumn<UpdateView>[] = [
  {
    title: 'Device',
    show: ({ deviceId }) => (
      <TextLink to="/devices/$deviceId" params={{ deviceId }}>
        {deviceId}
      </TextLink>
    ),
    text: ({ deviceId }) => deviceId,
  },
  { title: 'Wave', show: ({ wave }) => String(wave), text: ({ wave }) => wave },
  {
    title: 'State',
    show: ({ state, code }) => <Marks marks={[markOfState(state, code)]} />,
    text: ({ state }) => state,
  },
  { title: 'Code', text: ({ code }) => code },
  {
    title: 'Changed',
    show: ({ changedAt }) => <Instant at={changedAt} />,
    text: ({ changedAt }) => changedAt,
  },
]

export function RolloutUpdates({ rolloutId }: { readonly rolloutId: string }) {
  const { client } = usePorts()
  const address = useAddress()
  const state = updateStateField.options.find((one) => one === address.get('update'))
  const after = address.get('after')
  const filter = state === undefined ? {} : { state }
  const params = { rolloutId }
  const updates = useLive(listRolloutUpdates, {
    params,
    query: { ...filter, limit: shownMax, ...(after === undefined ? {} : { after }) },
  })
  return (
    <Section
      title="Updates"
      action={
        <NativeSelect
          aria-label="State of the updates"
          value={state ?? ''}
          data={[
            { value: '', label: 'in any state' },
            ...updateStateField.options.map((one) => ({
              value: one,
              label: one.replaceAll('_', ' '),
            })),
          ]}
          onChange={(event) => address.change({ update: event.currentTarget.value })}
        />
      }
    >
      <Loaded query={updates} what="updates">
        {({ items, next }) =>
          items.length === 0 && after === undefined ? (
            <Text>{state === undefined ? 'No device was offered it yet.' : 'None.'}</Text>
          ) : (
            <>
              <DataTable
                caption="Updates of the rollout"
                rows={items}
                keyOf={({ deviceId }) => deviceId}
                columns={columns}
                isDimmed={updates.isPlaceholderData}
              />
              <Pager next={next}>
                <Downloads
                  name="updates"
                  columns={columns}
                  load={() =>
                    readAllPages((part) =>
                      client.call(listRolloutUpdates, { params, query: { ...filter, ...part } }),
                    )
                  }
                />
              </Pager>
            </>
          )
        }
      </Loaded>
    </Section>
  )
}
