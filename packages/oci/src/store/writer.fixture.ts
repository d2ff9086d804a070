/**
 * Pushes small releases into a store until it is killed, collects garbage meanwhile, and prints
 * each digest once it is acknowledged.
 */
import { utf8Encode } from '@seaworthy/std/bytes'
import { systemRandom } from '@seaworthy/std/random'
import { systemClock, systemSleep } from '@seaworthy/std/time'
import type { Digest } from '../digests.ts'
import { digestOf } from '../digests.ts'
import { emptyBytes, emptyDescriptor, encodeManifest, mediaTypes } from '../manifests.ts'
import { httpsTransport } from '../transport.ts'
import { collectGarbage } from './garbage.ts'
import { openDiskStore } from './disk.ts'
import type { RegistryStore } from './index.ts'
import { putBlob } from './index.ts'
import { createS3Client, openS3Store, parseS3Location } from './s3/index.ts'

const [place, round] = process.argv.slice(2) as [string, string]
const ports = { clock: systemClock, random: systemRandom }

function openStore(): Promise<RegistryStore> {
  if (!place.startsWith('s3://')) return openDiskStore(place, ports)
  const { transport } = httpsTransport({ allowPlain: true, idleTimeoutMs: 10_000 })
  const credentials = {
    accessKeyId: process.env['AWS_ACCESS_KEY_ID']!,
    secretAccessKey: process.env['AWS_SECRET_ACCESS_KEY']!,
  }
  const all = { ...ports, transport, sleep: systemSleep }
  return openS3Store(createS3Client(parseS3Location(place), credentials, all), ports)
}
const store = await openStore()
process.stdout.write('ready\n')

async function* once(bytes: Uint8Array) {
  yield bytes
}

async function push(count: number): Promise<Digest> {
  const bytes = utf8Encode(`${round} ${count} `.repeat(5000))
  const layer = {
    mediaType: 'application/octet-stream',
    digest: digestOf(bytes),
    size: bytes.length,
  }
  await putBlob(store, 'product', layer, once(bytes))
  await putBlob(store, 'product', emptyDescriptor, once(emptyBytes))
  const manifest = encodeManifest({
    kind: 'manifest',
    mediaType: mediaTypes.manifest,
    artifactType: 'application/x-test',
    config: emptyDescriptor,
    layers: [layer],
  })
  const { digest } = await store.putManifest('product', {
    bytes: manifest.bytes,
    tag: `v${round}.${count}`,
  })
  return digest
}

async function pushAll(): Promise<void> {
  for (let count = 0; ; count++) process.stdout.write(`${await push(count)}\n`)
}

async function collectAll(): Promise<void> {
  for (;;) {
    await collectGarbage(store, { roots: async () => [], clock: systemClock, graceMs: 60_000 })
  }
}

await Promise.all([pushAll(), collectAll()])
