/** Releases of a product, newest first; the address names the product. */
import { NativeSelect, Text } from '@mantine/core'
import { listProducts } from '@seaworthy/api/products'
import type { ProductView } from '@seaworthy/api/products'
import { listReleases } from '@seaworthy/api/releases'
import type { ReleaseView } from '@seaworthy/api/releases'
import { readAllPages } from '../all-pages.ts'
import { formatBytes } from '../byte-words.ts'
import { usePorts } from '../ports.ts'
import { useLive, useMay, useRead } from '../session.ts'
import { formatCommand } from '../shell-words.ts'
import { useAddress } from '../ui/address.ts'
import { CliLine } from '../ui/cli-line.tsx'
import { DataTable } from '../ui/data-table.tsx'
import type { DataColumn } from '../ui/data-table.tsx'
import { Downloads } from '../ui/downloads.tsx'
import { Instant } from '../ui/instant.tsx'
import { Page } from '../ui/page.tsx'
import { Pager } from '../ui/pager.tsx'
import { EmptyState, Loaded, NoPermissionState } from '../ui/states.tsx'
import { TextLink } from '../ui/text-link.tsx'

const shownMax = 50

export function ReleasesPage() {
  const may = useMay()
  const products = useRead(listProducts, { query: { limit: 1000 } })
  return (
    <Page
      title="Releases"
      about="What was built and registered. It runs nowhere before it is signed."
    >
      {may('release:read') ? (
        <Loaded query={products} what="products">
          {({ items }) =>
            items.length === 0 ? (
              <EmptyState title="No product yet">
                “seaworthy product create” proposes one, which the holders of the root keys sign.
              </EmptyState>
            ) : (
              <ChooseProduct products={items} />
            )
          }
        </Loaded>
      ) : (
        <NoPermissionState sentence="Your role does not show releases." />
      )}
    </Page>
  )
}

function ChooseProduct({ products }: { readonly products: readonly ProductView[] }) {
  const address = useAddress()
  const product = products.find(({ name }) => name === address.get('product')) ?? products[0]!
  return (
    <>
      <NativeSelect
        label="Product"
        maw={320}
        value={product.name}
        data={products.map(({ name }) => name)}
        onChange={(event) => address.change({ product: event.currentTarget.value })}
      />
      <ReleaseList product={product.name} />
      <CliLine line={formatCommand('seaworthy', 'release', 'list', product.name)} />
    </>
  )
}

function ReleaseList({ product }: { readonly product: string }) {
  const { client } = usePorts()
  const after = useAddress().get('after')
  const params = { product }
  const releases = useLive(listReleases, {
    params,
    query: { limit: shownMax, ...(after === undefined ? {} : { after }) },
  })
  return (
    <Loaded query={releases} what="releases">
      {({ items, next }) =>
        items.length === 0 && after === undefined ? (
          <EmptyState title="No release yet">
            “seaworthy release create” packs one, and “seaworthy publish” proposes it for a channel.
          </EmptyState>
        ) : (
          <>
            <DataTable
              caption={`Releases of ${product}`}
              rows={items}
              keyOf={({ version }) => version}
              columns={columns}
              isDimmed={releases.isPlaceholderData}
            />
            <Pager next={next}>
              <Downloads
                name="releases"
                columns={columns}
                load={() => readAllPages((query) => client.call(listReleases, { params, query }))}
              />
            </Pager>
          </>
        )
      }
    </Loaded>
  )
}

const columns: readonly DataColumn<ReleaseView>[] = [
  {
    title: 'Version',
    show: ({ product, version }) => (
      <TextLink to="/releases/$product/$version" params={{ product, version }}>
        {version}
      </TextLink>
    ),
    text: ({ version }) => version,
  },
  {
    title: 'Published on',
    show: ({ channels }) =>
      channels.length === 0 ? (
        <Text size="sm" c="dimmed">
          nowhere
        </Text>
      ) : (
        describeChannels(channels)
      ),
    text: ({ channels }) => describeChannels(channels),
  },
  {
    title: 'Platforms',
    show: ({ platforms }) => platforms.map(({ platform }) => platform).join(', '),
    text: ({ platforms }) => platforms.map(({ platform }) => platform).join(' '),
  },
  {
    title: 'Size',
    show: ({ totalBytes }) => formatBytes(totalBytes),
    text: ({ totalBytes }) => totalBytes,
  },
  {
    title: 'Made',
    show: ({ createdAt }) => <Instant at={createdAt} />,
    text: ({ createdAt }) => createdAt,
  },
  { title: 'By', show: ({ createdBy }) => createdBy, text: ({ createdBy }) => createdBy },
  { title: 'Digest', text: ({ digest }) => digest },
]

/** `stable (counter 4), beta (counter 7)`. */
export function describeChannels(channels: ReleaseView['channels']): string {
  return channels.map(({ channel, counter }) => `${channel} (counter ${counter})`).join(', ')
}
