/** A dialog with one thing to do: its text, its fields, the error, and two buttons. */
import { Button, Group, Stack } from '@mantine/core'
import { useMutation } from '@tanstack/react-query'
import type { ReactNode } from 'react'
import { Dialog } from './dialog.tsx'
import { ErrorAlert } from './explained.tsx'

export function ActionDialog(props: {
  readonly title: string
  readonly button: string
  readonly isDangerous?: boolean
  readonly isReady?: boolean
  /** Does it; the dialog closes when that has succeeded. */
  readonly act: () => Promise<unknown>
  readonly onClose: () => void
  readonly children: ReactNode
}) {
  const { title, button, isDangerous = false, isReady = true, act, onClose, children } = props
  const action = useMutation({ mutationFn: act, onSuccess: onClose })
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
