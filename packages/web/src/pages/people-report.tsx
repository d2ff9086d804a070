/** The report of access, as a table for a spreadsheet. */
import { Button, Text } from '@mantine/core'
import { useMutation } from '@tanstack/react-query'
import { listGrants } from '@seaworthy/api/grants'
import type { GrantEntry } from '@seaworthy/api/grants'
import { formatGrantsCsv } from '@seaworthy/api/grants-csv'
import { formatInstant } from '@seaworthy/std/time'
import { saveFile } from '../downloads.ts'
import { usePorts } from '../ports.ts'
import { ErrorAlert } from '../ui/explained.tsx'
import { Section } from '../ui/page.tsx'

const pageSize = 500

export function ReportSection() {
  const { client, clock } = usePorts()
  const download = useMutation({
    async mutationFn() {
      const entries: GrantEntry[] = []
      let after: string | null = null
      do {
        const query = { limit: pageSize, ...(after === null ? {} : { after }) }
        const page: { items: GrantEntry[]; next: string | null } = await client.call(listGrants, {
          query,
        })
        for (const entry of page.items) entries.push(entry)
        after = page.next
      } while (after !== null)
      const day = formatInstant(clock.now()).slice(0, 10)
      saveFile(`access-${day}.csv`, 'text/csv', formatGrantsCsv(entries))
    },
  })
  return (
    <Section
      title="Review of access"
      about="Who may do what, where, since when, by whom, and when they last did."
      action={
        <Button variant="default" loading={download.isPending} onClick={() => download.mutate()}>
          Download the report
        </Button>
      }
    >
      <ErrorAlert error={download.error} />
      <Text size="sm" c="dimmed">
        “seaworthy access report” shows the same in a terminal.
      </Text>
    </Section>
  )
}
