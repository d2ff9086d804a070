/** One’s own SSH and OpenPGP public keys: list, add, confirm, remove. */
import { Badge, Button, Code, Group, Stack, Text, Textarea, TextInput } from '@mantine/core'
import {
  addAccountKey,
  confirmAccountKey,
  listAccountKeys,
  removeAccountKey,
} from '@seaworthy/api/account-keys'
import type { AccountKeyView } from '@seaworthy/api/account-keys'
import { useState } from 'react'
import { useRead } from '../session.ts'
import { ActionDialog } from '../ui/action-dialog.tsx'
import { DataTable } from '../ui/data-table.tsx'
import { Instant } from '../ui/instant.tsx'
import { Section } from '../ui/page.tsx'
import { EmptyState, Loaded } from '../ui/states.tsx'

type Open =
  | { readonly kind: 'add' }
  | { readonly kind: 'confirm' | 'remove'; readonly accountKey: AccountKeyView }

export function AccountKeySection() {
  const keys = useRead(listAccountKeys, {})
  const [open, setOpen] = useState<Open>()
  const close = () => setOpen(undefined)
  return (
    <Section
      title="SSH and OpenPGP keys"
      about="Public keys by which your signatures will be known. Nothing is opened by them."
      action={
        <Button variant="default" onClick={() => setOpen({ kind: 'add' })}>
          Add a key
        </Button>
      }
    >
      <Loaded query={keys} what="your keys">
        {({ items }) =>
          items.length === 0 ? (
            <EmptyState title="No key">Add the public key with which you sign commits.</EmptyState>
          ) : (
            <DataTable
              caption="Your SSH and OpenPGP keys"
              rows={items}
              keyOf={({ id }) => id}
              columns={[
                {
                  title: 'Name',
                  show: ({ name, confirmedAt }) => (
                    <Group gap="xs">
                      {name}
                      {confirmedAt === null && <Badge color="yellow">waits for you</Badge>}
                    </Group>
                  ),
                },
                { title: 'Fingerprint', show: (one) => <Fingerprint accountKey={one} /> },
                { title: 'Added', show: ({ createdAt }) => <Instant at={createdAt} /> },
                {
                  title: 'Actions',
                  isActions: true,
                  show: (one) => <KeyActions accountKey={one} onOpen={setOpen} />,
                },
              ]}
            />
          )
        }
      </Loaded>
      {open?.kind === 'add' && <AddDialog onClose={close} />}
      {open?.kind === 'confirm' && <ConfirmDialog accountKey={open.accountKey} onClose={close} />}
      {open?.kind === 'remove' && <RemoveDialog accountKey={open.accountKey} onClose={close} />}
    </Section>
  )
}

function Fingerprint({ accountKey }: { readonly accountKey: AccountKeyView }) {
  return (
    <Stack gap={0}>
      <Code style={{ overflowWrap: 'anywhere' }}>{accountKey.fingerprint}</Code>
      <Text size="xs">{accountKey.algorithm}</Text>
    </Stack>
  )
}

function KeyActions(props: {
  readonly accountKey: AccountKeyView
  readonly onOpen: (open: Open) => void
}) {
  const { accountKey, onOpen } = props
  return (
    <Group gap="xs" justify="flex-end">
      {accountKey.confirmedAt === null && (
        <Button
          variant="subtle"
          size="compact-sm"
          aria-label={`Confirm ${accountKey.name}`}
          onClick={() => onOpen({ kind: 'confirm', accountKey })}
        >
          Confirm
        </Button>
      )}
      <Button
        variant="subtle"
        color="red"
        size="compact-sm"
        aria-label={`Remove ${accountKey.name}`}
        onClick={() => onOpen({ kind: 'remove', accountKey })}
      >
        Remove
      </Button>
    </Group>
  )
}

/** The server refuses it as well, but a private key must not even be sent. */
const isPrivate = (text: string) => /PRIVATE KEY|PuTTY-User-Key-File/.test(text)

function AddDialog({ onClose }: { readonly onClose: () => void }) {
  const [name, setName] = useState('')
  const [publicKey, setPublicKey] = useState('')
  const error = isPrivate(publicKey)
    ? 'This is a PRIVATE key. It is not sent: take the file that ends in .pub.'
    : undefined
  return (
    <ActionDialog
      title="Add a key"
      button="Add it"
      isReady={name.trim() !== '' && publicKey.trim() !== '' && error === undefined}
      onClose={onClose}
      act={(call) =>
        call(addAccountKey, { body: { name: name.trim(), publicKey: publicKey.trim() } })
      }
      changes={[listAccountKeys]}
    >
      <Stack gap="xs">
        <TextInput
          label="Name of the key"
          description="Where it is kept, such as “work laptop”."
          name="account-key-name"
          autoComplete="off"
          maxLength={60}
          required
          value={name}
          onChange={(event) => setName(event.currentTarget.value)}
        />
        <Textarea
          label="Public key"
          description="The line of a file such as id_ed25519.pub, or what “gpg --armor --export” prints."
          name="account-key"
          autosize
          minRows={3}
          maxRows={8}
          maxLength={40_000}
          required
          error={error}
          value={publicKey}
          onChange={(event) => setPublicKey(event.currentTarget.value)}
        />
      </Stack>
    </ActionDialog>
  )
}

interface OneKey {
  readonly accountKey: AccountKeyView
  readonly onClose: () => void
}

function ConfirmDialog({ accountKey, onClose }: OneKey) {
  return (
    <ActionDialog
      title="Confirm the key"
      button="Confirm"
      onClose={onClose}
      act={(call) => call(confirmAccountKey, { params: { accountKeyId: accountKey.id } })}
      changes={[listAccountKeys]}
    >
      <Stack gap="xs">
        <Fingerprint accountKey={accountKey} />
        <Text>
          A command line has added “{accountKey.name}”. Confirm it only if your own machine shows
          this fingerprint.
        </Text>
      </Stack>
    </ActionDialog>
  )
}

function RemoveDialog({ accountKey, onClose }: OneKey) {
  return (
    <ActionDialog
      title="Remove the key"
      button="Remove"
      isDangerous
      onClose={onClose}
      act={(call) => call(removeAccountKey, { params: { accountKeyId: accountKey.id } })}
      changes={[listAccountKeys]}
    >
      <Text>Signatures of “{accountKey.name}” no longer count as yours.</Text>
    </ActionDialog>
  )
}
