/** All fleets, and making one. */
import { Button, Text } from '@mantine/core'
import { listFleets } from '@seaworthy/api/fleets'
import type { FleetView } from '@seaworthy/api/fleets'
import { useState } from 'react'
import { readAllPages } from '../all-pages.ts'
import { FleetDialog } from '../forms/fleet.tsx'
import { usePorts } from '../ports.ts'
import { describeFollow } from '../rollout-words.ts'
import { useLive, useMay } from '../session.ts'
import { formatSeconds } from '../times.ts'
import { useAddress } from '../ui/address.ts'
import { CliLine } from '../ui/cli-line.tsx'
import { DataTable } from '../ui/data-table.tsx'
import type { DataColumn } from '../ui/data-table.tsx'
import { Downloads } from '../ui/downloads.tsx'
import { Page } from '../ui/page.tsx'
import { Pager } from '../ui/pager.tsx'
import { EmptyState, Loaded, NoPermissionState } from '../ui/states.tsx'
import { TextLink } from '../ui/text-link.tsx'

const shownMax = 50

export function FleetsPage() {
  const may = useMay()
  const [isMaking, setIsMaking] = useState(false)
  if (!may('fleet:read')) {
    return (
      <Page title="Fleets">
        <NoPermissionState sentence="Your role does not show fleets." />
      </Page>
    )
  }
  return (
    <Page
      title="Fleets"
      about="Sets of devices that share a product, a channel and a policy."
      action={may('fleet:write') && <Button onClick={() => setIsMaking(true)}>Make a fleet</Button>}
    >
      <FleetList />
      <CliLine line="seaworthy fleet list" />
      {isMaking && <FleetDialog onClose={() => setIsMaking(false)} />}
    </Page>
  )
}

function FleetList() {
  const { client } = usePorts()
  const after = useAddress().get('after')
  const fleets = useLive(listFleets, {
    query: { limit: shownMax, ...(after === undefined ? {} : { after }) },
  })
  return (
    <Loaded query={fleets} what="fleets">
      {({ items, next }) =>
        items.length === 0 && after === undefined ? (
          <EmptyState title="No fleet yet">
            Make one as soon as there is a product with a channel: “seaworthy product create”, then
            “seaworthy channel create”.
          </EmptyState>
        ) : (
          <>
            <DataTable
              caption="Fleets"
              rows={items}
              keyOf={({ name }) => name}
              columns={fleetColumns}
            />
            <Pager next={next}>
              <Downloads
                name="fleets"
                columns={fleetColumns}
                load={() => readAllPages((query) => client.call(listFleets, { query }))}
              />
            </Pager>
          </>
        )
      }
    </Loaded>
  )
}

export const fleetColumns: readonly DataColumn<FleetView>[] = [
  {
    title: 'Fleet',
    show: ({ name }) => (
      <TextLink to="/fleets/$fleet" params={{ fleet: name }}>
        {name}
      </TextLink>
    ),
    text: ({ name }) => name,
  },
  {
    title: 'Product',
    show: ({ product, channel }) => `${product}, ${channel}`,
    text: ({ product }) => product,
  },
  { title: 'Channel', text: ({ channel }) => channel },
  { title: 'Follows', show: describeFollow, text: describeFollow },
  {
    title: 'Baseline',
    show: ({ baselineVersion }) =>
      baselineVersion ?? (
        <Text c="dimmed" size="sm">
          none
        </Text>
      ),
    text: ({ baselineVersion }) => baselineVersion,
  },
  {
    title: 'Asks every',
    show: ({ pollSeconds }) => formatSeconds(pollSeconds),
    text: ({ pollSeconds }) => pollSeconds,
  },
  {
    title: 'Devices',
    show: ({ name, devicesCount }) => (
      <TextLink to="/devices" search={{ fleet: name }}>
        {devicesCount.toLocaleString()}
      </TextLink>
    ),
    text: ({ devicesCount }) => devicesCount,
  },
]
