/** A custom role: what it is for, and what it allows and denies. */
import { NativeSelect, Stack, Text, TextInput } from '@mantine/core'
import { listPeople } from '@seaworthy/api/people'
import { changeRole, createRole, listRoles, removeRole } from '@seaworthy/api/roles'
import type { RoleView } from '@seaworthy/api/roles'
import { useState } from 'react'
import { useRefreshSession } from '../session.ts'
import { ActionDialog } from '../ui/action-dialog.tsx'

const verbs = ['says nothing', 'allows', 'denies'] as const
type Verb = (typeof verbs)[number]

/** What there is to allow; `always` is allowed by every role. */
interface Known {
  readonly permissions: readonly string[]
  readonly always: readonly string[]
}

export function RoleDialog(props: {
  readonly before?: RoleView
  readonly known: Known
  readonly onClose: () => void
}) {
  const { before, known, onClose } = props
  const refreshSession = useRefreshSession()
  const [name, setName] = useState('')
  const [purpose, setPurpose] = useState(before?.purpose ?? '')
  const [allows, setAllows] = useState<readonly string[]>(before?.allows ?? [])
  const [denies, setDenies] = useState<readonly string[]>(before?.denies ?? [])
  const verbOf = (permission: string): Verb =>
    allows.includes(permission) ? 'allows' : denies.includes(permission) ? 'denies' : verbs[0]
  const set = (permission: string, verb: Verb) => {
    const listed = (list: readonly string[], isIn: boolean) => [
      ...list.filter((one) => one !== permission),
      ...(isIn ? [permission] : []),
    ]
    setAllows(listed(allows, verb === 'allows'))
    setDenies(listed(denies, verb === 'denies'))
  }
  return (
    <ActionDialog
      title={before === undefined ? 'Make a role' : `Change the role ${before.name}`}
      button={before === undefined ? 'Make it' : 'Change it'}
      isReady={purpose.trim() !== '' && (before !== undefined || name.trim() !== '')}
      onClose={onClose}
      act={async (call) => {
        const rules = { purpose: purpose.trim(), allows: [...allows], denies: [...denies] }
        if (before === undefined) {
          await call(createRole, { body: { name: name.trim(), ...rules } })
        } else {
          const params = { role: before.name }
          await call(changeRole, { params, body: { ...rules, version: before.version } })
        }
        await refreshSession()
      }}
      changes={[listRoles, listPeople]}
    >
      {before === undefined ? (
        <TextInput
          label="Name"
          description="Small letters, digits and -, such as dispatcher or no-secrets."
          name="role-name"
          autoComplete="off"
          maxLength={63}
          required
          value={name}
          onChange={(event) => setName(event.currentTarget.value)}
        />
      ) : (
        <Text size="sm">{describeHolders(before.holdersCount)}</Text>
      )}
      <TextInput
        label="Purpose"
        description="What it is for, as others read it when they choose a role."
        name="role-purpose"
        autoComplete="off"
        maxLength={200}
        required
        value={purpose}
        onChange={(event) => setPurpose(event.currentTarget.value)}
      />
      <Text size="sm">
        What the role denies stays denied to whoever has it, whatever another role allows. You can
        allow and deny what you may do yourself.
      </Text>
      <Stack gap="xs">
        {known.permissions
          .filter((permission) => !known.always.includes(permission))
          .map((permission) => (
            <NativeSelect
              key={permission}
              size="xs"
              label={permission}
              name={permission}
              value={verbOf(permission)}
              data={[...verbs]}
              onChange={(event) => {
                const verb = verbs.find((one) => one === event.currentTarget.value)
                if (verb !== undefined) set(permission, verb)
              }}
            />
          ))}
      </Stack>
    </ActionDialog>
  )
}

function describeHolders(count: number | null): string {
  if (count === null || count === 0) return 'Nobody holds this role.'
  const who = count === 1 ? 'One holder has' : `${count} holders have`
  return `${who} this role (people, tokens, invitations, groups): the change reaches them at once, and what they handed out beyond it ends.`
}

export function RemoveRoleDialog(props: { readonly role: RoleView; readonly onClose: () => void }) {
  const { role, onClose } = props
  return (
    <ActionDialog
      title={`Remove the role ${role.name}`}
      button="Remove it"
      isDangerous
      onClose={onClose}
      act={(call) => call(removeRole, { params: { role: role.name } })}
      changes={[listRoles]}
    >
      <Text>Only a role that nobody holds can be removed.</Text>
    </ActionDialog>
  )
}
