/** What is in a release: its files by folder, what changed, and the packages it is made of. */
import { Button, Group, NativeSelect, Text } from '@mantine/core'
import {
  listReleaseFiles,
  listReleasePackages,
  showReleaseChanges,
} from '@seaworthy/api/release-contents'
import type { PackageView, ReleaseEntryView } from '@seaworthy/api/release-contents'
import { listReleases } from '@seaworthy/api/releases'
import type { ReleaseView } from '@seaworthy/api/releases'
import { formatBytes } from '../byte-words.ts'
import { useRead } from '../session.ts'
import { formatCommand } from '../shell-words.ts'
import { useAddress } from '../ui/address.ts'
import { ContentChanges } from '../ui/change-lines.tsx'
import { CliLine } from '../ui/cli-line.tsx'
import { DataTable } from '../ui/data-table.tsx'
import type { DataColumn } from '../ui/data-table.tsx'
import { Downloads } from '../ui/downloads.tsx'
import { Section } from '../ui/page.tsx'
import { Loaded } from '../ui/states.tsx'

const versionsMax = 100

interface OneRelease {
  readonly release: ReleaseView
}

/** The platform that the address names, or the first one. */
function usePlatform({ platforms }: ReleaseView): string | undefined {
  const wanted = useAddress().get('platform')
  const names = platforms.map(({ platform }) => platform)
  return names.find((name) => name === wanted) ?? names[0]
}

export function PlatformChoice({ release }: OneRelease) {
  const address = useAddress()
  const platform = usePlatform(release)
  if (platform === undefined || release.platforms.length < 2) return null
  return (
    <NativeSelect
      label="Platform"
      maw={320}
      value={platform}
      data={release.platforms.map((one) => one.platform)}
      onChange={(event) =>
        address.change({ platform: event.currentTarget.value, folder: undefined })
      }
    />
  )
}

export function ChangesSection({ release }: OneRelease) {
  const { product, version } = release
  const address = useAddress()
  const versions = useRead(listReleases, { params: { product }, query: { limit: versionsMax } })
  return (
    <Section
      title="What changes"
      about="Compared by this server, in the words that signers read. They compute it on their own machines, and believe that."
    >
      <Loaded query={versions} what="the other releases">
        {({ items }) => {
          const others = items.map((one) => one.version).filter((one) => one !== version)
          if (others.length === 0) return <Text>There is no other release to compare with.</Text>
          const earlier = items.slice(items.findIndex((one) => one.version === version) + 1)
          const wanted = address.get('from')
          const from = others.find((one) => one === wanted) ?? earlier[0]?.version ?? others[0]!
          return (
            <>
              <NativeSelect
                label="Compared with"
                maw={320}
                value={from}
                data={others}
                onChange={(event) => address.change({ from: event.currentTarget.value })}
              />
              <ChangesFrom release={release} from={from} />
              <CliLine
                line={formatCommand('seaworthy', 'release', 'diff', product, from, version)}
              />
            </>
          )
        }}
      </Loaded>
    </Section>
  )
}

function ChangesFrom({ release, from }: OneRelease & { readonly from: string }) {
  const { product, version } = release
  const changes = useRead(showReleaseChanges, { params: { product, version }, query: { from } })
  return (
    <Loaded query={changes} what="what changes">
      {(shown) => (
        <ContentChanges caption={`What changes from ${from} to ${version}`} changes={shown} />
      )}
    </Loaded>
  )
}

export function FilesSection({ release }: OneRelease) {
  const { product, version } = release
  const address = useAddress()
  const platform = usePlatform(release)
  const folder = address.get('folder')
  const files = useRead(listReleaseFiles, {
    params: { product, version },
    query: { platform: platform ?? '', ...(folder === undefined ? {} : { folder }) },
  })
  if (platform === undefined) return null
  return (
    <Section title="Files" about={`What a device of ${platform} unpacks.`}>
      <FolderPath folder={folder} />
      <Loaded query={files} what="the files">
        {({ entries, entriesCount, why }) =>
          why !== null ? (
            <Text>They cannot be listed: {why}.</Text>
          ) : (
            <>
              <DataTable
                caption="Files"
                rows={entries}
                keyOf={({ name }) => name}
                columns={fileColumns((name) =>
                  address.change({ folder: folder === undefined ? name : `${folder}/${name}` }),
                )}
              />
              {entriesCount > entries.length && (
                <Text size="sm" c="dimmed">
                  The first {entries.length.toLocaleString()} of {entriesCount.toLocaleString()}.
                </Text>
              )}
            </>
          )
        }
      </Loaded>
    </Section>
  )
}

