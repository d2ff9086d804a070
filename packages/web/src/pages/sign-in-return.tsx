/** Somebody comes back from an identity provider: the server judges what they bring. */
import { Anchor, Loader, Text } from '@mantine/core'
import { linkIdentity, signInByProvider, stepUpByProvider } from '@seaworthy/api/identity-providers'
import { useMutation } from '@tanstack/react-query'
import { Link, useNavigate } from '@tanstack/react-router'
import { useEffect } from 'react'
import { usePorts } from '../ports.ts'
import type { BroughtAnswer } from '../provider-answers.ts'
import { useRefreshSession, useSetSession } from '../session.ts'
import { ErrorAlert } from '../ui/explained.tsx'
import { EntryPage } from '../ui/page.tsx'

export function ReturnPage() {
  const { client, providerAnswer } = usePorts()
  const setSession = useSetSession()
  const refreshSession = useRefreshSession()
  const navigate = useNavigate()
  const { mutate, error } = useMutation({
    async mutationFn({ purpose, body }: BroughtAnswer) {
      if (purpose === 'provider-link') {
        await client.call(linkIdentity, { body })
        await refreshSession()
        return '/account' as const
      }
      const route = purpose === 'provider-sign-in' ? signInByProvider : stepUpByProvider
      setSession(await client.call(route, { body }))
      return purpose === 'provider-sign-in' ? ('/' as const) : ('/account' as const)
    },
    onSuccess: (to) => navigate({ to }),
  })
  const answer = providerAnswer?.purpose === undefined ? undefined : providerAnswer
  useEffect(() => {
    if (answer !== undefined) mutate(answer)
  }, [answer, mutate])
  const refusal = providerAnswer?.purpose === undefined ? providerAnswer?.refusal : undefined
  return (
    <EntryPage title="Back from the identity provider">
      {answer !== undefined && error === null && (
        <Loader aria-label="Checking the provider’s answer" />
      )}
      {answer === undefined && (
        <Text>
          {refusal === undefined
            ? 'The address holds no answer of an identity provider. Start again from the sign-in page.'
            : `The identity provider refused (${refusal}). Try again, or ask whoever runs it.`}
        </Text>
      )}
      <ErrorAlert error={error} />
      {(answer === undefined || error !== null) && (
        <Anchor
          underline="always"
          renderRoot={(props: object) => <Link to="/sign-in" {...props} />}
        >
          Back to sign-in
        </Anchor>
      )}
    </EntryPage>
  )
}
