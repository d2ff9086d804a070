/** One release: what it is made of, on which channels it is signed and by whom, where it runs. */
import { Text } from '@mantine/core'
import { countDevices } from '@seaworthy/api/devices'
import { listFleets } from '@seaworthy/api/fleets'
import { showProduct } from '@seaworthy/api/products'
import { showRelease } from '@seaworthy/api/releases'
import type { ReleaseView } from '@seaworthy/api/releases'
import { useParams } from '@tanstack/react-router'
import { formatBytes } from '../byte-words.ts'
import { useLive, useMay, useRead } from '../session.ts'
import { formatCommand } from '../shell-words.ts'
import { CliLine } from '../ui/cli-line.tsx'
import { DataTable } from '../ui/data-table.tsx'
import { Facts } from '../ui/facts.tsx'
import { Instant } from '../ui/instant.tsx'
import { Page, Section } from '../ui/page.tsx'
import { Loaded } from '../ui/states.tsx'
import { TextLink } from '../ui/text-link.tsx'
import {
  ChangesSection,
  FilesSection,
  PackagesSection,
  PlatformChoice,
} from './release-contents.tsx'
import { VulnerabilitiesSection } from './release-vulnerabilities.tsx'
import { KeyIds } from './trust.tsx'

export function ReleasePage() {
  const { product, version } = useParams({ from: '/shell/releases/$product/$version' })
  const release = useLive(showRelease, { params: { product, version } })
  const may = useMay()
  return (
    <Page title={`${product} ${version}`}>
      <Loaded query={release} what="the release">
        {(shown) => (
          <>
            <Section title="What it is">
              <Facts
                facts={[
                  ['Kind', shown.kind],
                  ['Digest', <code key="digest">{shown.digest}</code>],
                  ['Size', formatBytes(shown.totalBytes)],
                  ['Made', <Instant key="made" at={shown.createdAt} />],
                  ['By', shown.createdBy],
                ]}
              />
              <CliLine line={formatCommand('seaworthy', 'release', 'show', product, version)} />
            </Section>
            <ChannelSection release={shown} />
            {may('device:read') && <RunsSection product={product} version={version} />}
            <ChangesSection release={shown} />
            <PlatformsSection release={shown} />
            <FilesSection release={shown} />
            <PackagesSection release={shown} />
            {may('vulnerability:read') && (
              <VulnerabilitiesSection product={product} version={version} />
            )}
          </>
        )}
      </Loaded>
    </Page>
  )
}

function ChannelSection({ release }: { readonly release: ReleaseView }) {
  const product = useRead(showProduct, { params: { product: release.product } })
  const keysOf = (channel: string) =>
    product.data?.channels.find(({ name }) => name === channel)?.role
  return (
    <Section
      title="Signed for"
      about="Devices check these signatures themselves; what this page says proves nothing to them."
    >
      {release.channels.length === 0 ? (
        <>
          <Text>No channel: it runs nowhere before the holders of a channel’s keys sign it.</Text>
          <CliLine
            line={`${formatCommand('seaworthy', 'publish', release.product, release.version)} --channel CHANNEL --sign-with KEY`}
          />
        </>
      ) : (
        <DataTable
          caption="Channels"
          rows={release.channels}
          keyOf={({ channel }) => channel}
          columns={[
            { title: 'Channel', show: ({ channel }) => channel },
            { title: 'Counter', show: ({ counter }) => String(counter) },
            {
              title: 'Signed by',
              show({ channel }) {
                const role = keysOf(channel)
                if (role === undefined) return '…'
                return (
                  <>
                    {role.threshold} of <KeyIds keyIds={role.keyIds} />
                  </>
                )
              },
            },
          ]}
        />
      )}
    </Section>
  )
}

function RunsSection(props: { readonly product: string; readonly version: string }) {
  const { product, version } = props
  const counted = useLive(countDevices, { query: { product, version } })
  return (
    <Section title="Where it runs" about="By what devices said last, however long ago that was.">
      <Loaded query={counted} what="the count">
        {({ count }) => (
          <Text>
            <TextLink to="/devices" search={{ product, running: version }}>
              {count === 1 ? 'One device' : `${count.toLocaleString()} devices`}
            </TextLink>{' '}
            said last that {count === 1 ? 'it runs' : 'they run'} this version.
          </Text>
        )}
      </Loaded>
      <FleetCounts product={product} version={version} />
    </Section>
  )
}

const fleetsMax = 20

function FleetCounts({ product, version }: { readonly product: string; readonly version: string }) {
  const fleets = useRead(listFleets, { query: { limit: 1000 } })
  const own = (fleets.data?.items ?? []).filter((fleet) => fleet.product === product)
  if (own.length === 0) return null
  return (
    <>
      <DataTable
        caption="Fleets"
        rows={own.slice(0, fleetsMax)}
        keyOf={({ name }) => name}
        columns={[
          {
            title: 'Fleet',
            show: ({ name }) => (
              <TextLink to="/fleets/$fleet" params={{ fleet: name }}>
                {name}
              </TextLink>
            ),
          },
          { title: 'Follows', show: ({ channel }) => channel },
          {
            title: 'Run it',
            show: ({ name, devicesCount }) => (
              <FleetCount fleet={name} of={devicesCount} product={product} version={version} />
            ),
          },
        ]}
      />
      {own.length > fleetsMax && (
        <Text size="sm" c="dimmed">
          The first {fleetsMax} of {own.length.toLocaleString()} fleets.
        </Text>
      )}
    </>
  )
}

function FleetCount(props: {
  readonly fleet: string
  readonly of: number
  readonly product: string
  readonly version: string
}) {
  const { fleet, of, product, version } = props
  const counted = useLive(countDevices, { query: { fleet, product, version } })
  if (counted.data === undefined) return '…'
  return (
    <TextLink to="/devices" search={{ fleet, product, running: version }}>
      {counted.data.count.toLocaleString()} of {of.toLocaleString()}
    </TextLink>
  )
}

function PlatformsSection({ release }: { readonly release: ReleaseView }) {
  const { product, version, platforms } = release
  return (
    <Section title="Content">
      <DataTable
        caption="Platforms"
        rows={platforms}
        keyOf={({ platform }) => platform}
        columns={[
          { title: 'Platform', show: ({ platform }) => platform },
          { title: 'Size', show: ({ bytes }) => formatBytes(bytes) },
          { title: 'Digest', show: ({ digest }) => <code>{digest}</code> },
        ]}
      />
      <CliLine line={formatCommand('seaworthy', 'release', 'verify', product, version)} />
      <PlatformChoice release={release} />
    </Section>
  )
}
