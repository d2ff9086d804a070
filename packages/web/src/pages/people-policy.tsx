/** Which roles need a passkey; whoever manages people adds roles, owners remove them too. */
import { Button, Checkbox, Group, Paper, Stack, Text } from '@mantine/core'
import type { BuiltInRole } from '@seaworthy/fleet/access'
import { builtInRoles } from '@seaworthy/fleet/access'
import { setSignInPolicy, showSignInPolicy } from '@seaworthy/api/sign-in-policy'
import { useState } from 'react'
import { useRead, useRefreshSession } from '../session.ts'
import { ActionDialog } from '../ui/action-dialog.tsx'
import { Section } from '../ui/page.tsx'
import { Loaded } from '../ui/states.tsx'

export function PolicySection(props: { readonly mayLoosen: boolean }) {
  const policy = useRead(showSignInPolicy, {})
  const [isChanging, setIsChanging] = useState(false)
  return (
    <Section
      title="Passkeys by role"
      about="Other roles may use a password with an authenticator, or an identity provider, as well. A custom role needs a passkey when it may do anything that built-in roles do with one only."
      action={
        <Button variant="default" onClick={() => setIsChanging(true)}>
          Change which roles
        </Button>
      }
    >
      <Loaded query={policy} what="the policy">
        {({ passkeyRoles }) => (
          <>
            <Paper withBorder p="md">
              <Text>
                {passkeyRoles.length === 0
                  ? 'No role needs a passkey.'
                  : `Only passkeys or security keys: ${new Intl.ListFormat('en').format(passkeyRoles)}.`}
              </Text>
            </Paper>
            {isChanging && (
              <ChangeDialog
                before={passkeyRoles}
                mayLoosen={props.mayLoosen}
                onClose={() => setIsChanging(false)}
              />
            )}
          </>
        )}
      </Loaded>
    </Section>
  )
}

function ChangeDialog(props: {
  readonly before: readonly BuiltInRole[]
  readonly mayLoosen: boolean
  readonly onClose: () => void
}) {
  const { before, mayLoosen, onClose } = props
  const refreshSession = useRefreshSession()
  const [chosen, setChosen] = useState(before)
  return (
    <ActionDialog
      title="Roles that need a passkey"
      button="Change"
      onClose={onClose}
      act={async (call) => {
        await call(setSignInPolicy, { body: { passkeyRoles: [...chosen] } })
        await refreshSession()
      }}
      changes={[showSignInPolicy]}
    >
      <Text size="sm">
        A password with a code can be passed on by a false page; a passkey cannot. Sessions that are
        not enough any more end at once, and whoever has no passkey needs a recovery code or a new
        link.{!mayLoosen && ' Only owners let a role do without one.'}
      </Text>
      <Group role="group" aria-label="Roles">
        <Stack gap="xs">
          {builtInRoles.map((role) => (
            <Checkbox
              key={role}
              label={role}
              checked={chosen.includes(role)}
              disabled={!mayLoosen && before.includes(role)}
              onChange={(event) =>
                setChosen(
                  event.currentTarget.checked
                    ? [...chosen, role]
                    : chosen.filter((other) => other !== role),
                )
              }
            />
          ))}
        </Stack>
      </Group>
    </ActionDialog>
  )
}
