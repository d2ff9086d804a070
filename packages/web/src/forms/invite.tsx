/** Invites a person, and shows the link once. */
import { TextInput } from '@mantine/core'
import { createInvitation, listInvitations } from '@seaworthy/api/invitations'
import { useState } from 'react'
import { ActionDialog } from '../ui/action-dialog.tsx'
import { givenGrant, GrantFields, isWholeGrant, viewerOfAll } from './grant-fields.tsx'

export function InviteDialog(props: {
  readonly onLink: (link: string) => void
  readonly onClose: () => void
}) {
  const { onLink, onClose } = props
  const [name, setName] = useState('')
  const [email, setEmail] = useState('')
  const [grant, setGrant] = useState(viewerOfAll)
  return (
    <ActionDialog
      title="Invite a person"
      button="Make the link"
      isReady={isWholeGrant(grant)}
      onClose={onClose}
      act={async (call) => {
        const { link } = await call(createInvitation, {
          body: {
            ...givenGrant(grant),
            ...(name.trim() === '' ? {} : { name: name.trim() }),
            ...(email.trim() === '' ? {} : { email: email.trim() }),
          },
        })
        onLink(link)
      }}
      changes={[listInvitations]}
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
