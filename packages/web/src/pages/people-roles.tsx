/** Roles: the built-in ones, and custom ones that people make here. */
import { Button, Group, Text } from '@mantine/core'
import { listRoles } from '@seaworthy/api/roles'
import type { RoleView } from '@seaworthy/api/roles'
import { useState } from 'react'
import { RemoveRoleDialog, RoleDialog } from '../forms/role.tsx'
import { useRead } from '../session.ts'
import { DataTable } from '../ui/data-table.tsx'
import { Section } from '../ui/page.tsx'
import { Loaded } from '../ui/states.tsx'

type Open =
  | { readonly kind: 'make' }
  | { readonly kind: 'change' | 'remove'; readonly role: RoleView }

export function RoleSection({ mayChange }: { readonly mayChange: boolean }) {
  const roles = useRead(listRoles, {})
  const [open, setOpen] = useState<Open>()
  const close = () => setOpen(undefined)
  return (
    <Section
      title="Roles"
      about="One role allows; whatever any of a person’s roles denies is denied. Built-in roles stay as they are."
      action={
        mayChange && (
          <Button variant="default" onClick={() => setOpen({ kind: 'make' })}>
            Make a role
          </Button>
        )
      }
    >
      <Loaded query={roles} what="roles">
        {({ items, ...known }) => (
          <>
            <DataTable
              caption="Roles"
              rows={items}
              keyOf={({ name }) => name}
              columns={[
                { title: 'Role', show: ({ name }) => <Names names={[name]} /> },
                { title: 'For', show: ({ purpose }) => purpose },
                { title: 'Allows', show: (role) => describeAllowed(role) },
                { title: 'Denies', show: ({ denies }) => <Names names={denies} /> },
                { title: 'Held by', show: ({ holdersCount }) => holdersCount ?? '–' },
                {
                  title: 'Actions',
                  isActions: true,
                  show: (role) =>
                    mayChange && !role.isBuiltIn ? (
                      <RoleActions role={role} onOpen={setOpen} />
                    ) : null,
                },
              ]}
            />
            {open?.kind === 'make' && <RoleDialog known={known} onClose={close} />}
            {open?.kind === 'change' && (
              <RoleDialog before={open.role} known={known} onClose={close} />
            )}
            {open?.kind === 'remove' && <RemoveRoleDialog role={open.role} onClose={close} />}
          </>
        )}
      </Loaded>
    </Section>
  )
}

/** Built-in roles have long lists, which the documentation has as a table. */
function describeAllowed({ isBuiltIn, allows }: RoleView) {
  return isBuiltIn ? `${allows.length} permissions` : <Names names={allows} />
}

/** Names stay whole as long as the table has room for them. */
function Names({ names }: { readonly names: readonly string[] }) {
  if (names.length === 0) return '–'
  return (
    <Text size="sm" style={{ overflowWrap: 'break-word' }}>
      {names.join(', ')}
    </Text>
  )
}

function RoleActions(props: { readonly role: RoleView; readonly onOpen: (open: Open) => void }) {
  const { role, onOpen } = props
  return (
    <Group gap="xs" justify="flex-end">
      <Button
        variant="subtle"
        size="compact-sm"
        aria-label={`Change the role ${role.name}`}
        onClick={() => onOpen({ kind: 'change', role })}
      >
        Change
      </Button>
      <Button
        variant="subtle"
        color="red"
        size="compact-sm"
        aria-label={`Remove the role ${role.name}`}
        onClick={() => onOpen({ kind: 'remove', role })}
      >
        Remove
      </Button>
    </Group>
  )
}
