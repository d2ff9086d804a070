/** An invited person comes in by a link: somebody new, or somebody who has lost every passkey. */
import { Text } from '@mantine/core'
import { acceptInvitation, askInvitation, readInvitation } from '@seaworthy/api/invitations'
import { useQuery } from '@tanstack/react-query'
import { JoiningForm } from '../forms/joining.tsx'
import { usePorts } from '../ports.ts'
import { describeGrant } from '../role-words.ts'
import { Instant } from '../ui/instant.tsx'
import { EntryPage } from '../ui/page.tsx'
import { Loaded } from '../ui/states.tsx'

export function InvitationPage() {
  const { linkCode } = usePorts()
  return (
    <EntryPage title="Your invitation">
      {linkCode === undefined ? (
        <Text>
          The link is not whole: its secret, the part after “#”, is missing. Open the link exactly
          as you were sent it, or ask for a new one.
        </Text>
      ) : (
        <Invitation code={linkCode} />
      )}
    </EntryPage>
  )
}

function Invitation({ code }: { readonly code: string }) {
  const { client, passkeys } = usePorts()
  const invitation = useQuery({
    queryKey: [readInvitation.name, code],
    queryFn: () => client.call(readInvitation, { body: { code } }),
    staleTime: Number.POSITIVE_INFINITY,
  })
  return (
    <Loaded query={invitation} what="the invitation">
      {(view) => (
        <>
          <Text>
            {view.personId === null
              ? `You are invited as ${describeGrant(view)}.`
              : `This link lets ${view.name ?? 'you'} register a new passkey; your old passkeys, recovery codes, password and sessions end.`}{' '}
            It ends <Instant at={view.expiresAt} />.
          </Text>
          <JoiningForm
            name={view.name ?? ''}
            isNameFixed={view.personId !== null}
            button="Create a passkey and come in"
            join={async (name) => {
              const options = await client.call(askInvitation, { body: { code, name } })
              const passkey = await passkeys.create(options)
              return client.call(acceptInvitation, { body: { code, name, passkey } })
            }}
          />
        </>
      )}
    </Loaded>
  )
}
