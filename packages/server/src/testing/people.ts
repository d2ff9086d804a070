/**
 * What people do with a server in tests: keys that it never sees, proposals built on verified
 * metadata, releases.
 */
import { createHash } from 'node:crypto'
import { buffer } from 'node:stream/consumers'
import type { ApiClient } from '@seaworthy/api/client'
import { createClient } from '@seaworthy/api/client'
import { createFleet } from '@seaworthy/api/fleets'
import { createProvisioningKey } from '@seaworthy/api/provisioning-keys'
import { addProposalSignatures, applyProposal, createProposal } from '@seaworthy/api/proposals'
import { createRelease } from '@seaworthy/api/releases'
import { showOnlineKeys } from '@seaworthy/api/trust'
import type { ContentTarget } from '@seaworthy/oci/content'
import type { EncodedManifest } from '@seaworthy/oci/manifests'
import type { CraftedBundle } from '@seaworthy/oci/crafted-release'
import { craftLayer, craftRelease } from '@seaworthy/oci/crafted-release'
import { httpsTransport } from '@seaworthy/oci/transport'
import { utf8Decode, utf8Encode } from '@seaworthy/std/bytes'
import type { Transport } from '@seaworthy/std/http'
import { readBody } from '@seaworthy/std/http'
import { newId } from '@seaworthy/std/ids'
import { systemRandom } from '@seaworthy/std/random'
import { systemClock } from '@seaworthy/std/time'
import type { Signer } from '@seaworthy/trust/keys'
import { generateSigner } from '@seaworthy/trust/keys'
import type { CurrentMetadata, Proposal, ProposalIntent } from '@seaworthy/trust/tuf'
import {
  buildProposal,
  formatProposal,
  formatSignatureFile,
  noMetadata,
  readCurrentMetadata,
  signProposal,
} from '@seaworthy/trust/tuf'
import { holdToDescription } from './listed-problems.ts'
import type { TestServer } from './server.ts'

export interface Response {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly bytes: Uint8Array
  readonly json: () => unknown
}

/** One connection pool to a server whose pin is checked. */
export interface TestClient {
  readonly transport: Transport
  readonly api: ApiClient
  readonly as: (token: string) => ApiClient
  readonly send: (
    method: string,
    path: string,
    options?: { token?: string; headers?: Record<string, string>; body?: Uint8Array | string },
  ) => Promise<Response>
  readonly close: () => void
}

export interface TestClientOptions {
  /**
   * How long the client waits for a connection, and for each next byte. A client that asks again
   * and again while processes are killed needs far less patience than the test that waits for it.
   */
  readonly answerMs?: number
}

/** Patience of clients that ask again when nothing comes. */
export const shortAnswerMs = 10_000

export function createTestClient(
  server: Pick<TestServer, 'url' | 'pin' | 'adminToken'>,
  { answerMs = 120_000 }: TestClientOptions = {},
): TestClient {
  const { transport, close } = httpsTransport({
    pin: server.pin,
    idleTimeoutMs: answerMs,
    connectionsMax: 256,
  })
  const as = (token: string) =>
    holdToDescription(createClient({ baseUrl: server.url, transport, token: () => token }))
  return {
    transport,
    api: as(server.adminToken),
    as,
    close,
    async send(method, path, options = {}) {
      const { token, headers, body } = options
      const response = await transport({
        method,
        url: server.url + path,
        headers: {
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
          ...headers,
        },
        ...(body === undefined ? {} : { body: typeof body === 'string' ? utf8Encode(body) : body }),
      })
      const bytes = await readBody(response, 64 * 1024 * 1024)
      return {
        status: response.status,
        headers: response.headers,
        bytes,
        json: () => JSON.parse(utf8Decode(bytes)) as unknown,
      }
    },
  }
}

