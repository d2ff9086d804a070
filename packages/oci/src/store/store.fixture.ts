/** A store under test, and the content that tests put into it. */
import { joinBytes, utf8Encode } from '@seaworthy/std/bytes'
import { hourMs, ManualClock } from '@seaworthy/std/time'
import type { Digest } from '../digests.ts'
import { digestOf } from '../digests.ts'
import type { Descriptor, Manifest } from '../manifests.ts'
import { emptyBytes, emptyDescriptor, encodeManifest, mediaTypes } from '../manifests.ts'
import { collectGarbage } from './garbage.ts'
import type { RegistryStore } from './index.ts'
import { putBlob } from './index.ts'

export interface StoreUnderTest {
  store: RegistryStore
  clock: ManualClock
  /** The same store after its process has ended, if it outlives one. */
  reopen?: () => Promise<RegistryStore>
  /** Changes bytes of stored content behind the store's back. */
  damage?: (digest: Digest) => Promise<void>
  close: () => Promise<void>
}

export type OpenStore = () => Promise<StoreUnderTest>

/** Runs a test with a store of its own. */
export function withStore(
  open: OpenStore,
  run: (world: StoreUnderTest) => Promise<void>,
): () => Promise<void> {
  return async () => {
    const world = await open()
    try {
      await run(world)
    } finally {
      await world.close()
    }
  }
}

export const collect = ({ store, clock }: StoreUnderTest, roots: Digest[] = [], graceMs = hourMs) =>
  collectGarbage(store, { roots: async () => roots, clock, graceMs })

export async function* pieces(...parts: (Uint8Array | string)[]): AsyncGenerator<Uint8Array> {
  for (const part of parts) yield typeof part === 'string' ? utf8Encode(part) : part
}

export async function* breakingOff(part: Uint8Array): AsyncGenerator<Uint8Array> {
  yield part
  throw new Error('connection reset')
}

export async function readAll(source: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  for await (const part of source) parts.push(Uint8Array.from(part))
  return joinBytes(parts)
}

export async function putBytes(store: RegistryStore, repository: string, bytes: Uint8Array) {
  const blob = { digest: digestOf(bytes), size: bytes.length }
  await putBlob(store, repository, blob, pieces(bytes))
  return { mediaType: 'application/octet-stream', ...blob }
}

/** A manifest with one layer; returns its descriptor and its layer's digest. */
export async function putImage(
  store: RegistryStore,
  repository: string,
  layer: string,
  options: { tag?: string; subject?: Descriptor; artifactType?: string } = {},
) {
  const bytes = utf8Encode(layer)
  const layerDescriptor = await putBytes(store, repository, bytes)
  await putBytes(store, repository, emptyBytes)
  const manifest: Manifest = {
    kind: 'manifest',
    mediaType: mediaTypes.manifest,
    artifactType: options.artifactType ?? 'application/x-test',
    config: emptyDescriptor,
    layers: [layerDescriptor],
    ...(options.subject ? { subject: options.subject, annotations: { note: layer } } : {}),
  }
  const encoded = encodeManifest(manifest)
  await store.putManifest(repository, { bytes: encoded.bytes, tag: options.tag })
  return { descriptor: encoded.descriptor, layer: layerDescriptor.digest }
}

export async function putRelease(store: RegistryStore, repository: string, tag?: string) {
  const amd64 = await putImage(store, repository, 'amd64')
  const arm64 = await putImage(store, repository, 'arm64')
  const sbom = await putImage(store, repository, 'sbom', { subject: amd64.descriptor })
  const index = encodeManifest({
    kind: 'index',
    mediaType: mediaTypes.index,
    manifests: [amd64.descriptor, arm64.descriptor],
  })
  await store.putManifest(repository, { bytes: index.bytes, tag })
  return { index: index.descriptor, amd64, arm64, sbom }
}
