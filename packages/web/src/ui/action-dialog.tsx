/** A dialog with one thing to do: its text, its fields, the error, and two buttons. */
import { Button, Group, Stack } from '@mantine/core'
import type { Route } from '@seaworthy/api/route'
import { useMutation } from '@tanstack/react-query'
import type { ReactNode } from 'react'
import { useRefresh } from '../session.ts'
import { Dialog } from './dialog.tsx'
import { ErrorAlert } from './explained.tsx'
import type { ConfirmedCall } from './step-up.tsx'
import { useConfirmedCall } from './step-up.tsx'

export function ActionDialog(props: {
  readonly title: string
  readonly button: string
  readonly isDangerous?: boolean
  readonly isReady?: boolean
  /** Does it with calls that the person confirms; the dialog closes when that has succeeded. */
  readonly act: (call: ConfirmedCall) => Promise<unknown>
  /** What has another answer afterwards, and is read again. */
  readonly changes?: readonly Route[]
  readonly onClose: () => void
  readonly children: ReactNode
}) {
  const { title, button, isDangerous = false, isReady = true, onClose, children } = props
  const call = useConfirmedCall()
  const refresh = useRefresh()
  const action = useMutation({
    async mutationFn() {
      await props.act(call)
      await refresh(...(props.changes ?? []))
    },
    onSuccess: onClose,
  })
  return (
    <Dialog title={title} onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault()
          if (isReady) action.mutate()
        }}
      >
        <Stack>
          {children}
          <ErrorAlert error={action.error} />
          <Group justify="flex-end">
            <Button variant="default" onClick={onClose}>
              Cancel
            </Button>
            <Button
              type="submit"
              color={isDangerous ? 'red' : 'blue'}
              loading={action.isPending}
              disabled={!isReady}
            >
              {button}
            </Button>
          </Group>
        </Stack>
      </form>
    </Dialog>
  )
}
