/** The main job, from an empty folder to a device that is told what to run. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { after, before, test } from 'node:test'
import { readCredential } from '@seaworthy/api/credentials'
import { ProblemError } from '@seaworthy/api/problems'
import { listProducts } from '@seaworthy/api/products'
import { createRelease, showRelease } from '@seaworthy/api/releases'
import { showTrustStatus } from '@seaworthy/api/trust'
import type { ContentTarget } from '@seaworthy/oci/content'
import { putBytes, storeContent } from '@seaworthy/oci/content'
import { craftLayer } from '@seaworthy/oci/crafted-release'
import { digestOf } from '@seaworthy/oci/digests'
import { emptyBytes, encodeManifest, mediaTypes } from '@seaworthy/oci/manifests'
import { osImageArtifactType } from '@seaworthy/oci/os-image'
import { releaseAnnotations, releaseArtifactType } from '@seaworthy/oci/release-index'
import { createMemoryStore } from '@seaworthy/oci/store/memory'
import { systemRandom } from '@seaworthy/std/random'
import { systemClock } from '@seaworthy/std/time'
import type { Signer } from '@seaworthy/trust/keys'
import type { PublishedContent } from '@seaworthy/trust/tuf'
import { createContentChecks } from './app/content/index.ts'
import { listFileHashes } from './db/release-files.ts'
import { getToken } from './db/tokens.ts'
import { releaseEndpoints } from './http/releases.ts'
import type { PushedRelease, TestClient, TestDevice, TestServer } from './testing/index.ts'
import {
  addDevice,
  carryOut,
  createTestClient,
  makeProvisioningKey,
  propose,
  publishIntent,
  publishRelease,
  pushCrafted,
  pushRelease,
  report,
  setUpTrust,
  startTestServer,
  submit,
} from './testing/index.ts'

let server: TestServer
let client: TestClient
let signers: Signer[]
let release: PushedRelease
let device: TestDevice

before(async () => {
  server = await startTestServer({ isFirstStart: true })
  client = createTestClient(server)
})
after(async () => {
  client.close()
  await server.stop()
})

test('T1 a root, a product and a channel are published by proposals that two people signed', async () => {
  const empty = await client.api.call(showTrustStatus, {})
  assert.equal(empty.initialized, false)
  ;({ signers } = await setUpTrust(client))
  const status = await client.api.call(showTrustStatus, {})
  assert.deepEqual(
    status.roles.map(({ role }) => role),
    ['root', 'timestamp', 'snapshot', 'targets', 'acme', 'acme.stable'],
  )
  assert.ok(status.roles.every(({ alarm }) => alarm === 'none'))
  const { items } = await client.api.call(listProducts, {})
  assert.deepEqual(
    items.map(({ name, channels }) => [name, channels.map((c) => c.name)]),
    [['acme', ['stable']]],
  )
})

test('B10 a release is pushed through the registry, registered and published', async () => {
  release = await pushRelease(client, server.adminToken, '1.0.0')
  await publishRelease(client, release, signers)
  const params = { product: 'acme', version: '1.0.0' }
  const view = await client.api.call(showRelease, { params })
  assert.deepEqual(view.channels, [{ channel: 'stable', counter: 1 }])
  assert.equal(view.kind, 'bundle')
  assert.deepEqual(
    view.platforms.map(({ platform }) => platform),
    ['linux/amd64'],
  )
})

test('T11 a release that is not what is said of it is neither registered nor proposed', async () => {
  const { layer } = craftLayer([{ path: 'app', content: 'back door' }])
  const listed = craftLayer([{ path: 'app', content: 'honest' }]).files
  const lying = { platform: 'linux/amd64', layer, listed }
  const truth = { ...lying, listed: craftLayer([{ path: 'app', content: 'back door' }]).files }
  const body = (bytes: Uint8Array, version: string) => ({
    version,
    digest: `sha256:${createHash('sha256').update(bytes).digest('hex')}`,
  })
  const params = { product: 'acme' }
  const refused = (code: string) => (error: unknown) =>
    error instanceof ProblemError && error.code === code && error.status === 422
  for (const [version, bundle, code] of [
    ['6.0.0', lying, 'file_list_mismatch'],
    ['6.0.1', { platform: 'linux/amd64', layer }, 'file_list_mismatch'],
    ['6.0.2', { ...lying, filedUnder: '..' }, 'file_list_mismatch'],
    ['6.0.3', { ...lying, layer: new Uint8Array([1, 2, 3]) }, 'zstd_damaged'],
  ] as const) {
    const pushed = await pushCrafted(client, server.adminToken, { version, bundles: [bundle] })
    await assert.rejects(
      client.api.call(createRelease, { params, body: body(pushed.bytes, version) }),
      refused(code),
    )
    // A proposal needs no registration, but the release it lists is checked all the same.
    await assert.rejects(proposeRelease(version, pushed.bytes), refused(code))
  }
  const { bytes } = await pushCrafted(client, server.adminToken, {
    version: '6.0.4',
    bundles: [truth],
  })
  for (const lie of [
    { kind: 'container' as const },
    { platforms: ['linux/amd64', 'linux/arm64'] },
    { length: bytes.length + 1 },
    { sha512: 'a'.repeat(128) },
    { version: '6.0.5' },
  ]) {
    await assert.rejects(proposeRelease('6.0.4', bytes, lie), refused('release_mismatch'))
  }
})

async function putOsImage(target: ContentTarget, version: string, files: readonly Uint8Array[]) {
  const config = await putBytes(target, emptyBytes, mediaTypes.empty)
  const layers = []
  for (const [i, bytes] of files.entries()) {
    const annotations = { 'org.opencontainers.image.title': `part-${i}` }
    layers.push({ ...(await putBytes(target, bytes, 'application/octet-stream')), annotations })
  }
  const put = async ({ bytes, descriptor }: ReturnType<typeof encodeManifest>) => {
    await target.putManifest({ bytes, ...descriptor })
    return descriptor
  }
  const artifactType = osImageArtifactType
  const manifest = await put(
    encodeManifest({
      kind: 'manifest',
      mediaType: mediaTypes.manifest,
      artifactType,
      config,
      layers,
    }),
  )
  const { digest } = await put(
    encodeManifest({
      kind: 'index',
      mediaType: mediaTypes.index,
      artifactType: releaseArtifactType,
      manifests: ['amd64', 'arm64'].map((architecture) => ({
        ...manifest,
        platform: { os: 'linux', architecture },
      })),
      annotations: {
        [releaseAnnotations.product]: 'images',
        [releaseAnnotations.version]: version,
      },
    }),
  )
  return digest
}

test('B10 O1 no transaction is open while the content of a release is read, however large', async (t) => {
  const db = server.openDatabase()
  t.after(() => db.close())
  let openCount = 0
  const counted: typeof db.write = async (work) => {
    openCount++
    try {
      return await db.write(work)
    } finally {
      openCount--
    }
  }
  const store = createMemoryStore({ clock: systemClock, random: systemRandom })
  const openAtReads: number[] = []
  const watched: typeof store = {
    ...store,
    getManifest: async (repository, digest) => {
      openAtReads.push(openCount)
      return await store.getManifest(repository, digest)
    },
    openBlob: async (repository, digest) => {
      openAtReads.push(openCount)
      return await store.openBlob(repository, digest)
    },
  }
  const targets = { signed: { delegations: { roles: [{ name: 'images' }] } } }
  const state = { roles: new Map([['targets', targets]]), releases: new Map() }
  const app = {
    db: { ...db, write: counted },
    store: watched,
    contentChecks: createContentChecks(),
    contentReads: createContentChecks(),
    trust: { state: () => state, freshState: async () => state },
  }
  const credential = readCredential(server.adminToken)
  assert.ok(typeof credential !== 'string')
  const actor = {
    kind: 'token',
    id: credential.id,
    token: await getToken(db.reader, credential.id),
  }
  const create = releaseEndpoints.find(({ route }) => route === createRelease)!
  const register = async (version: string, files: readonly Uint8Array[]) => {
    const digest = await putOsImage(storeContent(store, 'images'), version, files)
    const call = { actor, params: { product: 'images' }, body: { version, digest } }
    await create.run(app as never, call as never)
  }
  const opened = () => openAtReads.length
  const files = [Buffer.from('boot'), Buffer.from('root')]
  await register('1.0', files)
  assert.ok(opened() > 0)
  assert.deepEqual([...new Set(openAtReads)], [0])
  const rows = await listFileHashes(
    db.reader,
    files.map((bytes) => digestOf(bytes)),
  )
  assert.deepEqual(
    rows.map(({ sha1 }) => Buffer.from(sha1).toString('hex')).toSorted(),
    files.map((bytes) => createHash('sha1').update(bytes).digest('hex')).toSorted(),
  )

  // Registering another release with the same files reads none of them again.
  watched.openBlob = async () => assert.fail('a file was read again')
  await register('1.0-again', files)
  assert.deepEqual([...new Set(openAtReads)], [0])
})

async function proposeRelease(
  version: string,
  index: Uint8Array,
  lie: Partial<PublishedContent> = {},
): Promise<void> {
  const hex = (name: string) => createHash(name).update(index).digest('hex')
  const hashes = { sha256: hex('sha256'), sha512: hex('sha512') }
  const intent = publishIntent({ version, index, ...hashes, layer: index })
  assert.ok(intent.kind === 'publish')
  const content = { ...intent.content, ...lie }
  await submit(client, await propose(client, { kind: 'publish', content }))
}

test('T1 the target is served under both its hashes, immutable, and by entity tag', async () => {
  for (const hash of [release.sha256, release.sha512]) {
    const path = `/tuf/targets/acme/stable/${hash}.1.0.0`
    const { status, bytes, headers } = await client.send('GET', path)
    assert.equal(status, 200)
    assert.deepEqual(Buffer.from(bytes), Buffer.from(release.index))
    assert.match(headers['cache-control']!, /immutable/)
    const again = await client.send('GET', path, { headers: { 'if-none-match': headers['etag']! } })
    assert.equal(again.status, 304)
  }
  const other = createHash('sha256').update('other').digest('hex')
  const missing = await client.send('GET', `/tuf/targets/acme/stable/${other}.1.0.0`)
  assert.equal(missing.status, 404)
  const timestamp = await client.send('GET', '/tuf/timestamp.json')
  assert.doesNotMatch(timestamp.headers['cache-control']!, /immutable/)
})

test('D2 a device registers, signs in, and is told exactly one release', async () => {
  device = await addDevice(client, server.url, await makeProvisioningKey(client, 1))
  const reply = await report(client, device)
  assert.deepEqual(reply.assignment, {
    targetPath: 'acme/stable/1.0.0',
    sha256: release.sha256,
  })
  assert.equal(reply.pollSeconds, 60)
})

test('D2 a device that runs the newest release is told nothing', async () => {
  const running = { product: 'acme', version: '1.0.0', sha256: release.sha256, counter: 1 }
  const changes = { sequence: 1, running, committedCounter: 1, floor: 1 }
  const signed = await report(client, device, changes, true)
  assert.equal(signed.assignment, null)
  assert.equal(signed.acknowledgedSequence, 1)
})

test('D12 a withdrawn release is not assigned any more, and its target is gone', async () => {
  const next = await pushRelease(client, server.adminToken, '1.1.0')
  await publishRelease(client, next, signers)
  const running = { product: 'acme', version: '1.0.0', sha256: release.sha256, counter: 1 }
  const idle = { sequence: 1, running, committedCounter: 1, floor: 1 }
  const offered = await report(client, device, idle)
  assert.equal(offered.assignment?.targetPath, 'acme/stable/1.1.0')
  const withdrawal = { product: 'acme', channel: 'stable', version: '1.1.0' }
  await carryOut(client, { kind: 'withdraw', ...withdrawal }, signers)
  assert.equal((await report(client, device, idle)).assignment, null)
  const path = `/tuf/targets/acme/stable/${next.sha256}.1.1.0`
  assert.equal((await client.send('GET', path)).status, 404)
})
