/** How one walks through a list that comes in pages; which page is shown stands in the address. */
import { Button, Group } from '@mantine/core'
import type { ReactNode } from 'react'
import { useAddress } from './address.ts'

export function Pager(props: {
  /** What leads to the next page; null on the last. */
  readonly next: string | null
  /** What stands before the buttons: how many there are, or buttons that save them. */
  readonly children?: ReactNode
}) {
  const { next, children } = props
  const address = useAddress()
  const isFirst = address.get('after') === undefined
  return (
    <Group justify="space-between" component="nav" aria-label="Pages of the list">
      <Group gap="sm">{children}</Group>
      {(next !== null || !isFirst) && (
        <Group gap="xs">
          <Button
            variant="default"
            size="compact-sm"
            disabled={isFirst}
            onClick={() => address.change({})}
          >
            First page
          </Button>
          <Button
            variant="default"
            size="compact-sm"
            disabled={next === null}
            onClick={() => address.change({ after: next ?? undefined })}
          >
            Next page
          </Button>
        </Group>
      )}
    </Group>
  )
}
