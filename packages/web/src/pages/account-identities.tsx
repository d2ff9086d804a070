/** One’s own accounts at identity providers, by which one may sign in. */
import { Button, Group, Text } from '@mantine/core'
import { listIdentities, listWaysIn, unlinkIdentity } from '@seaworthy/api/identity-providers'
import type { IdentityView } from '@seaworthy/api/identity-providers'
import { useState } from 'react'
import { useRead, useSession } from '../session.ts'
import { ActionDialog } from '../ui/action-dialog.tsx'
import { DataTable } from '../ui/data-table.tsx'
import { Instant } from '../ui/instant.tsx'
import { Section } from '../ui/page.tsx'
import { ProviderButton } from '../ui/provider-buttons.tsx'
import { Loaded } from '../ui/states.tsx'

export function IdentitySection() {
  const ways = useRead(listWaysIn, {})
  const identities = useRead(listIdentities, {})
  const { data: self } = useSession()
  const [unlinking, setUnlinking] = useState<IdentityView>()
  const providers = ways.data?.providers ?? []
  // Most installations have no provider, and need no card for it.
  if (providers.length === 0) return null
  const mayUse = self?.mayUsePassword === true
  return (
    <Section
      title="Identity providers"
      about={
        mayUse
          ? 'Link an account that you have elsewhere, and sign in with it.'
          : 'Your role needs a passkey or security key: you cannot sign in with an identity provider.'
      }
    >
      <Loaded query={identities} what="your accounts">
        {({ items }) => (
          <>
            {items.length > 0 && (
              <DataTable
                caption="Your accounts at identity providers"
                rows={items}
                keyOf={({ provider }) => provider}
                columns={[
                  { title: 'Provider', show: ({ title }) => title },
                  { title: 'Account', show: ({ account }) => account },
                  { title: 'Linked', show: ({ createdAt }) => <Instant at={createdAt} /> },
                  {
                    title: 'Last used',
                    show: ({ lastUsedAt }) =>
                      lastUsedAt === null ? 'never' : <Instant at={lastUsedAt} />,
                  },
                  {
                    title: 'Actions',
                    isActions: true,
                    show: (identity) => (
                      <Button
                        variant="subtle"
                        color="red"
                        size="compact-sm"
                        aria-label={`Unlink ${identity.title}`}
                        onClick={() => setUnlinking(identity)}
                      >
                        Unlink
                      </Button>
                    ),
                  },
                ]}
              />
            )}
            {mayUse && (
              <Group>
                {providers
                  .filter(({ name }) => !items.some(({ provider }) => provider === name))
                  .map(({ name, title }) => (
                    <ProviderButton
                      key={name}
                      purpose="provider-link"
                      provider={name}
                      label={`Link your account of ${title}`}
                    />
                  ))}
              </Group>
            )}
          </>
        )}
      </Loaded>
      {unlinking !== undefined && (
        <UnlinkDialog identity={unlinking} onClose={() => setUnlinking(undefined)} />
      )}
    </Section>
  )
}

function UnlinkDialog(props: { readonly identity: IdentityView; readonly onClose: () => void }) {
  const { identity, onClose } = props
  return (
    <ActionDialog
      title={`Unlink ${identity.title}`}
      button="Unlink it"
      isDangerous
      onClose={onClose}
      act={(call) => call(unlinkIdentity, { params: { provider: identity.provider } })}
      changes={[listIdentities]}
    >
      <Text>
        {identity.account} opens your account here no more; other sessions that began there end.
      </Text>
    </ActionDialog>
  )
}
