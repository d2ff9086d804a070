/** The first owner comes in by the one-time link that `seaworthy up` prints. */
import { Text } from '@mantine/core'
import { askFirstOwner, becomeFirstOwner } from '@seaworthy/api/invitations'
import { JoiningForm } from '../forms/joining.tsx'
import { usePorts } from '../ports.ts'
import { EntryPage } from '../ui/page.tsx'

export function FirstOwnerPage() {
  const { client, passkeys, linkCode: code } = usePorts()
  if (code === undefined) {
    return (
      <EntryPage title="Become the first owner">
        <Text>
          The link is not whole: its secret, the part after “#”, is missing. Open the link exactly
          as “seaworthy up” prints it. It is printed at every start until there is an owner.
        </Text>
      </EntryPage>
    )
  }
  return (
    <EntryPage title="Become the first owner">
      <Text>
        An owner may do everything here except sign releases: that takes keys which the server never
        has. You sign in with a passkey, kept by this device, your phone or a security key.
      </Text>
      <JoiningForm
        name=""
        isNameFixed={false}
        button="Create a passkey"
        join={async (name) => {
          const options = await client.call(askFirstOwner, { body: { code, name } })
          const passkey = await passkeys.create(options)
          return client.call(becomeFirstOwner, { body: { code, name, passkey } })
        }}
      />
    </EntryPage>
  )
}
