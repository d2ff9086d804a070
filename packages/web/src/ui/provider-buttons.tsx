/** Leads to an identity provider, which sends the browser back to the page “return”. */
import { Button } from '@mantine/core'
import type { ProviderPurpose } from '../provider-answers.ts'
import { purposes } from '../provider-answers.ts'
import { useMutation } from '@tanstack/react-query'
import { usePorts } from '../ports.ts'
import { ErrorAlert } from './explained.tsx'
import { useConfirmedCall } from './step-up.tsx'

export function ProviderButton(props: {
  readonly purpose: ProviderPurpose
  readonly provider: string
  readonly label: string
}) {
  const { purpose, provider, label } = props
  const { leave } = usePorts()
  const call = useConfirmedCall()
  const go = useMutation({
    async mutationFn() {
      const { url } = await call(purposes[purpose].ask, { params: { provider } })
      leave(url)
    },
  })
  return (
    <>
      <Button variant="default" onClick={() => go.mutate()} loading={go.isPending || go.isSuccess}>
        {label}
      </Button>
      <ErrorAlert error={go.error} />
    </>
  )
}
