/** Sign-in with a password and a code, for browsers that refuse passkeys. */
import { Button, Stack } from '@mantine/core'
import { signInByPassword } from '@seaworthy/api/passwords'
import type { SelfView } from '@seaworthy/api/sessions'
import { useMutation } from '@tanstack/react-query'
import { useState } from 'react'
import { usePorts } from '../ports.ts'
import { normalizeRecoveryCode } from '../recovery-codes.ts'
import { ErrorAlert } from '../ui/explained.tsx'
import { PasswordFields } from './password-fields.tsx'

/** Six digits of the authenticator, or a recovery code. */
function readCode(text: string): string | undefined {
  const plain = text.replaceAll(/\s/g, '')
  return /^\d{6}$/.test(plain) ? plain : normalizeRecoveryCode(text)
}

export function PasswordSignInForm({
  onSession,
}: {
  readonly onSession: (self: SelfView) => void
}) {
  const { client } = usePorts()
  const [typed, setTyped] = useState({ name: '', password: '', code: '' })
  const { name, password } = typed
  const code = readCode(typed.code)
  const enter = useMutation({
    mutationFn: (given: string) =>
      client.call(signInByPassword, { body: { name: name.trim(), password, code: given } }),
    onSuccess: onSession,
  })
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault()
        if (code !== undefined) enter.mutate(code)
      }}
    >
      <Stack>
        <PasswordFields purpose="entering" typed={typed} onType={setTyped} />
        <ErrorAlert error={enter.error} />
        <Button
          type="submit"
          variant="default"
          loading={enter.isPending}
          disabled={name.trim() === '' || password === '' || code === undefined}
        >
          Sign in with the password
        </Button>
      </Stack>
    </form>
  )
}
