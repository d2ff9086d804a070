/** All rollouts, newest first, or those of a fleet or in a state that the address names. */
import { Button, Group, NativeSelect } from '@mantine/core'
import { nameField } from '@seaworthy/api/fields'
import { listFleets } from '@seaworthy/api/fleets'
import { listRollouts } from '@seaworthy/api/rollouts'
import type { RolloutView } from '@seaworthy/api/rollouts'
import { useNavigate } from '@tanstack/react-router'
import { readAllPages } from '../all-pages.ts'
import { usePorts } from '../ports.ts'
import { describeProgress, markOfRollout } from '../rollout-words.ts'
import { useLive, useMay, useRead } from '../session.ts'
import { useAddress } from '../ui/address.ts'
import { CliLine } from '../ui/cli-line.tsx'
import { DataTable } from '../ui/data-table.tsx'
import type { DataColumn } from '../ui/data-table.tsx'
import { Downloads } from '../ui/downloads.tsx'
import { Instant } from '../ui/instant.tsx'
import { Marks } from '../ui/marks.tsx'
import { Page } from '../ui/page.tsx'
import { Pager } from '../ui/pager.tsx'
import { EmptyState, Loaded, NoPermissionState } from '../ui/states.tsx'
import { TextLink } from '../ui/text-link.tsx'

const shownMax = 50
const states = ['active', 'paused', 'finished', 'aborted'] as const

export function RolloutsPage() {
  const may = useMay()
  const navigate = useNavigate()
  if (!may('rollout:read')) {
    return (
      <Page title="Rollouts">
        <NoPermissionState sentence="Your role does not show rollouts." />
      </Page>
    )
  }
  return (
    <Page
      title="Rollouts"
      about="Fleets on their way to a release, wave by wave."
      action={
        may('rollout:write') && (
          <Button onClick={() => void navigate({ to: '/new-rollout' })}>Begin a rollout</Button>
        )
      }
    >
      <RolloutList />
      <CliLine line="seaworthy rollout list" />
    </Page>
  )
}

function RolloutList() {
  const { client } = usePorts()
  const address = useAddress()
  const fleets = useRead(listFleets, { query: { limit: 1000 } })
  const after = address.get('after')
  const state = states.find((one) => one === address.get('state'))
  const fleet = nameField.safeParse(address.get('fleet')).data
  const filter = {
    ...(state === undefined ? {} : { state }),
    ...(fleet === undefined ? {} : { fleet }),
  }
  const rollouts = useLive(listRollouts, {
    query: { ...filter, limit: shownMax, ...(after === undefined ? {} : { after }) },
  })
  const names = fleets.data?.items.map(({ name }) => name) ?? []
  return (
    <>
      <Group align="end">
        <NativeSelect
          label="State"
          value={state ?? ''}
          data={[{ value: '', label: 'any' }, ...states]}
          onChange={(event) => address.change({ state: event.currentTarget.value })}
        />
        <NativeSelect
          label="Fleet"
          value={fleet ?? ''}
          data={[
            { value: '', label: 'any' },
            ...new Set([...names, ...(fleet === undefined ? [] : [fleet])]),
          ]}
          onChange={(event) => address.change({ fleet: event.currentTarget.value })}
        />
      </Group>
      <Loaded query={rollouts} what="rollouts">
        {({ items, next }) =>
          items.length === 0 && after === undefined ? (
            <EmptyState title={Object.keys(filter).length === 0 ? 'No rollout yet' : 'None'}>
              A rollout moves a fleet that follows rollouts to a release that is published on its
              channel.
            </EmptyState>
          ) : (
            <>
              <DataTable
                caption="Rollouts"
                rows={items}
                keyOf={({ id }) => id}
                columns={rolloutColumns}
                isDimmed={rollouts.isPlaceholderData}
              />
              <Pager next={next}>
                <Downloads
                  name="rollouts"
                  columns={rolloutColumns}
                  load={() =>
                    readAllPages((part) =>
                      client.call(listRollouts, { query: { ...filter, ...part } }),
                    )
                  }
                />
              </Pager>
            </>
          )
        }
      </Loaded>
    </>
  )
}

export const rolloutColumns: readonly DataColumn<RolloutView>[] = [
  {
    title: 'Release',
    show: ({ id, product, version, wayBackOf }) => (
      <>
        <TextLink to="/rollouts/$rolloutId" params={{ rolloutId: id }} title={id}>
          {product} {version}
        </TextLink>
        {wayBackOf !== null && ' (way back)'}
      </>
    ),
    text: ({ version }) => version,
  },
  {
    title: 'Fleet',
    show: ({ fleet }) => (
      <TextLink to="/fleets/$fleet" params={{ fleet }}>
        {fleet}
      </TextLink>
    ),
    text: ({ fleet }) => fleet,
  },
  {
    title: 'State',
    show: (rollout) => <Marks marks={[markOfRollout(rollout)]} />,
    text: ({ state }) => state,
  },
  { title: 'Progress', show: describeProgress, text: describeProgress },
  {
    title: 'Begun',
    show: ({ createdAt }) => <Instant at={createdAt} />,
    text: ({ createdAt }) => createdAt,
  },
  { title: 'Identifier', text: ({ id }) => id },
  { title: 'Product', text: ({ product }) => product },
  { title: 'Reason of a stop', text: ({ stopReason }) => stopReason },
]
