/** Who did what, the newest first: 256 entries of the audit log at a time, and a search in them. */
import { Alert, Button, Group, Stack, Text, TextInput } from '@mantine/core'
import { showServer } from '@seaworthy/api/server'
import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { forgetLog, isFound, readLog } from '../audit-log.ts'
import type { BrokenLog, LogPart, ShownEntry } from '../audit-log.ts'
import type { Tone } from '../device-words.ts'
import { saveFile } from '../downloads.ts'
import { completeSentence } from '../explanations.ts'
import { usePorts } from '../ports.ts'
import { useMay, useRead } from '../session.ts'
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
      about="Who did what. Your browser checks the log against what it remembers of it."
    >
      {may('log:read') ? (
        <ServedLog />
      ) : (
        <NoPermissionState sentence="Your role does not show the audit log." />
      )}
      <Text size="sm" c="dimmed">
        Whoever owns the server can change these pages too. The command line, which the server does
        not bring, proves that nothing in the log was changed.
      </Text>
      <CliLine line="seaworthy log verify --entries" />
    </Page>
  )
}

function ServedLog() {
  const server = useRead(showServer, {})
  return (
    <Loaded query={server} what="the key of the log">
      {({ logVerifierKey }) => <Entries verifierKey={logVerifierKey} />}
    </Loaded>
  )
}

function Entries({ verifierKey }: { readonly verifierKey: string }) {
  const { log } = usePorts()
  const address = useAddress()
  const asked = /^\d{1,12}$/.exec(address.get('bundle') ?? '')?.[0]
  const bundle = asked === undefined ? undefined : Number(asked)
  const query = useQuery({
    queryKey: ['log', asked],
    refetchInterval: 10_000,
    placeholderData: keepPreviousData,
    queryFn: ({ signal }) => readLog(log, { verifierKey, bundle }, signal),
  })
  return (
    <Loaded query={query} what="the log">
      {(checked) =>
        checked.kind === 'broken' ? (
          <BrokenState broken={checked.broken} onForget={() => void query.refetch()} />
        ) : (
          <>
            <CheckedNote part={checked.part} />
            <EntryTable part={checked.part} asked={asked} isDimmed={query.isPlaceholderData} />
          </>
        )
      }
    </Loaded>
  )
}

function CheckedNote({ part }: { readonly part: LogPart }) {
  const { size, rememberedSize } = part
  const entries = (count: number) =>
    count === 1 ? 'one entry' : `${count.toLocaleString()} entries`
  return (
    <Text size="sm" role="note">
      Checked in this browser:{' '}
      {rememberedSize === undefined
        ? `these entries are under the signed checkpoint of ${entries(size)}. It is the first one that this browser has seen, and it will remember it.`
        : rememberedSize === size
          ? `it is the log of ${entries(size)} that this browser remembers.`
          : `the log continues the ${entries(rememberedSize)} that this browser remembers.`}
    </Text>
  )
}

function BrokenState(props: { readonly broken: BrokenLog; readonly onForget: () => void }) {
  const { broken, onForget } = props
  const { log } = usePorts()
  const { code, why, evidence } = broken
  return (
    <Alert color="red" variant="light" role="alert" title="This is not the log that was signed">
      <Stack gap="sm">
        <Text size="sm">
          {completeSentence(why)} ({code}) No entry is shown. Keep the evidence, and have the
          command line look at it from another machine: “seaworthy log verify”.
        </Text>
        <Group gap="xs">
          <Button
            variant="default"
            size="compact-sm"
            onClick={() => saveFile('log-evidence.json', 'application/json', `${evidence}\n`)}
          >
            Download the evidence
          </Button>
          <Button
            variant="default"
            size="compact-sm"
            onClick={() => {
              forgetLog(log)
              onForget()
            }}
          >
            Forget what this browser remembers
          </Button>
        </Group>
      </Stack>
    </Alert>
  )
}

function EntryTable(props: {
  readonly part: LogPart
  readonly asked: string | undefined
  readonly isDimmed: boolean
}) {
  const { asked, isDimmed } = props
  const { size, newest, bundle, entries } = props.part
  const address = useAddress()
  const text = address.get('q') ?? ''
  const found = entries.filter((entry) => isFound(entry, text))
  const find = (wanted: string) => {
    if (wanted.trim() !== text) address.change({ q: wanted.trim(), bundle: asked })
  }
  const go = (to: number) => address.change({ bundle: to === newest ? undefined : String(to) })
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
          isDimmed={isDimmed}
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
