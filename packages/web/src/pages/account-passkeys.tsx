/** One’s own passkeys: list, add, rename, remove. */
import { Badge, Button, Group, Text, TextInput } from '@mantine/core'
import {
  addPasskey,
  askPasskey,
  listPasskeys,
  removePasskey,
  renamePasskey,
} from '@seaworthy/api/passkeys'
import type { PasskeyView } from '@seaworthy/api/passkeys'
import { useState } from 'react'
import { usePorts } from '../ports.ts'
import { useRead } from '../session.ts'
import { ActionDialog } from '../ui/action-dialog.tsx'
import { DataTable } from '../ui/data-table.tsx'
import { Instant } from '../ui/instant.tsx'
import { Section } from '../ui/page.tsx'
import { EmptyState, Loaded } from '../ui/states.tsx'

type Open =
  | { readonly kind: 'add' }
  | { readonly kind: 'rename' | 'remove'; readonly passkey: PasskeyView }

export function PasskeySection() {
  const passkeys = useRead(listPasskeys, {})
  const [open, setOpen] = useState<Open>()
  const close = () => setOpen(undefined)
  return (
    <Section
      title="Passkeys"
      about="Have at least two, on different devices: one that is lost then locks nobody out."
      action={
        <Button variant="default" onClick={() => setOpen({ kind: 'add' })}>
          Add a passkey
        </Button>
      }
    >
      <Loaded query={passkeys} what="your passkeys">
        {({ items }) =>
          items.length === 0 ? (
            <EmptyState title="No passkey">
              A passkey opens every role, and works where no identity provider answers.
            </EmptyState>
          ) : (
            <DataTable
              caption="Your passkeys"
              rows={items}
              keyOf={({ id }) => id}
              columns={[
                {
                  title: 'Name',
                  show: ({ name, isBackedUp }) => (
                    <Group gap="xs">
                      {name}
                      {isBackedUp && <Badge color="gray">synchronised</Badge>}
                    </Group>
                  ),
                },
                { title: 'Added', show: ({ createdAt }) => <Instant at={createdAt} /> },
                {
                  title: 'Last used',
                  show: ({ lastUsedAt }) =>
                    lastUsedAt === null ? 'never' : <Instant at={lastUsedAt} />,
                },
                {
                  title: 'Actions',
                  isActions: true,
                  show: (passkey) => (
                    <Group gap="xs" justify="flex-end">
                      <Button
                        variant="subtle"
                        size="compact-sm"
                        aria-label={`Rename ${passkey.name}`}
                        onClick={() => setOpen({ kind: 'rename', passkey })}
                      >
                        Rename
                      </Button>
                      {items.length > 1 && (
                        <Button
                          variant="subtle"
                          color="red"
                          size="compact-sm"
                          aria-label={`Remove ${passkey.name}`}
                          onClick={() => setOpen({ kind: 'remove', passkey })}
                        >
                          Remove
                        </Button>
                      )}
                    </Group>
                  ),
                },
              ]}
            />
          )
        }
      </Loaded>
      {open?.kind === 'add' && <AddDialog onClose={close} />}
      {open?.kind === 'rename' && <RenameDialog passkey={open.passkey} onClose={close} />}
      {open?.kind === 'remove' && <RemoveDialog passkey={open.passkey} onClose={close} />}
    </Section>
  )
}

function NameField(props: { readonly value: string; readonly onChange: (text: string) => void }) {
  return (
    <TextInput
      label="Name of the passkey"
      description="Where it is kept, such as “work laptop” or “blue security key”."
      name="passkey-name"
      autoComplete="off"
      maxLength={60}
      required
      value={props.value}
      onChange={(event) => props.onChange(event.currentTarget.value)}
    />
  )
}

function AddDialog({ onClose }: { readonly onClose: () => void }) {
  const { passkeys } = usePorts()
  const [name, setName] = useState('')
  return (
    <ActionDialog
      title="Add a passkey"
      button="Create it"
      isReady={name.trim() !== ''}
      onClose={onClose}
      act={async (call) => {
        const options = await call(askPasskey, {})
        const passkey = await passkeys.create(options)
        await call(addPasskey, { body: { name: name.trim(), passkey } })
      }}
      changes={[listPasskeys]}
    >
      <NameField value={name} onChange={setName} />
    </ActionDialog>
  )
}

interface OnePasskey {
  readonly passkey: PasskeyView
  readonly onClose: () => void
}

function RenameDialog({ passkey, onClose }: OnePasskey) {
  const [name, setName] = useState(passkey.name)
  return (
    <ActionDialog
      title="Rename the passkey"
      button="Rename"
      isReady={name.trim() !== ''}
      onClose={onClose}
      act={async (call) => {
        const params = { passkeyId: passkey.id }
        await call(renamePasskey, { params, body: { name: name.trim() } })
      }}
      changes={[listPasskeys]}
    >
      <NameField value={name} onChange={setName} />
    </ActionDialog>
  )
}

function RemoveDialog({ passkey, onClose }: OnePasskey) {
  return (
    <ActionDialog
      title="Remove the passkey"
      button="Remove"
      isDangerous
      onClose={onClose}
      act={(call) => call(removePasskey, { params: { passkeyId: passkey.id } })}
      changes={[listPasskeys]}
    >
      <Text>
        From now on you can no longer sign in with “{passkey.name}”. Your device may still list it:
        delete it there too.
      </Text>
    </ActionDialog>
  )
}
