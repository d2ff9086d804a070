/** Sign-in with a password and a code, for browsers that refuse passkeys. */
import { Button, PasswordInput, Stack, TextInput } from '@mantine/core'
import { signInByPassword } from '@seaworthy/api/passwords'
import type { SelfView } from '@seaworthy/api/sessions'
import { useMutation } from '@tanstack/react-query'
import { useState } from 'react'
import { usePorts } from '../ports.ts'
import { normalizeRecoveryCode } from '../recovery-codes.ts'
import { ErrorAlert } from '../ui/explained.tsx'

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
  const [name, setName] = useState('')
  const [password, setPassword] = useState('')
  const [text, setText] = useState('')
  const code = readCode(text)
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
        <TextInput
          label="Name"
          name="username"
          autoComplete="username"
          maxLength={100}
          required
          value={name}
          onChange={(event) => setName(event.currentTarget.value)}
        />
        <PasswordInput
          label="Password"
          name="password"
          autoComplete="current-password"
          maxLength={128}
          required
          value={password}
          onChange={(event) => setPassword(event.currentTarget.value)}
        />
        <TextInput
          label="Code"
          description="Six digits of your authenticator, or a recovery code."
          name="code"
          autoComplete="one-time-code"
          spellCheck={false}
          maxLength={60}
          required
          value={text}
          onChange={(event) => setText(event.currentTarget.value)}
        />
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
