/**
 * Sign-in with a passkey: nobody is asked for a name, so nothing tells which names exist. People
 * whose browser refuses passkeys use a password with an authenticator.
 */
import { Anchor, Button, Text } from '@mantine/core'
import { listWaysIn } from '@seaworthy/api/identity-providers'
import { askSignIn, signIn } from '@seaworthy/api/sessions'
import { useMutation } from '@tanstack/react-query'
import { Link, useSearch } from '@tanstack/react-router'
import { useState } from 'react'
import { PasswordSignInForm } from '../forms/password-sign-in.tsx'
import { isPageAddress } from '../page-paths.ts'
import { usePorts } from '../ports.ts'
import { useRead, useSession, useSetSession } from '../session.ts'
import { ErrorAlert } from '../ui/explained.tsx'
import { ProviderButton } from '../ui/provider-buttons.tsx'
import { EntryPage } from '../ui/page.tsx'
import { Redirect } from '../ui/redirect.tsx'

/** The page to go to afterwards; only a page of ours is accepted from an address. */
function readNext(search: Readonly<Record<string, unknown>>): string {
  const next = search['next']
  return typeof next === 'string' && isPageAddress(next) ? next : '/'
}

export function SignInPage() {
  const { client, passkeys } = usePorts()
  const session = useSession()
  const setSession = useSetSession()
  const [isByPassword, setIsByPassword] = useState(false)
  // Passkeys work without this list, so that a failure to load it is not shown.
  const providers = useRead(listWaysIn, {}).data?.providers ?? []
  const next = readNext(useSearch({ strict: false }))
  const enter = useMutation({
    async mutationFn() {
      const options = await client.call(askSignIn, {})
      return client.call(signIn, { body: await passkeys.prove(options) })
    },
    onSuccess: setSession,
  })
  if (session.data !== undefined && session.data !== null) return <Redirect to={next} />
  return (
    <EntryPage title="Sign in">
      <Text>Your passkey says who you are: no name and no password are asked for.</Text>
      <ErrorAlert error={enter.error ?? session.error} />
      <Button size="md" onClick={() => enter.mutate()} loading={enter.isPending}>
        Sign in with a passkey
      </Button>
      {providers.map(({ name, title }) => (
        <ProviderButton
          key={name}
          purpose="provider-sign-in"
          provider={name}
          label={`Sign in with ${title}`}
        />
      ))}
      {isByPassword ? (
        <PasswordSignInForm onSession={setSession} />
      ) : (
        <Button variant="subtle" onClick={() => setIsByPassword(true)}>
          Use a password and an authenticator
        </Button>
      )}
      <Text size="sm">
        Lost your passkeys?{' '}
        <Anchor
          underline="always"
          renderRoot={(props: object) => <Link to="/recovery" {...props} />}
        >
          Use a recovery code
        </Anchor>
        , or ask another owner for a new link.
      </Text>
    </EntryPage>
  )
}
