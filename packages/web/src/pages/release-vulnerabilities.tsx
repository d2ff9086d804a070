/** What is known to be wrong with the packages of a release. */
import { Text } from '@mantine/core'
import { showReleaseExposure } from '@seaworthy/api/vulnerabilities'
import type { FoundView } from '@seaworthy/api/vulnerabilities'
import { useLive } from '../session.ts'
import { formatCommand } from '../shell-words.ts'
import { CliLine } from '../ui/cli-line.tsx'
import { DataTable } from '../ui/data-table.tsx'
import type { DataColumn } from '../ui/data-table.tsx'
import { Marks } from '../ui/marks.tsx'
import { Section } from '../ui/page.tsx'
import { Loaded } from '../ui/states.tsx'

export function VulnerabilitiesSection(props: {
  readonly product: string
  readonly version: string
}) {
  const { product, version } = props
  const exposure = useLive(showReleaseExposure, { params: { product, version } })
  return (
    <Section
      title="Vulnerabilities"
      about="Records that were imported, compared with the packages. No record is no proof that there is nothing."
    >
      <Loaded query={exposure} what="the vulnerabilities">
        {({ sboms, found, foundCount }) => (
          <>
            {sboms.length === 0 && <Text>The server has not read this release yet.</Text>}
            {sboms
              .filter(({ state }) => state !== 'compared')
              .map(({ platform, state, why }) => (
                <Text key={platform} size="sm">
                  Nothing can be said of {platform}
                  {state === 'not_compared'
                    ? ' yet: it was not compared with the records'
                    : `: ${why}`}
                  .
                </Text>
              ))}
            {sboms.some(({ state }) => state === 'compared') && found.length === 0 && (
              <Text>No imported record is about a package of this release.</Text>
            )}
            {found.length > 0 && (
              <>
                <DataTable
                  caption="Vulnerabilities"
                  rows={found}
                  keyOf={(one) => `${one.vulnerability} ${one.platform} ${one.component.purl}`}
                  columns={foundColumns}
                />
                <Text size="sm" c="dimmed">
                  {found.length.toLocaleString()} of {foundCount.toLocaleString()} found.
                </Text>
              </>
            )}
          </>
        )}
      </Loaded>
      <CliLine line={formatCommand('seaworthy', 'vulnerability', 'check', product, version)} />
    </Section>
  )
}

const foundColumns: readonly DataColumn<FoundView>[] = [
  {
    title: 'Vulnerability',
    show: ({ vulnerability, aliases }) => (
      <span title={aliases.join(', ')}>
        <strong>{vulnerability}</strong>
      </span>
    ),
  },
  { title: 'Package', show: ({ component: { name, version } }) => `${name} ${version}` },
  {
    title: 'State',
    show: ({ verdict, reason }) => (
      <Marks
        marks={[
          verdict === 'affected'
            ? { text: 'affected', tone: 'red' }
            : {
                text: 'cannot be told',
                tone: 'yellow',
                ...(reason === null ? {} : { title: reason }),
              },
        ]}
      />
    ),
  },
  { title: 'First version without it', show: ({ fixed }) => fixed ?? 'none known' },
  { title: 'What it is', show: ({ summary }) => summary },
]
