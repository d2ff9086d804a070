/** What everybody fills in who comes in by a link: a name, and then a passkey. */
import { Button, Stack, TextInput } from '@mantine/core'
import type { SelfView } from '@seaworthy/api/sessions'
import { useMutation } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { useState } from 'react'
import { useSetSession } from '../session.ts'
import { ErrorAlert } from '../ui/explained.tsx'

export function JoiningForm(props: {
  readonly name: string
  /** Whether the name is known already, and not asked for. */
  readonly isNameFixed: boolean
  readonly button: string
  readonly join: (name: string) => Promise<SelfView>
}) {
  const [name, setName] = useState(props.name)
  const setSession = useSetSession()
  const navigate = useNavigate()
  const join = useMutation({
    mutationFn: () => props.join(name.trim()),
    async onSuccess(session) {
      setSession(session)
      await navigate({ to: '/' })
    },
  })
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault()
        join.mutate()
      }}
    >
      <Stack>
        {!props.isNameFixed && (
          <TextInput
            label="Your name"
            description="As it should appear in lists and in the audit log."
            name="name"
            autoComplete="name"
            maxLength={100}
            required
            value={name}
            onChange={(event) => setName(event.currentTarget.value)}
          />
        )}
        <ErrorAlert error={join.error} />
        <Button type="submit" size="md" loading={join.isPending} disabled={name.trim() === ''}>
          {props.button}
        </Button>
      </Stack>
    </form>
  )
}
