/** Invitations that nobody has accepted yet. */
import { Button, Text } from '@mantine/core'
import { listInvitations, revokeInvitation } from '@seaworthy/api/invitations'
import type { InvitationView } from '@seaworthy/api/invitations'
import { useState } from 'react'
import { describeGrant } from '../role-words.ts'
import { useRead } from '../session.ts'
import { ActionDialog } from '../ui/action-dialog.tsx'
import { DataTable } from '../ui/data-table.tsx'
import { Instant } from '../ui/instant.tsx'
import { Section } from '../ui/page.tsx'
import { EmptyState, Loaded } from '../ui/states.tsx'

export function InvitationSection({ mayChange }: { readonly mayChange: boolean }) {
  const invitations = useRead(listInvitations, { query: { limit: 200 } })
  const [revoking, setRevoking] = useState<InvitationView>()
  return (
    <Section title="Open invitations">
      <Loaded query={invitations} what="invitations">
        {({ items }) =>
          items.length === 0 ? (
            <EmptyState title="No open invitation">
              A link that nobody has used yet would be listed here until it ends.
            </EmptyState>
          ) : (
            <DataTable
              caption="Open invitations"
              rows={items}
              keyOf={({ id }) => id}
              columns={[
                { title: 'Name', show: (invitation) => nameOf(invitation) },
                { title: 'For', show: (invitation) => describePurpose(invitation) },
                { title: 'Ends', show: ({ expiresAt }) => <Instant at={expiresAt} /> },
                {
                  title: 'Actions',
                  isActions: true,
                  show: (invitation) =>
                    mayChange ? (
                      <Button
                        variant="subtle"
                        color="red"
                        size="compact-sm"
                        aria-label={`Revoke the invitation of ${nameOf(invitation)}`}
                        onClick={() => setRevoking(invitation)}
                      >
                        Revoke
                      </Button>
                    ) : null,
                },
              ]}
            />
          )
        }
      </Loaded>
      {revoking !== undefined && (
        <RevokeDialog invitation={revoking} onClose={() => setRevoking(undefined)} />
      )}
    </Section>
  )
}

function nameOf({ name, email }: InvitationView): string {
  return name ?? email ?? 'somebody without a name yet'
}

function describePurpose(invitation: InvitationView): string {
  return invitation.personId === null ? describeGrant(invitation) : 'a new passkey'
}

function RevokeDialog(props: {
  readonly invitation: InvitationView
  readonly onClose: () => void
}) {
  const { invitation, onClose } = props
  return (
    <ActionDialog
      title="Revoke the invitation"
      button="Revoke"
      isDangerous
      onClose={onClose}
      act={(call) => call(revokeInvitation, { params: { invitationId: invitation.id } })}
      changes={[listInvitations]}
    >
      <Text>The link of {nameOf(invitation)} stops working.</Text>
    </ActionDialog>
  )
}
