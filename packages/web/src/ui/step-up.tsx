/**
 * Confirmation of dangerous actions. A call that the server refuses with `step_up_required` asks
 * the person to confirm with a passkey, or with a code where the role may, and is then made once
 * more.
 */
import type { CallInput } from '@seaworthy/api/client'
import { ProblemError } from '@seaworthy/api/problems'
import type { ReplyOf, Route } from '@seaworthy/api/route'
import { askProviderStepUp, listIdentities } from '@seaworthy/api/identity-providers'
import { stepUpByCode } from '@seaworthy/api/passwords'
import { askStepUp, stepUp } from '@seaworthy/api/sessions'
import { Button, Group, Stack, Text, TextInput } from '@mantine/core'
import { useMutation } from '@tanstack/react-query'
import type { ReactNode } from 'react'
import { createContext, useCallback, useContext, useState } from 'react'
import { NotConfirmedError } from '../explanations.ts'
import { usePorts } from '../ports.ts'
import { useRead, useSession, useSetSession } from '../session.ts'
import { Dialog } from './dialog.tsx'
import { ErrorAlert } from './explained.tsx'

/** Resolves with whether the person has confirmed. */
type AskToConfirm = () => Promise<boolean>

const ConfirmContext = createContext<AskToConfirm>(() => Promise.resolve(false))

export function StepUpProvider({ children }: { readonly children: ReactNode }) {
  const [waiting, setWaiting] = useState<{ readonly end: (isConfirmed: boolean) => void }>()
  const ask = useCallback<AskToConfirm>(() => {
    const { promise, resolve } = Promise.withResolvers<boolean>()
    setWaiting({
      end(isConfirmed) {
        setWaiting(undefined)
        resolve(isConfirmed)
      },
    })
    return promise
  }, [])
  return (
    <ConfirmContext value={ask}>
      {children}
      {waiting !== undefined && <StepUpDialog onEnd={waiting.end} />}
    </ConfirmContext>
  )
}

function StepUpDialog({ onEnd }: { readonly onEnd: (isConfirmed: boolean) => void }) {
  const { client, passkeys, leave } = usePorts()
  const { data: self } = useSession()
  const setSession = useSetSession()
  const [code, setCode] = useState('')
  const mayUseCode = self?.mayUsePassword === true && self.password !== null
  const mayUseProvider = self?.session.factor === 'provider'
  const identities = useRead(listIdentities, {}).data?.items ?? []
  const leaving = useMutation({
    async mutationFn(provider: string) {
      const { url } = await client.call(askProviderStepUp, { params: { provider } })
      leave(url)
    },
  })
  const digits = code.replaceAll(/\s/g, '')
  const confirm = useMutation({
    async mutationFn(given: string | undefined) {
      if (given !== undefined) return client.call(stepUpByCode, { body: { code: given } })
      const options = await client.call(askStepUp, {})
      return client.call(stepUp, { body: await passkeys.prove(options) })
    },
    onSuccess(session) {
      setSession(session)
      onEnd(true)
    },
  })
  return (
    <Dialog title="Confirm that it is you" onClose={() => onEnd(false)}>
      <Stack>
        <Text>
          Nobody but you should be able to do this from your browser. Confirm with your passkey; for
          five minutes you are not asked again.
        </Text>
        {mayUseCode && (
          <form
            onSubmit={(event) => {
              event.preventDefault()
              if (/^\d{6}$/.test(digits)) confirm.mutate(digits)
            }}
          >
            <Group align="end">
              <TextInput
                label="Or a code of your authenticator"
                name="code"
                autoComplete="one-time-code"
                inputMode="numeric"
                maxLength={10}
                value={code}
                onChange={(event) => setCode(event.currentTarget.value)}
              />
              <Button type="submit" variant="default" disabled={!/^\d{6}$/.test(digits)}>
                Confirm with code
              </Button>
            </Group>
          </form>
        )}
        {mayUseProvider &&
          identities.map(({ provider, title }) => (
            <Button
              key={provider}
              variant="default"
              loading={leaving.isPending}
              onClick={() => leaving.mutate(provider)}
            >
              Confirm with {title}
            </Button>
          ))}
        <ErrorAlert error={confirm.error ?? leaving.error} />
        <Group justify="flex-end">
          <Button variant="default" onClick={() => onEnd(false)}>
            Cancel
          </Button>
          <Button
            onClick={() => confirm.mutate(undefined)}
            loading={confirm.isPending}
            data-autofocus
          >
            Confirm with passkey
          </Button>
        </Group>
      </Stack>
    </Dialog>
  )
}

export type ConfirmedCall = <R extends Route>(route: R, input: CallInput<R>) => Promise<ReplyOf<R>>

/** Calls of the API that ask for a confirmation where the server wants one. */
export function useConfirmedCall(): ConfirmedCall {
  const { client } = usePorts()
  const ask = useContext(ConfirmContext)
  return async (route, input) => {
    try {
      return await client.call(route, input)
    } catch (error) {
      if (!(error instanceof ProblemError) || error.code !== 'step_up_required') throw error
      if (!(await ask())) throw new NotConfirmedError('nobody confirmed')
      return client.call(route, input)
    }
  }
}
