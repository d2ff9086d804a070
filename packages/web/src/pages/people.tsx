/** People with their roles, and the invitations that are open. */
import { Badge, Button, Group, Stack, Text } from '@mantine/core'
import { listPeople } from '@seaworthy/api/people'
import type { PersonView } from '@seaworthy/api/people'
import { useState } from 'react'
import { InviteDialog } from '../forms/invite.tsx'
import { ChangeRoleDialog, DisableDialog, EnableDialog, NewLinkDialog } from '../forms/person.tsx'
import { describeRoles, describeScope } from '../role-words.ts'
import { useMay, useRead, useSession } from '../session.ts'
import { DataTable } from '../ui/data-table.tsx'
import { Instant } from '../ui/instant.tsx'
import { Page, Section } from '../ui/page.tsx'
import { SecretOnce } from '../ui/secret-once.tsx'
import { Loaded, NoPermissionState } from '../ui/states.tsx'
import { InvitationSection } from './people-invitations.tsx'
import { PersonKeysDialog } from './people-keys.tsx'
import { ProviderSection } from './people-providers.tsx'
import { PolicySection } from './people-policy.tsx'
import { ReportSection } from './people-report.tsx'
import { RoleSection } from './people-roles.tsx'

const shownMax = 200

type Open =
  | { readonly kind: 'invite' }
  | {
      readonly kind: 'role' | 'keys' | 'disable' | 'enable' | 'link'
      readonly person: PersonView
    }

export function PeoplePage() {
  const session = useSession()
  const may = useMay()
  const [open, setOpen] = useState<Open>()
  const [link, setLink] = useState<string>()
  const close = () => setOpen(undefined)
  const mayChange = may('person:write')
  if (!may('person:read')) {
    return (
      <Page title="People">
        <NoPermissionState sentence="Your role does not show people." />
      </Page>
    )
  }
  return (
    <Page
      title="People"
      action={
        mayChange && <Button onClick={() => setOpen({ kind: 'invite' })}>Invite a person</Button>
      }
    >
      <PeopleSection selfId={session.data?.person.id} mayChange={mayChange} onOpen={setOpen} />
      <InvitationSection mayChange={mayChange} />
      {may('role:read') && <RoleSection mayChange={may('role:write')} />}
      {may('token:read') && <ReportSection />}
      {mayChange && <PolicySection mayLoosen={may('owner:write')} />}
      {may('owner:write') && <ProviderSection />}
      {open?.kind === 'invite' && <InviteDialog onLink={setLink} onClose={close} />}
      {open?.kind === 'role' && <ChangeRoleDialog person={open.person} onClose={close} />}
      {open?.kind === 'keys' && (
        <PersonKeysDialog person={open.person} mayRemove={mayChange} onClose={close} />
      )}
      {open?.kind === 'disable' && <DisableDialog person={open.person} onClose={close} />}
      {open?.kind === 'enable' && <EnableDialog person={open.person} onClose={close} />}
      {open?.kind === 'link' && (
        <NewLinkDialog person={open.person} onLink={setLink} onClose={close} />
      )}
      {link !== undefined && open === undefined && (
        <SecretOnce
          title="The link of the invitation"
          about="Send it to the person through a channel that only they read: whoever opens it first gets in. It is not shown again, and works once."
          secret={link}
          onClose={() => setLink(undefined)}
        />
      )}
    </Page>
  )
}

function PeopleSection(props: {
  readonly selfId: string | undefined
  readonly mayChange: boolean
  readonly onOpen: (open: Open) => void
}) {
  const { selfId, mayChange, onOpen } = props
  const people = useRead(listPeople, { query: { limit: shownMax } })
  return (
    <Section title="Who may sign in">
      <Loaded query={people} what="people">
        {({ items, next }) => (
          <Stack gap="xs">
            <DataTable
              caption="People"
              rows={items}
              keyOf={({ id }) => id}
              columns={[
                { title: 'Name', show: (person) => <Name person={person} selfId={selfId} /> },
                { title: 'Role', show: describeRoles },
                { title: 'Reaches', show: (person) => describeScope(person) },
                {
                  title: 'Last sign-in',
                  show: ({ lastSignInAt }) =>
                    lastSignInAt === null ? 'never' : <Instant at={lastSignInAt} />,
                },
                {
                  title: 'Actions',
                  isActions: true,
                  show: (person) => (
                    <PersonActions person={person} mayChange={mayChange} onOpen={onOpen} />
                  ),
                },
              ]}
            />
            {next !== null && (
              <Text size="sm" c="dimmed">
                The first {shownMax} are shown; “seaworthy person list” has them all.
              </Text>
            )}
          </Stack>
        )}
      </Loaded>
    </Section>
  )
}

function Name(props: { readonly person: PersonView; readonly selfId: string | undefined }) {
  const { person, selfId } = props
  return (
    <Group gap="xs">
      <span title={person.email ?? undefined}>{person.name}</span>
      {person.id === selfId && <Badge color="green">you</Badge>}
      {person.disabledAt !== null && <Badge color="red">disabled</Badge>}
    </Group>
  )
}

function PersonActions(props: {
  readonly person: PersonView
  readonly mayChange: boolean
  readonly onOpen: (open: Open) => void
}) {
  const { person, mayChange, onOpen } = props
  const { name, disabledAt } = person
  const keys = { kind: 'keys', label: 'Keys', about: `Keys of ${name}`, color: 'blue' } as const
  const changes = [
    { kind: 'role', label: 'Role', about: `Change the role of ${name}`, color: 'blue' },
    ...(disabledAt === null
      ? ([
          { kind: 'link', label: 'New link', about: `New link for ${name}`, color: 'blue' },
          { kind: 'disable', label: 'Disable', about: `Disable ${name}`, color: 'red' },
        ] as const)
      : ([{ kind: 'enable', label: 'Enable', about: `Enable ${name}`, color: 'blue' }] as const)),
  ] as const
  return (
    <Group gap="xs" justify="flex-end">
      {[keys, ...(mayChange ? changes : [])].map(({ kind, label, about, color }) => (
        <Button
          key={kind}
          variant="subtle"
          size="compact-sm"
          color={color}
          aria-label={about}
          onClick={() => onOpen({ kind, person })}
        >
          {label}
        </Button>
      ))}
    </Group>
  )
}
