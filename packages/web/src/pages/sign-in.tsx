/** Sign-in with a passkey: nobody is asked for a name, so nothing tells which names exist. */
import { Anchor, Button, Text } from '@mantine/core'
import { askSignIn, signIn } from '@seaworthy/api/sessions'
import { useMutation } from '@tanstack/react-query'
import { Link, useSearch } from '@tanstack/react-router'
import { pagePaths } from '../page-paths.ts'
import type { PagePath } from '../page-paths.ts'
import { usePorts } from '../ports.ts'
import { useSession, useSetSession } from '../session.ts'
import { ErrorAlert } from '../ui/explained.tsx'
import { EntryPage } from '../ui/page.tsx'
import { Redirect } from '../ui/redirect.tsx'

/** The page to go to afterwards; only a page of ours is accepted from an address. */
function readNext(search: Readonly<Record<string, unknown>>): PagePath {
  return pagePaths.find((path) => path === search['next']) ?? '/'
}

export function SignInPage() {
  const { client, passkeys } = usePorts()
  const session = useSession()
  const setSession = useSetSession()
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
      <Text>Seaworthy asks for no name and no password: your passkey says who you are.</Text>
      <ErrorAlert error={enter.error ?? session.error} />
      <Button size="md" onClick={() => enter.mutate()} loading={enter.isPending}>
        Sign in with a passkey
      </Button>
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
