/** What there is at a glance: fleets with their policy, and the devices. */
import { Badge, Group, Stack, Text } from '@mantine/core'
import { listDevices } from '@seaworthy/api/devices'
import type { DeviceView } from '@seaworthy/api/devices'
import { listFleets } from '@seaworthy/api/fleets'
import type { FleetView } from '@seaworthy/api/fleets'
import { showServer } from '@seaworthy/api/server'
import { useMay, useRead } from '../session.ts'
import { DataTable } from '../ui/data-table.tsx'
import { Instant } from '../ui/instant.tsx'
import { Page, Section } from '../ui/page.tsx'
import { EmptyState, Loaded, NoPermissionState } from '../ui/states.tsx'

const shownMax = 50

export function OverviewPage() {
  const server = useRead(showServer, {})
  const may = useMay()
  return (
    <Page
      title="Overview"
      {...(server.data === undefined ? {} : { about: `Seaworthy ${server.data.version}` })}
    >
      {may('fleet:read') ? (
        <FleetSection />
      ) : (
        <NoPermissionState sentence="Your role does not show fleets." />
      )}
      {may('device:read') && <DeviceSection />}
    </Page>
  )
}

function FleetSection() {
  const fleets = useRead(listFleets, { query: { limit: shownMax } })
  return (
    <Section title="Fleets">
      <Loaded query={fleets} what="fleets">
        {({ items, next }) =>
          items.length === 0 ? (
            <EmptyState title="No fleet yet">
              A fleet is a set of devices that share a product and a channel. Make one with
              “seaworthy fleet create”.
            </EmptyState>
          ) : (
            <FleetTable fleets={items} isMore={next !== null} />
          )
        }
      </Loaded>
    </Section>
  )
}

function FleetTable(props: { readonly fleets: readonly FleetView[]; readonly isMore: boolean }) {
  return (
    <Stack gap="xs">
      <DataTable
        caption="Fleets"
        rows={props.fleets}
        keyOf={({ name }) => name}
        columns={[
          { title: 'Fleet', show: ({ name }) => <strong>{name}</strong> },
          { title: 'Product', show: ({ product, channel }) => `${product}, ${channel}` },
          {
            title: 'Follows',
            show: ({ updatesEnabled, pinnedVersion, follow }) =>
              updatesEnabled ? (
                pinnedVersion !== null ? (
                  `held at ${pinnedVersion}`
                ) : follow === 'newest' ? (
                  'the newest release'
                ) : (
                  'rollouts'
                )
              ) : (
                <Badge color="gray">updates off</Badge>
              ),
          },
          { title: 'Devices', show: ({ devicesCount }) => devicesCount.toLocaleString() },
        ]}
      />
      {props.isMore && <More noun="fleet" />}
    </Stack>
  )
}

function DeviceSection() {
  const devices = useRead(listDevices, { query: { limit: shownMax } })
  return (
    <Section title="Devices">
      <Loaded query={devices} what="devices">
        {({ items, next }) =>
          items.length === 0 ? (
            <EmptyState title="No device yet">
              Make a provisioning key with “seaworthy provisioning-key create”, and start the agent
              with it.
            </EmptyState>
          ) : (
            <DeviceTable devices={items} isMore={next !== null} />
          )
        }
      </Loaded>
    </Section>
  )
}

function DeviceTable(props: { readonly devices: readonly DeviceView[]; readonly isMore: boolean }) {
  return (
    <Stack gap="xs">
      <DataTable
        caption="Devices"
        rows={props.devices}
        keyOf={({ id }) => id}
        columns={[
          {
            title: 'Device',
            show: ({ id, name }) => <span title={id}>{name ?? `${id.slice(0, 16)}…`}</span>,
          },
          { title: 'Fleet', show: ({ fleet }) => fleet },
          { title: 'Runs', show: (device) => <Running device={device} /> },
          {
            title: 'Last heard',
            show: ({ lastSeenAt }) => (lastSeenAt === null ? 'never' : <Instant at={lastSeenAt} />),
          },
        ]}
      />
      {props.isMore && <More noun="device" />}
    </Stack>
  )
}

function Running({ device }: { readonly device: DeviceView }) {
  const { running, unsignedVersion, lastRefusal, configuration } = device
  return (
    <Group gap="xs">
      {running?.version ?? (unsignedVersion === null ? 'nothing yet' : unsignedVersion)}
      {running === null && unsignedVersion !== null && <Badge color="gray">unsigned</Badge>}
      {lastRefusal !== null && (
        <Badge color="red" title={lastRefusal.at}>
          refused: {lastRefusal.code}
        </Badge>
      )}
      {configuration?.failed !== undefined && (
        <Badge
          color="red"
          title={`Its application did not become healthy with version ${configuration.failed.version} of its variables and secrets, and has the previous ones.`}
        >
          values put back: {configuration.failed.code}
        </Badge>
      )}
    </Group>
  )
}

function More({ noun }: { readonly noun: 'fleet' | 'device' }) {
  return (
    <Text size="sm" c="dimmed">
      The first {shownMax} are shown; “seaworthy {noun} list” has them all.
    </Text>
  )
}