/** Asks over a connection of its own. */
export async function askApart<T>(
  server: Pick<TestServer, 'url' | 'pin' | 'adminToken'>,
  ask: (client: TestClient) => Promise<T>,
  options: TestClientOptions = {},
): Promise<T> {
  const client = createTestClient(server, options)
  try {
    return await ask(client)
  } finally {
    client.close()
  }
}

/** The current metadata as a TUF client finds it; `noMetadata` before there is a root. */
export async function fetchCurrent(client: TestClient): Promise<CurrentMetadata> {
  const fetch = async (name: string) => {
    const { status, bytes } = await client.send('GET', `/tuf/${name}`)
    return status === 200 ? bytes : undefined
  }
  let root: Uint8Array | undefined
  for (let version = 1; ; version++) {
    const next = await fetch(`${version}.root.json`)
    if (next === undefined) break
    root = next
  }
  if (root === undefined) return noMetadata
  const timestamp = JSON.parse(utf8Decode((await fetch('timestamp.json'))!)) as {
    signed: { meta: { 'snapshot.json': { version: number } } }
  }
  const { version } = timestamp.signed.meta['snapshot.json']
  const snapshot = JSON.parse(utf8Decode((await fetch(`${version}.snapshot.json`))!)) as {
    signed: { meta: Record<string, { version: number }> }
  }
  const roles: [string, Uint8Array][] = []
  for (const [file, meta] of Object.entries(snapshot.signed.meta)) {
    const bytes = await fetch(`${meta.version}.${file}`)
    // The snapshot goes on naming roles that were retired, which are no longer served.
    if (bytes !== undefined) roles.push([file.replace(/\.json$/, ''), bytes])
  }
  return readCurrentMetadata(root, roles)
}

/** Builds a proposal on the current metadata. */
export async function propose(client: TestClient, intent: ProposalIntent): Promise<Proposal> {
  const now = systemClock.now()
  const id = newId('proposal', now, systemRandom)
  return buildProposal(intent, await fetchCurrent(client), { id, now })
}

/** Submits a proposal, has it signed by everybody, and applies it. */
export async function carryOut(
  client: TestClient,
  intent: ProposalIntent,
  signers: readonly Signer[],
): Promise<string> {
  const proposal = await propose(client, intent)
  await submit(client, proposal)
  await sign(client, proposal, signers)
  await client.api.call(applyProposal, { params: { proposalId: proposal.id } })
  return proposal.id
}

export async function submit(client: TestClient, proposal: Proposal): Promise<void> {
  const json = JSON.parse(utf8Decode(formatProposal(proposal))) as Record<string, unknown>
  await client.api.call(createProposal, { body: { proposal: json } })
}

export async function sign(
  client: TestClient,
  proposal: Proposal,
  signers: readonly Signer[],
): Promise<void> {
  const current = await fetchCurrent(client)
  for (const signer of signers) {
    const file = await signProposal(proposal, current, signer, systemClock.now())
    const signatures = JSON.parse(utf8Decode(formatSignatureFile(file))) as Record<string, unknown>
    const params = { proposalId: proposal.id }
    await client.api.call(addProposalSignatures, { params, body: { signatures } })
  }
}

/** Sets up two signers, a root, product `acme` with channel `stable`, and fleet `shops`. */
export async function setUpTrust(client: TestClient): Promise<{ signers: Signer[] }> {
  const signers = [await generateSigner('ed25519'), await generateSigner('p256')]
  const online = await client.api.call(showOnlineKeys, {})
  const people = { keys: signers.map(({ key }) => key), threshold: 2 }
  await carryOut(
    client,
    {
      kind: 'trust-init',
      roles: {
        root: people,
        targets: people,
        snapshot: { keys: online.snapshot, threshold: 1 },
        timestamp: { keys: online.timestamp, threshold: 1 },
      },
    },
    signers,
  )
  await carryOut(client, { kind: 'product-create', product: 'acme', authority: people }, signers)
  const stable = { product: 'acme', channel: 'stable' }
  await carryOut(client, { kind: 'channel-create', ...stable, authority: people }, signers)
  await client.api.call(createFleet, { body: { name: 'shops', ...stable, pollSeconds: 60 } })
  return { signers }
}

