/** Adds an identity provider, or changes one. */
import {
  Button,
  Code,
  Fieldset,
  NativeSelect,
  PasswordInput,
  Stack,
  Text,
  Textarea,
  TextInput,
} from '@mantine/core'
import {
  listIdentityProviders,
  listWaysIn,
  setIdentityProvider,
} from '@seaworthy/api/identity-providers'
import type { IdentityProviderView } from '@seaworthy/api/identity-providers'
import { useState } from 'react'
import { ActionDialog } from '../ui/action-dialog.tsx'
import type { GrantDraft } from './grant-fields.tsx'
import { GrantFields, isWholeGrant } from './grant-fields.tsx'

interface GroupDraft extends GrantDraft {
  readonly group: string
}

type Kind = IdentityProviderView['kind']

const kinds: readonly { readonly value: Kind; readonly label: string }[] = [
  { value: 'oidc', label: 'OpenID Connect' },
  { value: 'github', label: 'GitHub' },
]
const gitHubAddress = 'https://github.com'

const emptyGrant: GroupDraft = {
  ...{ group: '', role: 'viewer', deniedBy: [] },
  ...{ products: null, fleets: null },
}

export function ProviderDialog(props: {
  readonly before?: IdentityProviderView
  readonly onClose: () => void
}) {
  const { before, onClose } = props
  const [name, setName] = useState(before?.name ?? '')
  const [kind, setKind] = useState<Kind>(before?.kind ?? 'oidc')
  const isGitHub = kind === 'github'
  const [title, setTitle] = useState(before?.title ?? '')
  const [issuer, setIssuer] = useState(before?.issuer ?? '')
  const [clientId, setClientId] = useState(before?.clientId ?? '')
  const [clientSecret, setClientSecret] = useState('')
  const [caPem, setCaPem] = useState(before?.caPem ?? '')
  const [groupsClaim, setGroupsClaim] = useState(before?.groupsClaim ?? '')
  const [grants, setGrants] = useState<readonly GroupDraft[]>(
    before?.grants.map((grant) => ({ ...grant, deniedBy: [] })) ?? [],
  )
  const isWhole = [name, title, issuer, clientId].every((text) => text.trim() !== '')
  return (
    <ActionDialog
      title={before === undefined ? 'Add an identity provider' : `Change ${before.title}`}
      button={before === undefined ? 'Add it' : 'Change it'}
      isReady={isWhole && grants.every((grant) => grant.group !== '' && isWholeGrant(grant))}
      onClose={onClose}
      act={(call) =>
        call(setIdentityProvider, {
          params: { provider: name.trim() },
          body: {
            kind,
            title: title.trim(),
            issuer: issuer.trim(),
            clientId: clientId.trim(),
            // An empty field leaves the secret as it is.
            ...(clientSecret === '' ? {} : { clientSecret }),
            caPem: caPem.trim() === '' ? null : caPem,
            groupsClaim: isGitHub || groupsClaim.trim() === '' ? null : groupsClaim.trim(),
            grants: grants.map(({ group, role, products, fleets }) => ({
              ...{ group: group.trim(), role },
              ...(products === null ? {} : { products: [...products] }),
              ...(fleets === null ? {} : { fleets: [...fleets] }),
            })),
          },
        })
      }
      changes={[listIdentityProviders, listWaysIn]}
    >
      <Stack gap="xs">
        <Text size="sm">
          Tell the provider to send people back to{' '}
          <Code>{`${location.origin}/sign-in-return/${name.trim() || 'NAME'}`}</Code>
        </Text>
        <NativeSelect
          label="Kind"
          description={before === undefined ? undefined : 'It cannot be changed.'}
          name="provider-kind"
          disabled={before !== undefined}
          data={kinds}
          value={kind}
          onChange={(event) => {
            const chosen = kinds.find(({ value }) => value === event.currentTarget.value)
            setKind(chosen?.value ?? 'oidc')
            if (chosen?.value === 'github' && issuer === '') setIssuer(gitHubAddress)
          }}
        />
        <TextInput
          label="Name"
          description={
            before === undefined
              ? 'Small letters, digits and -, for the log.'
              : 'It cannot be changed.'
          }
          name="provider-name"
          autoComplete="off"
          maxLength={63}
          required
          readOnly={before !== undefined}
          value={name}
          onChange={(event) => setName(event.currentTarget.value)}
        />
        <TextInput
          label="Title"
          description="What the button of the sign-in page says."
          name="provider-title"
          autoComplete="off"
          maxLength={60}
          required
          value={title}
          onChange={(event) => setTitle(event.currentTarget.value)}
        />
        <TextInput
          label={isGitHub ? 'Address' : 'Issuer'}
          description={
            before === undefined
              ? isGitHub
                ? 'https://github.com, or the address of your GitHub Enterprise.'
                : 'The address below which it publishes /.well-known/openid-configuration.'
              : 'It cannot be changed: accounts are identifiers that this issuer gave.'
          }
          name="provider-issuer"
          autoComplete="off"
          maxLength={400}
          required
          readOnly={before !== undefined}
          value={issuer}
          onChange={(event) => setIssuer(event.currentTarget.value)}
        />
        <TextInput
          label="Client ID"
          name="provider-client"
          autoComplete="off"
          maxLength={200}
          required
          value={clientId}
          onChange={(event) => setClientId(event.currentTarget.value)}
        />
        <PasswordInput
          label="Client secret"
          description={
            before?.hasClientSecret === true
              ? 'Leave it empty to keep the present one.'
              : isGitHub
                ? 'GitHub wants one.'
                : 'Leave it empty for a public client.'
          }
          name="provider-secret"
          autoComplete="off"
          maxLength={500}
          value={clientSecret}
          onChange={(event) => setClientSecret(event.currentTarget.value)}
        />
        <Textarea
          label="CA certificate"
          description="PEM, for a provider of your own network; leave it empty for one of the internet."
          name="provider-ca"
          autosize
          minRows={2}
          maxRows={6}
          maxLength={20_000}
          value={caPem}
          onChange={(event) => setCaPem(event.currentTarget.value)}
        />
        {!isGitHub && (
          <TextInput
            label="Claim with the groups"
            description="Often “groups”. Leave it empty when groups give nothing: people link their accounts themselves."
            name="provider-groups"
            autoComplete="off"
            maxLength={100}
            value={groupsClaim}
            onChange={(event) => setGroupsClaim(event.currentTarget.value)}
          />
        )}
        {(isGitHub || groupsClaim.trim() !== '') && (
          <GroupFields isGitHub={isGitHub} grants={grants} onChange={setGrants} />
        )}
      </Stack>
    </ActionDialog>
  )
}

