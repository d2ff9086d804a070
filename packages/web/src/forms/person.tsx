/** What is done about one person: role and scope, in or out, a new link. */
import { Text } from '@mantine/core'
import { listInvitations, reinvitePerson } from '@seaworthy/api/invitations'
import { disablePerson, enablePerson, listPeople, setPerson } from '@seaworthy/api/people'
import type { PersonView } from '@seaworthy/api/people'
import { useState } from 'react'
import { ActionDialog } from '../ui/action-dialog.tsx'
import type { GrantDraft } from './grant-fields.tsx'
import { GrantFields, isWholeGrant } from './grant-fields.tsx'

interface OnePerson {
  readonly person: PersonView
  readonly onClose: () => void
}

export function ChangeRoleDialog({ person, onClose }: OnePerson) {
  const [grant, setGrant] = useState<GrantDraft>(person)
  return (
    <ActionDialog
      title={`Role of ${person.name}`}
      button="Change"
      isReady={isWholeGrant(grant)}
      onClose={onClose}
      act={async (call) => {
        const { role, deniedBy, products, fleets } = grant
        await call(setPerson, {
          params: { personId: person.id },
          body: {
            role,
            deniedBy: [...deniedBy],
            products: products === null ? null : [...products],
            fleets: fleets === null ? null : [...fleets],
          },
        })
      }}
      changes={[listPeople]}
    >
      <GrantFields value={grant} onChange={setGrant} />
    </ActionDialog>
  )
}

export function DisableDialog({ person, onClose }: OnePerson) {
  return (
    <ActionDialog
      title={`Disable ${person.name}`}
      button="Disable"
      isDangerous
      onClose={onClose}
      act={(call) => call(disablePerson, { params: { personId: person.id } })}
      changes={[listPeople]}
    >
      <Text>
        {person.name} can no longer sign in. Their sessions, and the tokens that they made, end at
        once. Credentials that devices in the field use go on working, even if this person made them
        and may have kept a copy: FleetLock keys, gateway tokens, and tokens of foreign devices.
        Review these, and end those that you do not know. What they signed with their own keys stays
        signed: a proposal removes a key holder.
      </Text>
    </ActionDialog>
  )
}

export function EnableDialog({ person, onClose }: OnePerson) {
  return (
    <ActionDialog
      title={`Let ${person.name} in again`}
      button="Enable"
      onClose={onClose}
      act={(call) => call(enablePerson, { params: { personId: person.id } })}
      changes={[listPeople]}
    >
      <Text>
        {person.name} can sign in again with the passkeys that they had. Tokens that ended stay
        ended.
      </Text>
    </ActionDialog>
  )
}

export function NewLinkDialog(props: OnePerson & { readonly onLink: (link: string) => void }) {
  const { person, onClose, onLink } = props
  return (
    <ActionDialog
      title={`New link for ${person.name}`}
      button="Make the link"
      onClose={onClose}
      act={async (call) => {
        const { link } = await call(reinvitePerson, { params: { personId: person.id } })
        onLink(link)
      }}
      changes={[listInvitations]}
    >
      <Text>
        Whoever opens the link registers a new passkey as {person.name}. Make sure by another way
        that you hand it to the right person.
      </Text>
    </ActionDialog>
  )
}
