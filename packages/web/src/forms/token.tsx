/** Makes a token, which is shown once. */
import { NativeSelect, TextInput } from '@mantine/core'
import { createToken, listTokens } from '@seaworthy/api/tokens'
import { useState } from 'react'
import { ActionDialog } from '../ui/action-dialog.tsx'
import { givenGrant, GrantFields, isWholeGrant, viewerOfAll } from './grant-fields.tsx'

const daySeconds = 86_400
const lifetimes = [
  { value: String(daySeconds), label: 'A day' },
  { value: String(30 * daySeconds), label: '30 days' },
  { value: String(90 * daySeconds), label: '90 days' },
  { value: String(365 * daySeconds), label: 'A year' },
]

export function TokenDialog(props: {
  readonly onMade: (token: string) => void
  readonly onClose: () => void
}) {
  const { onMade, onClose } = props
  const [name, setName] = useState('')
  const [lifetime, setLifetime] = useState(String(90 * daySeconds))
  const [networks, setNetworks] = useState('')
  const [grant, setGrant] = useState(viewerOfAll)
  return (
    <ActionDialog
      title="Make a token"
      button="Make it"
      isReady={name.trim() !== '' && isWholeGrant(grant)}
      onClose={onClose}
      act={async (call) => {
        const wanted = networks.split(/[\s,]+/).filter((network) => network !== '')
        const { token } = await call(createToken, {
          body: {
            name: name.trim(),
            ...givenGrant(grant),
            ...(wanted.length === 0 ? {} : { networks: wanted }),
            lifetimeSeconds: Number(lifetime),
          },
        })
        onMade(token)
      }}
      changes={[listTokens]}
    >
      <TextInput
        label="Name"
        description="What it is for, such as ci-gateway: a-z, 0-9 and -."
        name="token-name"
        autoComplete="off"
        maxLength={63}
        required
        value={name}
        onChange={(event) => setName(event.currentTarget.value)}
      />
      <NativeSelect
        label="Works for"
        name="token-lifetime"
        value={lifetime}
        data={lifetimes}
        onChange={(event) => setLifetime(event.currentTarget.value)}
      />
      <TextInput
        label="Networks"
        description="Optional: the only ones that it works from, such as 192.0.2.0/24."
        name="token-networks"
        autoComplete="off"
        value={networks}
        onChange={(event) => setNetworks(event.currentTarget.value)}
      />
      <GrantFields value={grant} onChange={setGrant} />
    </ActionDialog>
  )
}
