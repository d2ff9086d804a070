/** What a device was offered and did, and what it has signed about itself. */
import { Text } from '@mantine/core'
import type { showDevice } from '@seaworthy/api/devices'
import type { ReplyOf } from '@seaworthy/api/route'
import { listDeviceUpdates } from '@seaworthy/api/updates'
import { markOfState } from '../device-words.ts'
import { useLive } from '../session.ts'
import { formatCommand } from '../shell-words.ts'
import { CliLine } from '../ui/cli-line.tsx'
import { DataTable } from '../ui/data-table.tsx'
import type { DataColumn } from '../ui/data-table.tsx'
import { Instant } from '../ui/instant.tsx'
import { Marks } from '../ui/marks.tsx'
import { Section } from '../ui/page.tsx'
import { Loaded } from '../ui/states.tsx'

const shownMax = 20

type DeviceUpdate = ReplyOf<typeof listDeviceUpdates>['items'][number]

const updateColumns: readonly DataColumn<DeviceUpdate>[] = [
  { title: 'Release', show: ({ version }) => version },
  { title: 'Wave', show: ({ wave }) => String(wave) },
  { title: 'State', show: ({ state, code }) => <Marks marks={[markOfState(state, code)]} /> },
  { title: 'Attempts', show: ({ attempt }) => String(attempt) },
  { title: 'Offered', show: ({ offeredAt }) => <Instant at={offeredAt} /> },
  {
    title: 'Steps',
    show: ({ events }) => (
      <details>
        <summary>{events.length} steps</summary>
        <ol>
          {events.map(({ attempt, state, code, at }) => (
            <li key={`${attempt} ${state} ${at}`}>
              {markOfState(state, code).text}, <Instant at={at} />
            </li>
          ))}
        </ol>
      </details>
    ),
  },
]

export function UpdateSection({ deviceId }: { readonly deviceId: string }) {
  const updates = useLive(listDeviceUpdates, {
    params: { deviceId },
    query: { limit: shownMax },
  })
  return (
    <Section title="Updates">
      <Loaded query={updates} what="updates">
        {({ items, next }) =>
          items.length === 0 ? (
            <Text>No rollout has offered it anything yet.</Text>
          ) : (
            <>
              <DataTable
                caption="Updates of the device"
                rows={items}
                keyOf={({ rolloutId, attempt }) => `${rolloutId} ${attempt}`}
                columns={updateColumns}
              />
              {next !== null && (
                <Text size="sm" c="dimmed">
                  The newest {shownMax} are shown.
                </Text>
              )}
            </>
          )
        }
      </Loaded>
      <CliLine line={formatCommand('seaworthy', 'device', 'updates', deviceId)} />
    </Section>
  )
}

type Reports = ReplyOf<typeof showDevice>['reports']

const reportColumns: readonly DataColumn<Reports[number]>[] = [
  { title: 'Sequence', show: ({ report }) => String(report.sequence) },
  { title: 'Signed', show: ({ report }) => <Instant at={report.at} /> },
  {
    title: 'State',
    show: ({ report }) => <Marks marks={[markOfState(report.update.state, report.update.code)]} />,
  },
  { title: 'Runs', show: ({ report }) => report.running?.version ?? 'nothing' },
  { title: 'Counter', show: ({ report }) => String(report.committedCounter) },
  {
    title: 'Refusals',
    show: ({ report }) => report.refusals.map(({ code }) => code).join(', ') || 'none',
  },
]

export function ReportSection({ reports }: { readonly reports: Reports }) {
  return (
    <Section
      title="Signed reports"
      about="What the device itself has said, under its own key, the newest first."
    >
      {reports.length === 0 ? (
        <Text>No signed report yet.</Text>
      ) : (
        <DataTable
          caption="Signed reports"
          rows={reports}
          keyOf={({ report }) => String(report.sequence)}
          columns={reportColumns}
        />
      )}
    </Section>
  )
}
