/** One’s own password with its authenticator, where the role may have one. */
import { Button, Code, Group, Paper, Stack, Text } from '@mantine/core'
import { askPassword, removePassword, setPassword } from '@seaworthy/api/passwords'
import type { SelfView } from '@seaworthy/api/sessions'
import { useMutation } from '@tanstack/react-query'
import { useState } from 'react'
import { PasswordFields } from '../forms/password-fields.tsx'
import { useRefreshSession, useSetSession } from '../session.ts'
import { ActionDialog } from '../ui/action-dialog.tsx'
import { ErrorAlert } from '../ui/explained.tsx'
import { Instant } from '../ui/instant.tsx'
import { Section } from '../ui/page.tsx'
import { QrCode } from '../ui/qr-code.tsx'
import { useConfirmedCall } from '../ui/step-up.tsx'

interface NewAuthenticator {
  readonly secret: string
  readonly uri: string
}

export function PasswordSection({ self }: { readonly self: SelfView }) {
  const { password, mayUsePassword, person } = self
  const call = useConfirmedCall()
  const [setting, setSetting] = useState<NewAuthenticator>()
  const [isRemoving, setIsRemoving] = useState(false)
  const begin = useMutation({
    mutationFn: () => call(askPassword, {}),
    onSuccess: setSetting,
  })
  return (
    <Section
      title="Password"
      about="For browsers that refuse passkeys: a password and the codes of an authenticator."
      action={
        mayUsePassword && (
          <Button variant="default" onClick={() => begin.mutate()} loading={begin.isPending}>
            {password === null ? 'Set a password' : 'Change the password'}
          </Button>
        )
      }
    >
      <Paper withBorder p="md">
        <Group justify="space-between">
          {password === null ? (
            <Text>
              {mayUsePassword
                ? 'You have none.'
                : `The role ${person.role} needs a passkey or security key; a password is not enough for it.`}
            </Text>
          ) : (
            <Text>
              You sign in as {password.name}, since <Instant at={password.createdAt} />.
              {!mayUsePassword && ` The role ${person.role} needs a passkey: it opens nothing now.`}
            </Text>
          )}
          {password !== null && (
            <Button
              variant="subtle"
              color="red"
              size="compact-sm"
              onClick={() => setIsRemoving(true)}
            >
              Remove the password
            </Button>
          )}
        </Group>
      </Paper>
      <ErrorAlert error={begin.error} />
      {setting !== undefined && (
        <SetDialog
          authenticator={setting}
          name={password?.name ?? person.email ?? ''}
          onClose={() => setSetting(undefined)}
        />
      )}
      {isRemoving && <RemoveDialog onClose={() => setIsRemoving(false)} />}
    </Section>
  )
}

function SetDialog(props: {
  readonly authenticator: NewAuthenticator
  readonly name: string
  readonly onClose: () => void
}) {
  const { authenticator, onClose } = props
  const setSession = useSetSession()
  const [typed, setTyped] = useState({ name: props.name, password: '', code: '' })
  const { name, password } = typed
  const digits = typed.code.replaceAll(/\s/g, '')
  return (
    <ActionDialog
      title="Set a password"
      button="Set it"
      isReady={name.trim() !== '' && password !== '' && /^\d{6}$/.test(digits)}
      onClose={onClose}
      act={async (call) => {
        const body = { name: name.trim(), password, code: digits }
        setSession(await call(setPassword, { body }))
      }}
    >
      <Text size="sm">Scan this with an authenticator app, or type the secret into it.</Text>
      <QrCode text={authenticator.uri} label="The secret as a QR code" />
      <Code block tabIndex={0} aria-label="The secret of the authenticator">
        {authenticator.secret}
      </Code>
      <Stack gap="xs">
        <PasswordFields purpose="choosing" typed={typed} onType={setTyped} />
      </Stack>
    </ActionDialog>
  )
}

function RemoveDialog({ onClose }: { readonly onClose: () => void }) {
  const refreshSession = useRefreshSession()
  return (
    <ActionDialog
      title="Remove the password"
      button="Remove it"
      isDangerous
      onClose={onClose}
      act={async (call) => {
        await call(removePassword, {})
        await refreshSession()
      }}
    >
      <Text>
        You can no longer sign in with this password and authenticator. Other sessions that were
        opened with them end.
      </Text>
    </ActionDialog>
  )
}
