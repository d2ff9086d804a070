/** Credentials of other systems that people borrow: what there is, and who has which. */
import { Badge, Group, Stack, Text } from '@mantine/core'
import { listLeases } from '@seaworthy/api/leases'
import type { LeaseView } from '@seaworthy/api/leases'
import { listStoredCredentials } from '@seaworthy/api/stored-credentials'
import { useLive, useMay } from '../session.ts'
import { formatCommand } from '../shell-words.ts'
import { CliLine } from '../ui/cli-line.tsx'
import { DataTable } from '../ui/data-table.tsx'
import { Instant } from '../ui/instant.tsx'
import { Page, Section } from '../ui/page.tsx'
import { EmptyState, Loaded, NoPermissionState } from '../ui/states.tsx'

const shownMax = 200

export function CredentialsPage() {
  const may = useMay()
  if (!may('credential:read')) {
    return (
      <Page title="Stored credentials">
        <NoPermissionState sentence="Your role does not show stored credentials." />
      </Page>
    )
  }
  return (
    <Page title="Stored credentials">
      <CredentialSection />
      <LeaseSection />
    </Page>
  )
}

function CredentialSection() {
  const credentials = useLive(listStoredCredentials, { query: { limit: shownMax } })
  return (
    <Section
      title="What can be borrowed"
      about="Each is encrypted under a key that is kept elsewhere. No page shows a value."
    >
      <Loaded query={credentials} what="stored credentials">
        {({ items, next }) =>
          items.length === 0 ? (
            <EmptyState title="No stored credential">
              “seaworthy credential add” stores one, which people then borrow for a time.
            </EmptyState>
          ) : (
            <Stack gap="xs">
              <DataTable
                caption="Stored credentials"
                rows={items}
                keyOf={({ name }) => name}
                columns={[
                  {
                    title: 'Name',
                    show: ({ name, about }) => <code title={about || undefined}>{name}</code>,
                  },
                  {
                    title: 'Opens',
                    show: ({ kind, target, about }) =>
                      kind === 'postgresql' ? `PostgreSQL ${target ?? ''}` : about || 'a value',
                  },
                  { title: 'Version', show: ({ version }) => version },
                  { title: 'Open leases', show: ({ leasesOpen }) => leasesOpen },
                  { title: 'Set', show: ({ setAt }) => <Instant at={setAt} /> },
                ]}
              />
              {next !== null && (
                <Text size="sm" c="dimmed">
                  The first {shownMax} are shown; “seaworthy credential list” has them all.
                </Text>
              )}
            </Stack>
          )
        }
      </Loaded>
      <CliLine line={formatCommand('seaworthy', 'credential', 'list')} />
    </Section>
  )
}

function LeaseSection() {
  const leases = useLive(listLeases, { query: { limit: shownMax } })
  return (
    <Section
      title="Who borrowed what"
      about="Newest first. A value is handed out once, to the command line of whoever asked."
    >
      <Loaded query={leases} what="leases">
        {({ items }) =>
          items.length === 0 ? (
            <Text>Nobody has asked for one.</Text>
          ) : (
            <DataTable
              caption="Leases"
              rows={items}
              keyOf={({ id }) => id}
              columns={[
                { title: 'Credential', show: ({ credential }) => <code>{credential}</code> },
                { title: 'State', show: (lease) => <LeaseState lease={lease} /> },
                { title: 'Reason', show: ({ reason }) => reason },
                { title: 'Asked by', show: ({ requestedBy }) => <code>{requestedBy}</code> },
                { title: 'Asked', show: ({ requestedAt }) => <Instant at={requestedAt} /> },
                {
                  title: 'Ends',
                  show: ({ endedAt, expiresAt }) => {
                    const at = endedAt ?? expiresAt
                    return at === null ? 'not opened' : <Instant at={at} />
                  },
                },
              ]}
            />
          )
        }
      </Loaded>
      <CliLine line={formatCommand('seaworthy', 'credential', 'leases')} />
    </Section>
  )
}

function LeaseState({ lease }: { readonly lease: LeaseView }) {
  const { state, endReason, account, accountGoneAt } = lease
  return (
    <Group gap="xs">
      <span>{state === 'ended' ? (endReason ?? 'ran out') : state}</span>
      {state === 'ended' && account !== null && accountGoneAt === null && (
        <Badge color="red">its account is still there</Badge>
      )}
    </Group>
  )
}
