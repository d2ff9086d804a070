/** Somebody who has lost every passkey registers a new one with a recovery code. */
import { Anchor, Button, Stack, Text, TextInput } from '@mantine/core'
import { askRecovery, recover } from '@seaworthy/api/passkeys'
import { useMutation } from '@tanstack/react-query'
import { Link, useNavigate } from '@tanstack/react-router'
import { useState } from 'react'
import { usePorts } from '../ports.ts'
import { normalizeRecoveryCode } from '../recovery-codes.ts'
import { useSetSession } from '../session.ts'
import { ErrorAlert } from '../ui/explained.tsx'
import { EntryPage } from '../ui/page.tsx'

export function RecoveryPage() {
  const { client, passkeys } = usePorts()
  const setSession = useSetSession()
  const navigate = useNavigate()
  const [text, setText] = useState('')
  const code = normalizeRecoveryCode(text)
  const enter = useMutation({
    async mutationFn(given: string) {
      const options = await client.call(askRecovery, { body: { code: given } })
      return client.call(recover, {
        body: { code: given, passkey: await passkeys.create(options) },
      })
    },
    async onSuccess(session) {
      setSession(session)
      await navigate({ to: '/account' })
    },
  })
  const isWrong = text !== '' && code === undefined
  return (
    <EntryPage title="Use a recovery code">
      <Text>
        A recovery code lets you register a new passkey, once. Your earlier passkeys and sessions
        end. Cross the code off your list.
      </Text>
      <form
        onSubmit={(event) => {
          event.preventDefault()
          if (code !== undefined) enter.mutate(code)
        }}
      >
        <Stack>
          <TextInput
            label="Recovery code"
            description="Seven groups of four characters; spaces and capitals do not matter."
            name="code"
            autoComplete="off"
            spellCheck={false}
            maxLength={60}
            required
            value={text}
            error={
              isWrong && text.length >= 24
                ? 'A recovery code has seven groups of four letters and digits, without the letter u.'
                : null
            }
            onChange={(event) => setText(event.currentTarget.value)}
          />
          <ErrorAlert error={enter.error} />
          <Button type="submit" size="md" loading={enter.isPending} disabled={code === undefined}>
            Register a new passkey
          </Button>
        </Stack>
      </form>
      <Text size="sm">
        No code left? Another owner can give you a new link.{' '}
        <Anchor
          underline="always"
          renderRoot={(props: object) => <Link to="/sign-in" {...props} />}
        >
          Back to sign-in
        </Anchor>
      </Text>
    </EntryPage>
  )
}