/** The folders that lead to the one that is shown, each to be opened again. */
function FolderPath({ folder }: { readonly folder: string | undefined }) {
  const address = useAddress()
  if (folder === undefined) return null
  const parts = folder.split('/')
  return (
    <Group gap="xs">
      <Button
        variant="subtle"
        size="compact-sm"
        onClick={() => address.change({ folder: undefined })}
      >
        Whole bundle
      </Button>
      {parts.map((part, index) => {
        const path = parts.slice(0, index + 1).join('/')
        return (
          <Button
            key={path}
            variant="subtle"
            size="compact-sm"
            disabled={path === folder}
            onClick={() => address.change({ folder: path })}
          >
            {part}
          </Button>
        )
      })}
    </Group>
  )
}

function fileColumns(open: (name: string) => void): readonly DataColumn<ReleaseEntryView>[] {
  return [
    {
      title: 'Name',
      show: ({ name, type, target }) =>
        type === 'directory' ? (
          <Button variant="subtle" size="compact-sm" onClick={() => open(name)}>
            {name}/
          </Button>
        ) : target === null ? (
          <code>{name}</code>
        ) : (
          <code>
            {name} → {target}
          </code>
        ),
    },
    {
      title: 'Is',
      show: ({ type, isExecutable, filesCount }) =>
        type === 'directory'
          ? `folder, ${filesCount === 1 ? '1 file' : `${filesCount.toLocaleString()} files`}`
          : type === 'symlink'
            ? 'link'
            : isExecutable
              ? 'executable'
              : 'file',
    },
    { title: 'Size', show: ({ type, bytes }) => (type === 'symlink' ? '' : formatBytes(bytes)) },
    {
      title: 'SHA-256',
      show: ({ digest }) =>
        digest === null ? (
          ''
        ) : (
          <code title={digest}>{digest.replace('sha256:', '').slice(0, 12)}</code>
        ),
    },
  ]
}

export function PackagesSection({ release }: OneRelease) {
  const { product, version, kind } = release
  const platform = usePlatform(release)
  const packages = useRead(listReleasePackages, {
    params: { product, version },
    query: { platform: platform ?? '' },
  })
  if (platform === undefined || kind !== 'bundle') return null
  return (
    <Section
      title="Packages"
      about="The bill of materials that the build computed from the files. “seaworthy release verify” compares it with them again."
    >
      <Loaded query={packages} what="the packages">
        {(listed) =>
          listed.why !== null ? (
            <Text>They cannot be listed: {listed.why}.</Text>
          ) : listed.packages.length === 0 ? (
            <Text>No package is known in these files.</Text>
          ) : (
            <>
              <DataTable
                caption="Packages"
                rows={listed.packages}
                keyOf={({ name, version: own, purl }) => purl ?? `${name} ${own}`}
                columns={packageColumns}
              />
              <Text size="sm" c="dimmed">
                {listed.packages.length.toLocaleString()} of {listed.packagesCount.toLocaleString()}{' '}
                packages.
                {listed.isIncomplete && ' The document says itself that some could not be read.'}
              </Text>
              <Downloads
                name="packages"
                columns={packageColumns}
                load={() => Promise.resolve(listed.packages)}
              />
            </>
          )
        }
      </Loaded>
      <CliLine line={formatCommand('seaworthy', 'release', 'sbom', product, version)} />
    </Section>
  )
}

const packageColumns: readonly DataColumn<PackageView>[] = [
  { title: 'Package', show: ({ name }) => name, text: ({ name }) => name },
  { title: 'Version', show: ({ version }) => version, text: ({ version }) => version },
  {
    title: 'Licence',
    show: ({ licence }) => licence ?? <Text c="dimmed">not said</Text>,
    text: ({ licence }) => licence,
  },
  { title: 'Package URL', text: ({ purl }) => purl },
]
