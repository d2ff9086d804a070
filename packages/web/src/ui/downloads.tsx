/** Two buttons below a list, which save it as CSV or JSON. */
import { Button, Group } from '@mantine/core'
import { useMutation } from '@tanstack/react-query'
import { formatInstant } from '@seaworthy/std/time'
import { formatRowsCsv, saveFile } from '../downloads.ts'
import { usePorts } from '../ports.ts'
import type { DataColumn } from './data-table.tsx'
import { ErrorAlert } from './explained.tsx'

export function Downloads<T>(props: {
  /** What is listed, which the name of the file begins with. */
  readonly name: string
  readonly columns: readonly DataColumn<T>[]
  /** Fetches all rows, those too that the page does not show. */
  readonly load: () => Promise<readonly T[]>
}) {
  const { name, columns, load } = props
  const { clock } = usePorts()
  const download = useMutation({
    async mutationFn(kind: 'csv' | 'json') {
      const rows = await load()
      const file = `${name}-${formatInstant(clock.now()).slice(0, 10)}.${kind}`
      if (kind === 'csv') saveFile(file, 'text/csv', formatRowsCsv(columns, rows))
      else saveFile(file, 'application/json', `${JSON.stringify(rows, null, 2)}\n`)
    },
  })
  const button = (kind: 'csv' | 'json') => (
    <Button
      variant="default"
      size="compact-sm"
      loading={download.isPending && download.variables === kind}
      onClick={() => download.mutate(kind)}
      aria-label={`Download ${name} as ${kind.toUpperCase()}`}
    >
      {kind.toUpperCase()}
    </Button>
  )
  return (
    <Group gap="xs">
      {button('csv')}
      {button('json')}
      <ErrorAlert error={download.error} />
    </Group>
  )
}
