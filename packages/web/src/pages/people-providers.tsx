/** The identity providers by which people may sign in; owners decide. */
import { Button, Code, Group, Stack, Text } from '@mantine/core'
import {
  listIdentityProviders,
  listWaysIn,
  removeIdentityProvider,
} from '@seaworthy/api/identity-providers'
import type { IdentityProviderView } from '@seaworthy/api/identity-providers'
import { useState } from 'react'
import { ProviderDialog } from '../forms/identity-provider.tsx'
import { describeGrant } from '../role-words.ts'
import { useRead } from '../session.ts'
import { ActionDialog } from '../ui/action-dialog.tsx'
import { DataTable } from '../ui/data-table.tsx'
import { Section } from '../ui/page.tsx'
import { EmptyState, Loaded } from '../ui/states.tsx'

type Open =
  | { readonly kind: 'add' }
  | { readonly kind: 'change' | 'remove'; readonly provider: IdentityProviderView }

export function ProviderSection() {
  const providers = useRead(listIdentityProviders, {})
  const [open, setOpen] = useState<Open>()
  const close = () => setOpen(undefined)
  return (
    <Section
      title="Identity providers"
      about="People whose roles need no passkey may sign in with one of these (OpenID Connect, GitHub)."
      action={
        <Button variant="default" onClick={() => setOpen({ kind: 'add' })}>
          Add a provider
        </Button>
      }
    >
      <Loaded query={providers} what="identity providers">
        {({ items }) =>
          items.length === 0 ? (
            <EmptyState title="No identity provider">
              People sign in with what they have registered here.
            </EmptyState>
          ) : (
            <DataTable
              caption="Identity providers"
              rows={items}
              keyOf={({ name }) => name}
              columns={[
                { title: 'Provider', show: ({ title }) => title },
                { title: 'Issuer', show: ({ issuer }) => issuer },
                { title: 'Groups', show: (provider) => <Grants provider={provider} /> },
                {
                  title: 'Actions',
                  isActions: true,
                  show: (provider) => <ProviderActions provider={provider} onOpen={setOpen} />,
                },
              ]}
            />
          )
        }
      </Loaded>
      {open?.kind === 'add' && <ProviderDialog onClose={close} />}
      {open?.kind === 'change' && <ProviderDialog before={open.provider} onClose={close} />}
      {open?.kind === 'remove' && <RemoveDialog provider={open.provider} onClose={close} />}
    </Section>
  )
}

function Grants({ provider }: { readonly provider: IdentityProviderView }) {
  const { kind, groupsClaim, grants } = provider
  if ((kind === 'oidc' && groupsClaim === null) || grants.length === 0) return 'give nothing'
  return (
    <Stack gap={0}>
      {grants.map((grant) => (
        <Text key={grant.group} size="sm">
          {grant.group}: {describeGrant({ ...grant, deniedBy: [] })}
        </Text>
      ))}
    </Stack>
  )
}

function ProviderActions(props: {
  readonly provider: IdentityProviderView
  readonly onOpen: (open: Open) => void
}) {
  const { provider, onOpen } = props
  return (
    <Group gap="xs" justify="flex-end">
      <Button
        variant="subtle"
        size="compact-sm"
        aria-label={`Change ${provider.title}`}
        onClick={() => onOpen({ kind: 'change', provider })}
      >
        Change
      </Button>
      <Button
        variant="subtle"
        color="red"
        size="compact-sm"
        aria-label={`Remove ${provider.title}`}
        onClick={() => onOpen({ kind: 'remove', provider })}
      >
        Remove
      </Button>
    </Group>
  )
}

function RemoveDialog(props: {
  readonly provider: IdentityProviderView
  readonly onClose: () => void
}) {
  const { provider, onClose } = props
  return (
    <ActionDialog
      title={`Remove ${provider.title}`}
      button="Remove it"
      isDangerous
      onClose={onClose}
      act={(call) => call(removeIdentityProvider, { params: { provider: provider.name } })}
      changes={[listIdentityProviders, listWaysIn]}
    >
      <Text>
        Nobody can sign in with <Code>{provider.issuer}</Code> any longer. Sessions that began there
        end, and so do all links to accounts there; the people stay.
      </Text>
    </ActionDialog>
  )
}
