/** One’s own sessions: where one is signed in, and how to end that. */
import { Badge, Button, Group, Stack, Text } from '@mantine/core'
import { listSessions, revokeSession } from '@seaworthy/api/sessions'
import type { SessionView } from '@seaworthy/api/sessions'
import { useState } from 'react'
import { describeBrowser } from '../browsers.ts'
import { useRead } from '../session.ts'
import { ActionDialog } from '../ui/action-dialog.tsx'
import { DataTable } from '../ui/data-table.tsx'
import { Instant } from '../ui/instant.tsx'
import { Section } from '../ui/page.tsx'
import { Loaded } from '../ui/states.tsx'

const factorWords = {
  passkey: 'passkey',
  password: 'password',
  provider: 'identity provider',
} as const

export function SessionSection({ personId }: { readonly personId: string }) {
  const sessions = useRead(listSessions, { query: { person: personId } })
  const [ending, setEnding] = useState<SessionView>()
  return (
    <Section title="Sessions" about="Where you are signed in. End what you do not know.">
      <Loaded query={sessions} what="your sessions">
        {({ items, next }) => (
          <Stack gap="xs">
            <DataTable
              caption="Your sessions"
              rows={items}
              keyOf={({ id }) => id}
              columns={[
                {
                  title: 'Browser',
                  show: ({ userAgent, isCurrent }) => (
                    <Group gap="xs">
                      <span title={userAgent}>{describeBrowser(userAgent)}</span>
                      {isCurrent && <Badge color="green">this one</Badge>}
                    </Group>
                  ),
                },
                { title: 'By', show: ({ factor }) => factorWords[factor] },
                { title: 'Address', show: ({ address }) => address },
                { title: 'Signed in', show: ({ createdAt }) => <Instant at={createdAt} /> },
                { title: 'Last used', show: ({ lastUsedAt }) => <Instant at={lastUsedAt} /> },
                { title: 'Ends', show: ({ expiresAt }) => <Instant at={expiresAt} /> },
                {
                  title: 'Actions',
                  isActions: true,
                  show: (session) =>
                    session.isCurrent ? null : (
                      <Button
                        variant="subtle"
                        color="red"
                        size="compact-sm"
                        aria-label={`End the session of ${describeBrowser(session.userAgent)} at ${session.address}`}
                        onClick={() => setEnding(session)}
                      >
                        End
                      </Button>
                    ),
                },
              ]}
            />
            {next !== null && <Text size="sm">Older sessions are not shown.</Text>}
          </Stack>
        )}
      </Loaded>
      {ending !== undefined && <EndDialog session={ending} onClose={() => setEnding(undefined)} />}
    </Section>
  )
}

function EndDialog(props: { readonly session: SessionView; readonly onClose: () => void }) {
  const { session, onClose } = props
  return (
    <ActionDialog
      title="End the session"
      button="End it"
      isDangerous
      onClose={onClose}
      act={(call) => call(revokeSession, { params: { sessionId: session.id } })}
      changes={[listSessions]}
    >
      <Text>
        {describeBrowser(session.userAgent)} at {session.address} is signed out at once.
      </Text>
    </ActionDialog>
  )
}