export async function makeProvisioningKey(
  client: TestClient,
  uses: number,
  fleet = 'shops',
  enrolmentKeyId?: string,
): Promise<string> {
  const { key } = await client.api.call(createProvisioningKey, {
    params: { fleet },
    body: { uses, lifetimeSeconds: 3600, enrolmentKeyId },
  })
  return key
}

export interface PushedRelease {
  readonly version: string
  readonly index: Uint8Array
  readonly sha256: string
  readonly sha512: string
  readonly layer: Uint8Array
}

/** Pushes a one-platform bundle release through `/v2/` and registers it. */
export async function pushRelease(
  client: TestClient,
  token: string,
  version: string,
  platform = 'linux/amd64',
): Promise<PushedRelease> {
  const { layer, files } = craftLayer([{ path: 'version', content: version }])
  const bundles = [{ platform, layer, listed: files }]
  const { bytes: index } = await pushCrafted(client, token, { version, bundles })
  await client.as(token).call(createRelease, {
    params: { product: 'acme' },
    body: { version, digest: `sha256:${sha256(index)}` },
  })
  const sha512 = createHash('sha512').update(index).digest('hex')
  return { version, index, sha256: sha256(index), sha512, layer }
}

/**
 * Pushes bundles of `acme` with whatever claims the test makes about them, and registers nothing.
 */
export async function pushCrafted(
  client: TestClient,
  token: string,
  release: { version: string; bundles: readonly CraftedBundle[] },
): Promise<EncodedManifest> {
  const target: ContentTarget = {
    hasBlob: async () => false,
    async putBlob(_expected, open) {
      await pushBlob(client, token, await buffer(open()))
    },
    putManifest: ({ bytes, mediaType }) => pushManifest(client, token, bytes, mediaType),
  }
  return await craftRelease(target, { product: 'acme', ...release })
}

export async function pushBlob(
  client: TestClient,
  token: string,
  bytes: Uint8Array,
  product = 'acme',
): Promise<void> {
  const path = `/v2/${product}/blobs/uploads/?digest=sha256:${sha256(bytes)}`
  const headers = {
    'content-type': 'application/octet-stream',
    'content-length': String(bytes.length),
  }
  const { status } = await client.send('POST', path, { token, headers, body: bytes })
  if (status !== 201) throw new Error(`pushing a blob: ${status}`)
}

export async function pushManifest(
  client: TestClient,
  token: string,
  bytes: Uint8Array,
  mediaType: string,
  product = 'acme',
): Promise<void> {
  const path = `/v2/${product}/manifests/sha256:${sha256(bytes)}`
  const headers = { 'content-type': mediaType, 'content-length': String(bytes.length) }
  const { status } = await client.send('PUT', path, { token, headers, body: bytes })
  if (status !== 201) throw new Error(`pushing a manifest: ${status}`)
}

/** Publishes a pushed release on `acme/stable`. */
export async function publishRelease(
  client: TestClient,
  release: PushedRelease,
  signers: readonly Signer[],
  options: PublishOptions = {},
): Promise<string> {
  return carryOut(client, publishIntent(release, options), signers)
}

export interface PublishOptions {
  readonly security?: boolean
}

export function publishIntent(
  release: PushedRelease,
  { security = false }: PublishOptions = {},
): ProposalIntent {
  return {
    kind: 'publish',
    content: {
      product: 'acme',
      channel: 'stable',
      version: release.version,
      kind: 'bundle',
      platforms: ['linux/amd64'],
      hardware: [],
      security,
      floor: 0,
      length: release.index.length,
      sha256: release.sha256,
      sha512: release.sha512,
    },
  }
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
