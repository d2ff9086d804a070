/** What wants a person first, which rollouts run, and the fleets with what runs in them. */
import { Stack, Text } from '@mantine/core'
import { listApprovals } from '@seaworthy/api/approvals'
import { countDevices } from '@seaworthy/api/devices'
import type { DeviceFilter } from '@seaworthy/api/devices'
import { listFleets } from '@seaworthy/api/fleets'
import { listProposals } from '@seaworthy/api/proposals'
import { listRollouts } from '@seaworthy/api/rollouts'
import { showServer } from '@seaworthy/api/server'
import { showTrustStatus } from '@seaworthy/api/trust'
import { activeFilters, deviceQuery } from '../device-filters.ts'
import type { FilterName } from '../device-filters.ts'
import { listAttention } from '../attention.ts'
import { usePorts } from '../ports.ts'
import { useLive, useMay, useRead } from '../session.ts'
import { AttentionList } from '../ui/attention-list.tsx'
import { DataTable } from '../ui/data-table.tsx'
import { Page, Section } from '../ui/page.tsx'
import { EmptyState, Loaded, NoPermissionState } from '../ui/states.tsx'
import { TextLink } from '../ui/text-link.tsx'
import { VersionSpread } from '../ui/version-spread.tsx'
import { fleetColumns } from './fleets.tsx'
import { rolloutColumns } from './rollouts.tsx'

const shownMax = 50
const spreadsMax = 4

export function OverviewPage() {
  const server = useRead(showServer, {})
  const may = useMay()
  return (
    <Page
      title="Overview"
      {...(server.data === undefined ? {} : { about: `Seaworthy ${server.data.version}` })}
    >
      <AttentionSection />
      {may('rollout:read') && <RunningSection />}
      {may('fleet:read') ? (
        <FleetSection />
      ) : (
        <NoPermissionState sentence="Your role does not show fleets." />
      )}
    </Page>
  )
}

/** How many devices the filter of the page of devices finds. */
function useCount(name?: FilterName, value?: string) {
  const { clock } = usePorts()
  const mayRead = useMay()('device:read')
  const filters = activeFilters((one) => (one === name ? value : undefined))
  const query: DeviceFilter = deviceQuery(filters, clock.now()).query
  return useLive(countDevices, { query }, mayRead)
}

function AttentionSection() {
  const may = useMay()
  const trust = useLive(showTrustStatus, {}, may('trust:read'))
  const mayRollouts = may('rollout:read')
  const paused = useLive(listRollouts, { query: { state: 'paused', limit: 20 } }, mayRollouts)
  const active = useLive(listRollouts, { query: { state: 'active', limit: 20 } }, mayRollouts)
  const open = { query: { state: 'open', limit: 20 } } as const
  const proposals = useLive(listProposals, open, may('proposal:read'))
  const approvals = useLive(
    listApprovals,
    { query: { state: 'open', limit: 100 } },
    may('approval:read'),
  )
  const silent = useCount('presence', 'silent')
  const shared = useCount('identity', 'shared')
  const clock = useCount('clock', 'off')
  const failedUpdates = useCount('update', 'failed')
  const all = useCount()
  const attention = listAttention({
    roles: trust.data?.roles ?? [],
    paused: paused.data?.items ?? [],
    active: active.data?.items ?? [],
    proposals: proposals.data?.items ?? [],
    approvals: approvals.data?.items ?? [],
    silentCount: silent.data?.count ?? 0,
    sharedCount: shared.data?.count ?? 0,
    clockCount: clock.data?.count ?? 0,
    failedCount: failedUpdates.data?.count ?? 0,
    devicesCount: all.data?.count ?? 0,
  })
  const lists = [trust, paused, active, proposals, approvals]
  const asked = [...lists, silent, shared, clock, failedUpdates, all]
  const failed = asked.find(({ error }) => error !== null)
  return (
    <Section title="Needs attention">
      {failed !== undefined && (
        <Text size="sm" role="status">
          Not everything could be read just now: this list may lack something.
        </Text>
      )}
      {asked.some(({ isPending, fetchStatus }) => isPending && fetchStatus !== 'idle') ? (
        <Text role="status">Looking…</Text>
      ) : attention.length === 0 ? (
        <Text>Nothing that you may see wants a person now.</Text>
      ) : (
        <AttentionList items={attention} />
      )}
    </Section>
  )
}

function RunningSection() {
  const running = useLive(listRollouts, { query: { state: 'active', limit: 20 } })
  return (
    <Section title="Rollouts under way">
      <Loaded query={running} what="rollouts">
        {({ items }) =>
          items.length === 0 ? (
            <Text>None.</Text>
          ) : (
            <DataTable
              caption="Rollouts under way"
              rows={items}
              keyOf={({ id }) => id}
              columns={rolloutColumns}
            />
          )
        }
      </Loaded>
    </Section>
  )
}

function FleetSection() {
  const fleets = useLive(listFleets, { query: { limit: shownMax } })
  return (
    <Section title="Fleets">
      <Loaded query={fleets} what="fleets">
        {({ items, next }) =>
          items.length === 0 ? (
            <EmptyState
              title="No fleet yet"
              action={<TextLink to="/guide">First steps, to the first update</TextLink>}
            >
              A fleet is a set of devices that share a product and a channel. Make one with
              “seaworthy fleet create”.
            </EmptyState>
          ) : (
            <Stack>
              <DataTable
                caption="Fleets"
                rows={items}
                keyOf={({ name }) => name}
                columns={fleetColumns}
              />
              {next !== null && (
                <Text size="sm">
                  <TextLink to="/fleets">All fleets</TextLink>
                </Text>
              )}
              {items
                .filter(({ devicesCount }) => devicesCount > 0)
                .toSorted((a, b) => b.devicesCount - a.devicesCount)
                .slice(0, spreadsMax)
                .map(({ name }) => (
                  <Section key={name} title={`Versions in ${name}`}>
                    <VersionSpread fleet={name} />
                  </Section>
                ))}
            </Stack>
          )
        }
      </Loaded>
    </Section>
  )
}
