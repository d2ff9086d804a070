/** All devices, or those that filters in the address leave. */
import { Alert, Stack, Text } from '@mantine/core'
import { countDevices, listDevices } from '@seaworthy/api/devices'
import type { DeviceFilter, DeviceView } from '@seaworthy/api/devices'
import { readAllPages } from '../all-pages.ts'
import { activeFilters, deviceListCommand, deviceQuery } from '../device-filters.ts'
import { formatTags, markOfState, marksOfDevice, nameOfDevice, versionOf } from '../device-words.ts'
import { FilterBar } from '../forms/device-filters.tsx'
import { usePorts } from '../ports.ts'
import { useLive, useMay } from '../session.ts'
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

export function DevicesPage() {
  const may = useMay()
  return (
    <Page title="Devices">
      {may('device:read') ? (
        <DeviceList />
      ) : (
        <NoPermissionState sentence="Your role does not show devices." />
      )}
    </Page>
  )
}

function DeviceList() {
  const { clock } = usePorts()
  const address = useAddress()
  const filters = activeFilters(address.get)
  const { query, mistakes } = deviceQuery(filters, clock.now())
  return (
    <Stack>
      <FilterBar filters={filters} onChange={address.change} />
      {mistakes.map((mistake) => (
        <Alert key={mistake} color="red" variant="light" role="alert" title="A filter was left out">
          {mistake}
        </Alert>
      ))}
      <Found query={query} after={address.get('after')} isFiltered={filters.length > 0} />
      <CliLine line={deviceListCommand(filters)} />
    </Stack>
  )
}

function Found(props: {
  readonly query: DeviceFilter
  readonly after: string | undefined
  readonly isFiltered: boolean
}) {
  const { query, after, isFiltered } = props
  const { client } = usePorts()
  const page = after === undefined ? {} : { after }
  const devices = useLive(listDevices, { query: { ...query, ...page, limit: shownMax } })
  const counted = useLive(countDevices, { query })
  return (
    <Loaded query={devices} what="devices">
      {({ items, next }) =>
        items.length === 0 && after === undefined ? (
          <EmptyState title={isFiltered ? 'No device matches' : 'No device yet'}>
            {isFiltered
              ? 'Remove a filter to see more.'
              : 'Make a provisioning key with “seaworthy provisioning-key create”, and start the agent with it.'}
          </EmptyState>
        ) : (
          <>
            <DataTable
              caption="Devices"
              rows={items}
              keyOf={({ id }) => id}
              columns={columns}
              isDimmed={devices.isPlaceholderData}
            />
            <Pager next={next}>
              <Text size="sm" role="status">
                {counted.data === undefined ? '' : describeCount(counted.data.count, isFiltered)}
              </Text>
              <Downloads
                name="devices"
                columns={columns}
                load={() =>
                  readAllPages((part) => client.call(listDevices, { query: { ...query, ...part } }))
                }
              />
            </Pager>
          </>
        )
      }
    </Loaded>
  )
}

function describeCount(count: number, isFiltered: boolean): string {
  const devices = count === 1 ? 'device' : 'devices'
  return `${count.toLocaleString()} ${devices}${isFiltered ? ` ${count === 1 ? 'matches' : 'match'}` : ''}`
}

const columns: readonly DataColumn<DeviceView>[] = [
  {
    title: 'Device',
    show: (device) => (
      <TextLink to="/devices/$deviceId" params={{ deviceId: device.id }} title={device.id}>
        {nameOfDevice(device)}
      </TextLink>
    ),
    text: ({ name }) => name,
  },
  {
    title: 'Fleet',
    show: ({ fleet }) => (
      <TextLink to="/devices" search={{ fleet }}>
        {fleet}
      </TextLink>
    ),
    text: ({ fleet }) => fleet,
  },
  {
    title: 'Runs',
    show: (device) => versionOf(device) ?? 'nothing yet',
    text: versionOf,
  },
  {
    title: 'State',
    show: (device) => (
      <Marks
        marks={[
          ...(device.update === null ? [] : [markOfState(device.update.state, device.update.code)]),
          ...marksOfDevice(device),
        ]}
      />
    ),
    text: ({ update }) => update?.state ?? null,
  },
  {
    title: 'Last heard',
    show: ({ lastSeenAt }) => (lastSeenAt === null ? 'never' : <Instant at={lastSeenAt} />),
    text: ({ lastSeenAt }) => lastSeenAt,
  },
  ...(
    [
      ['Identifier', ({ id }) => id],
      ['Refused', ({ lastRefusal }) => lastRefusal?.code ?? null],
      ['Platform', ({ platform }) => platform],
      ['Agent', ({ agentVersion }) => agentVersion],
      ['Tags', ({ tags }) => formatTags(tags)],
    ] as const satisfies readonly (readonly [string, (device: DeviceView) => string | null])[]
  ).map(([title, text]) => ({ title, text })),
]