function GroupFields(props: {
  readonly isGitHub: boolean
  readonly grants: readonly GroupDraft[]
  readonly onChange: (grants: readonly GroupDraft[]) => void
}) {
  const { isGitHub, grants, onChange } = props
  const change = (index: number, grant: GroupDraft) =>
    onChange(grants.map((other, at) => (at === index ? grant : other)))
  return (
    <Stack gap="xs">
      <Text size="sm">
        Members of these groups come in without an invitation. The first group in the list that
        somebody is in counts.
      </Text>
      {grants.map((grant, index) => (
        <Fieldset key={index} legend={`Group ${index + 1}`}>
          <Stack gap="xs">
            <TextInput
              label="Group at the provider"
              description={
                isGitHub
                  ? 'org:ID or team:ID, with the number that “gh api orgs/NAME --jq .id” shows: names can pass to others.'
                  : undefined
              }
              name={`group-${index}`}
              autoComplete="off"
              maxLength={200}
              required
              value={grant.group}
              onChange={(event) => change(index, { ...grant, group: event.currentTarget.value })}
            />
            <GrantFields
              hasDenials={false}
              value={grant}
              onChange={(value) => change(index, { ...grant, ...value })}
            />
            <Button
              variant="subtle"
              color="red"
              size="compact-sm"
              onClick={() => onChange(grants.filter((_grant, at) => at !== index))}
            >
              Remove group {index + 1}
            </Button>
          </Stack>
        </Fieldset>
      ))}
      <Button variant="default" onClick={() => onChange([...grants, emptyGrant])}>
        Add a group
      </Button>
    </Stack>
  )
}
