/** Invites a person, and shows the link once. */
import { TextInput } from '@mantine/core'
import { createInvitation, listInvitations } from '@seaworthy/api/invitations'
import { useState } from 'react'
import { useRefresh } from '../session.ts'
import { ActionDialog } from '../ui/action-dialog.tsx'
import { useConfirmedCall } from '../ui/step-up.tsx'
import type { GrantDraft } from './grant-fields.tsx'
import { GrantFields, isWholeGrant } from './grant-fields.tsx'

export function InviteDialog(props: {
  readonly onLink: (link: string) => void
  readonly onClose: () => void
}) {
  const { onLink, onClose } = props
  const call = useConfirmedCall()
  const refresh = useRefresh()
  const [name, setName] = useState('')
  const [email, setEmail] = useState('')
  const [grant, setGrant] = useState<GrantDraft>({
    ...{ role: 'viewer', deniedBy: [] },
    ...{ products: null, fleets: null },
  })
  return (
    <ActionDialog
      title="Invite a person"
      button="Make the link"
      isReady={isWholeGrant(grant)}
      onClose={onClose}
      act={async () => {
        const { role, deniedBy, products, fleets } = grant
        const { link } = await call(createInvitation, {
          body: {
            role,
            deniedBy: [...deniedBy],
            ...(products === null ? {} : { products: [...products] }),
            ...(fleets === null ? {} : { fleets: [...fleets] }),
            ...(name.trim() === '' ? {} : { name: name.trim() }),
            ...(email.trim() === '' ? {} : { email: email.trim() }),
          },
        })
        onLink(link)
        await refresh(listInvitations)
      }}
    >
      <TextInput
        label="Name"
        description="Optional: the person may write it differently."
        name="invited-name"
        autoComplete="off"
        maxLength={100}
        value={name}
        onChange={(event) => setName(event.currentTarget.value)}
      />
      <TextInput
        label="E-mail address"
        description="Optional, for your list: nothing is sent."
        name="invited-email"
        type="email"
        autoComplete="off"
        maxLength={254}
        value={email}
        onChange={(event) => setEmail(event.currentTarget.value)}
      />
      <GrantFields value={grant} onChange={setGrant} />
    </ActionDialog>
  )
}
