/** Operating system images as releases of `acme`, and devices of other protocols that get them. */
import { createHash } from 'node:crypto'
import { createForeignDevice } from '@seaworthy/api/foreign-devices'
import { createRelease } from '@seaworthy/api/releases'
import { emptyBytes, emptyDescriptor, encodeManifest, mediaTypes } from '@seaworthy/oci/manifests'
import { osImageArtifactType, titleAnnotation } from '@seaworthy/oci/os-image'
import { releaseAnnotations, releaseArtifactType } from '@seaworthy/oci/release-index'
import type { Signer } from '@seaworthy/trust/keys'
import type { PushedRelease, TestClient } from './people.ts'
import { carryOut, publishIntent, pushBlob, pushManifest } from './people.ts'

export type Files = Readonly<Record<string, Uint8Array>>

/** Pushes an image for linux/arm64 with these files and registers it. */
export async function pushOsImage(
  client: TestClient,
  token: string,
  version: string,
  files: Files,
): Promise<PushedRelease> {
  await pushBlob(client, token, emptyBytes)
  const layers = []
  for (const [name, bytes] of Object.entries(files)) {
    await pushBlob(client, token, bytes)
    layers.push({
      mediaType: 'application/octet-stream',
      digest: `sha256:${hash('sha256', bytes)}` as const,
      size: bytes.length,
      annotations: { [titleAnnotation]: name },
    })
  }
  const manifest = encodeManifest({
    kind: 'manifest',
    mediaType: mediaTypes.manifest,
    artifactType: osImageArtifactType,
    config: emptyDescriptor,
    layers,
  })
  await pushManifest(client, token, manifest.bytes, mediaTypes.manifest)
  const { bytes: index } = encodeManifest({
    kind: 'index',
    mediaType: mediaTypes.index,
    artifactType: releaseArtifactType,
    manifests: [{ ...manifest.descriptor, platform: { os: 'linux', architecture: 'arm64' } }],
    annotations: {
      [releaseAnnotations.product]: 'acme',
      [releaseAnnotations.version]: version,
    },
  })
  await pushManifest(client, token, index, mediaTypes.index)
  await client.as(token).call(createRelease, {
    params: { product: 'acme' },
    body: { version, digest: `sha256:${hash('sha256', index)}` },
  })
  return {
    version,
    index,
    sha256: hash('sha256', index),
    sha512: hash('sha512', index),
    layer: Object.values(files)[0] ?? emptyBytes,
  }
}

/** Publishes a pushed image on `acme/stable`. */
export async function publishOsImage(
  client: TestClient,
  release: PushedRelease,
  signers: readonly Signer[],
  options: { readonly security?: boolean } = {},
): Promise<void> {
  const intent = publishIntent(release, options)
  if (intent.kind !== 'publish') throw new Error('not an intent to publish')
  const content = { ...intent.content, kind: 'os-image' as const, platforms: ['linux/arm64'] }
  await carryOut(client, { ...intent, content }, signers)
}

/**
 * Adds a device for linux/arm64, to fleet `shops` unless told otherwise; the answer holds its
 * token.
 */
export async function addForeignDevice(
  client: TestClient,
  wanted: { protocol: 'ddi' | 'omaha'; externalId?: string; fleet?: string },
): Promise<{ id: string; token: string }> {
  const { fleet = 'shops', ...body } = wanted
  const made = await client.api.call(createForeignDevice, {
    params: { fleet },
    body: { ...body, platform: 'linux/arm64' },
  })
  return { id: made.device.id, token: made.token }
}

function hash(algorithm: string, bytes: Uint8Array): string {
  return createHash(algorithm).update(bytes).digest('hex')
}
