/** Who did what, the newest first: 256 entries of the audit log at a time, and a search in them. */
import { Button, Group, Text, TextInput } from '@mantine/core'
import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { isFound, newestBundle } from '../audit-log.ts'
import type { ShownEntry } from '../audit-log.ts'
import type { Tone } from '../device-words.ts'
import { usePorts } from '../ports.ts'
import { useMay } from '../session.ts'
import { useAddress } from '../ui/address.ts'
import { CliLine } from '../ui/cli-line.tsx'
import { DataTable } from '../ui/data-table.tsx'
import type { DataColumn } from '../ui/data-table.tsx'
import { Downloads } from '../ui/downloads.tsx'
import { Instant } from '../ui/instant.tsx'
import { Marks } from '../ui/marks.tsx'
import { Page } from '../ui/page.tsx'
import { EmptyState, Loaded, NoPermissionState } from '../ui/states.tsx'

const tones: Readonly<Record<ShownEntry['outcome'], Tone>> = {
  done: 'green',
  refused: 'yellow',
  alarm: 'red',
}

export function LogPage() {
  const may = useMay()
  return (
    <Page
      title="Audit log"
      about="Who did what. The page shows what the server says; the command line proves that nothing in it was changed."
    >
      {may('log:read') ? (
        <Entries />
      ) : (
        <NoPermissionState sentence="Your role does not show the audit log." />
      )}
      <CliLine line="seaworthy log verify --entries" />
    </Page>
  )
}

function Entries() {
  const { log } = usePorts()
  const address = useAddress()
  const asked = /^\d{1,12}$/.exec(address.get('bundle') ?? '')?.[0]
  const query = useQuery({
    queryKey: ['log', asked],
    refetchInterval: 10_000,
    placeholderData: keepPreviousData,
    async queryFn({ signal }) {
      const size = await log.readSize(signal)
      const newest = newestBundle(size)
      const bundle = Math.min(asked === undefined ? newest : Number(asked), newest)
      return { size, newest, bundle, entries: await log.readBundle(bundle, size, signal) }
    },
  })
  const text = address.get('q') ?? ''
  return (
    <Loaded query={query} what="the log">
      {({ size, newest, bundle, entries }) => {
        const found = entries.filter((entry) => isFound(entry, text))
        const find = (wanted: string) => {
          if (wanted.trim() !== text) address.change({ q: wanted.trim(), bundle: asked })
        }
        const go = (to: number) =>
          address.change({ bundle: to === newest ? undefined : String(to) })
        return (
          <>
            <TextInput
              label="Search in these entries"
              type="search"
              maw={420}
              maxLength={100}
              defaultValue={text}
              onBlur={(event) => find(event.currentTarget.value)}
              onKeyDown={(event) => {
                if (event.key === 'Enter') find(event.currentTarget.value)
              }}
            />
            {found.length === 0 ? (
              <EmptyState title="None">
                {size === 0 ? 'The log has no entry yet.' : 'None of these entries has that text.'}
              </EmptyState>
            ) : (
              <DataTable
                caption="Audit log"
                rows={found}
                keyOf={({ index }) => String(index)}
                columns={columns}
                isDimmed={query.isPlaceholderData}
              />
            )}
            <Group justify="space-between" component="nav" aria-label="Parts of the log">
              <Group gap="sm">
                <Text size="sm" role="status">
                  {found.length} of {entries.length} entries; the log has {size.toLocaleString()}.
                </Text>
                <Downloads name="log" columns={columns} load={() => Promise.resolve(found)} />
              </Group>
              <Group gap="xs">
                <Button
                  variant="default"
                  size="compact-sm"
                  disabled={bundle >= newest}
                  onClick={() => go(bundle + 1)}
                >
                  Newer
                </Button>
                <Button
                  variant="default"
                  size="compact-sm"
                  disabled={bundle <= 0}
                  onClick={() => go(bundle - 1)}
                >
                  Older
                </Button>
              </Group>
            </Group>
          </>
        )
      }}
    </Loaded>
  )
}

const columns: readonly DataColumn<ShownEntry>[] = [
  { title: 'Entry', show: ({ index }) => String(index), text: ({ index }) => index },
  { title: 'When', show: ({ at }) => <Instant at={at} />, text: ({ at }) => at },
  { title: 'What', show: ({ action }) => <code>{action}</code>, text: ({ action }) => action },
  { title: 'About', show: ({ subject }) => subject, text: ({ subject }) => subject },
  { title: 'Who', show: ({ actor }) => actor, text: ({ actor }) => actor },
  {
    title: 'Outcome',
    show: ({ outcome }) => <Marks marks={[{ text: outcome, tone: tones[outcome] }]} />,
    text: ({ outcome }) => outcome,
  },
  {
    title: 'Detail',
    show: ({ detail }) =>
      Object.keys(detail).length === 0 ? (
        '–'
      ) : (
        <details>
          <summary>Show</summary>
          <code>{JSON.stringify(detail)}</code>
        </details>
      ),
    text: ({ detail }) => JSON.stringify(detail),
  },
]
