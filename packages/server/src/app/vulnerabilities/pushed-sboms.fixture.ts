/** Releases with bills of materials, and records of vulnerabilities. */
import { createRelease } from '@seaworthy/api/releases'
import { craftLayer, craftRelease } from '@seaworthy/oci/crafted-release'
import { digestOf } from '@seaworthy/oci/digests'
import { mediaTypes } from '@seaworthy/oci/manifests'
import { encodeDocument } from '@seaworthy/oci/release-documents'
import { utf8Encode } from '@seaworthy/std/bytes'
import { cycloneDxMediaType } from '@seaworthy/std/media-types'
import { systemClock } from '@seaworthy/std/time'
import { countReleases } from '../../db/exposure.ts'
import type { TestClient } from '../../testing/index.ts'
import { openDatabaseOf, pushBlob, pushManifest } from '../../testing/index.ts'

interface PushedRelease {
  readonly product?: string
  readonly version: string
  readonly purls?: readonly string[] | Uint8Array | undefined
  readonly damage?: ((document: Uint8Array) => Promise<void>) | undefined
}

/** Counts what devices run, which the server does twice a minute. */
export async function countNow(dataDir: string): Promise<void> {
  const db = openDatabaseOf(dataDir)
  try {
    await db.write((tx) => countReleases(tx, systemClock.now()))
  } finally {
    await db.close()
  }
}

/**
 * Pushes and registers a release whose bill of materials lists these, or one without any; what is
 * stored of it may be damaged in between.
 */
export async function pushReleaseOf(
  client: TestClient,
  token: string,
  { product = 'acme', version, purls, damage }: PushedRelease,
): Promise<string> {
  const target = {
    hasBlob: async () => false,
    async putBlob(_expected: unknown, open: () => AsyncIterable<Uint8Array>) {
      const parts: Uint8Array[] = []
      for await (const part of open()) parts.push(part)
      await pushBlob(client, token, Buffer.concat(parts), product)
    },
    putManifest: ({ bytes, mediaType }: { bytes: Uint8Array; mediaType: string }) =>
      pushManifest(client, token, bytes, mediaType, product),
  }
  const { layer, files } = craftLayer([{ path: 'version', content: version }])
  const platform = 'linux/amd64'
  const bundles = [{ platform, layer, listed: files }]
  const document =
    purls instanceof Uint8Array
      ? purls
      : utf8Encode(
          JSON.stringify({
            bomFormat: 'CycloneDX',
            specVersion: '1.6',
            components: purls?.map((purl) => ({ type: 'library', name: purl, purl })),
          }),
        )
  const about = { mediaType: mediaTypes.manifest, digest: digestOf(layer), size: layer.length }
  const { manifest, parts } = encodeDocument(platform, about, {
    mediaType: cycloneDxMediaType,
    bytes: document,
  })
  if (purls !== undefined) {
    for (const { bytes } of parts) await pushBlob(client, token, bytes, product)
    const { mediaType } = manifest.descriptor
    await pushManifest(client, token, manifest.bytes, mediaType, product)
  }
  const descriptor = {
    ...manifest.descriptor,
    annotations: { 'dev.seaworthy.platform': platform },
  }
  const release = await craftRelease(target, {
    ...{ product, version, bundles },
    alter: (index) =>
      purls === undefined
        ? index
        : { ...index, manifests: [...index.manifests, withPlatform(index, descriptor)] },
  })
  await damage?.(document)
  const { digest } = release.descriptor
  const params = { product }
  await client.api.call(createRelease, { params, body: { version, digest } })
  return digest.slice('sha256:'.length)
}

/** The descriptor, filed under its platform as the index files its lists. */
function withPlatform(
  index: { manifests: readonly { annotations?: object }[] },
  descriptor: ReturnType<typeof encodeDocument>['manifest']['descriptor'],
) {
  const annotations = index.manifests.find((one) => one.annotations !== undefined)!.annotations!
  return { ...descriptor, annotations: annotations as Record<string, string> }
}

interface Said {
  id: string
  name: string
  ecosystem?: string
  ranges?: object[]
  modified?: string
  more?: object
}

/** A record of the OSV schema, as JSON. */
export const recordOf = ({ id, name, ecosystem = 'npm', ranges, modified, more }: Said) =>
  JSON.stringify({
    ...{ id, modified: modified ?? '2026-01-01T00:00:00Z', summary: `a flaw of ${name}` },
    affected: [{ package: { ecosystem, name }, ranges: ranges ?? [below('2.0.0')], versions: [] }],
    ...more,
  })
export const below = (fixed: string) => ({
  type: 'SEMVER',
  events: [{ introduced: '0' }, { fixed }],
})
