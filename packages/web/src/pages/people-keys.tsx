/** The SSH and OpenPGP public keys of another person, and their removal. */
import { Button, Code, Stack, Text } from '@mantine/core'
import { listPersonKeys, removePersonKey } from '@seaworthy/api/account-keys'
import type { PersonView } from '@seaworthy/api/people'
import { useState } from 'react'
import { useRead, useRefresh } from '../session.ts'
import { DataTable } from '../ui/data-table.tsx'
import { Dialog } from '../ui/dialog.tsx'
import { ErrorAlert } from '../ui/explained.tsx'
import { Instant } from '../ui/instant.tsx'
import { Loaded } from '../ui/states.tsx'
import { useConfirmedCall } from '../ui/step-up.tsx'

export function PersonKeysDialog(props: {
  readonly person: PersonView
  readonly mayRemove: boolean
  readonly onClose: () => void
}) {
  const { person, mayRemove, onClose } = props
  const { id: personId, name } = person
  const call = useConfirmedCall()
  const refresh = useRefresh()
  const keys = useRead(listPersonKeys, { params: { personId } })
  const [error, setError] = useState<unknown>()
  const remove = async (accountKeyId: string) => {
    setError(undefined)
    try {
      await call(removePersonKey, { params: { personId, accountKeyId } })
      await refresh(listPersonKeys)
    } catch (cause) {
      setError(cause)
    }
  }
  return (
    <Dialog title={`Keys of ${name}`} onClose={onClose}>
      <Stack gap="md">
        <Text size="sm">
          Public keys by which the signatures of {name} are known. Nothing is opened by them.
        </Text>
        <Loaded query={keys} what="keys">
          {({ items }) =>
            items.length === 0 ? (
              <Text>No key.</Text>
            ) : (
              <DataTable
                caption={`SSH and OpenPGP keys of ${name}`}
                rows={items}
                keyOf={({ id }) => id}
                columns={[
                  {
                    title: 'Name',
                    show: (key) => (key.confirmedAt === null ? `${key.name} (waits)` : key.name),
                  },
                  {
                    title: 'Fingerprint',
                    show: ({ fingerprint }) => (
                      <Code style={{ overflowWrap: 'anywhere' }}>{fingerprint}</Code>
                    ),
                  },
                  { title: 'Added', show: ({ createdAt }) => <Instant at={createdAt} /> },
                  {
                    title: 'Actions',
                    isActions: true,
                    show: (key) =>
                      mayRemove ? (
                        <Button
                          variant="subtle"
                          color="red"
                          size="compact-sm"
                          aria-label={`Remove ${key.name}`}
                          onClick={() => void remove(key.id)}
                        >
                          Remove
                        </Button>
                      ) : null,
                  },
                ]}
              />
            )
          }
        </Loaded>
        {error !== undefined && <ErrorAlert error={error} />}
        <Button variant="default" onClick={onClose}>
          Close
        </Button>
      </Stack>
    </Dialog>
  )
}
