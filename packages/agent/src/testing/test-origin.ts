/**
 * A server for tests: a TUF repository, the blobs of its releases, and the few calls a device
 * makes, over real HTTP on loopback. A test may replace any part of it. Used in tests and
 * benchmarks only.
 */
import { createHash } from 'node:crypto'
import { createReadStream, statSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:http'
import { readFile } from 'node:fs/promises'
import type { checkIn, DeviceReport, registerDevice } from '@seaworthy/api/device-self'
import type { BodyOf } from '@seaworthy/api/route'
import { systemRandom } from '@seaworthy/std/random'
import { formatInstant } from '@seaworthy/std/time'
import { buildRelease } from '@seaworthy/oci/release'
import { createLayout } from '@seaworthy/oci/layout'
import type { CraftedBundle } from '@seaworthy/oci/crafted-release'
import { craftRelease } from '@seaworthy/oci/crafted-release'
import type { PublicKey } from '@seaworthy/trust/keys'
import type { RepositorySimulator } from '@seaworthy/trust/testing'
import { createRepositorySimulator } from '@seaworthy/trust/testing'
import type { FakeReply } from './device-contract.ts'
import { isGenuineReport, readAssertion, readRegistration, refuseCall } from './device-contract.ts'

export const testProvisioningKey = `swp_${'0'.repeat(26)}_${'a'.repeat(64)}`
/** A provisioning key; each makes one device. */
export const freshProvisioningKey = (letter: string): string =>
  `swp_${letter.repeat(26)}_${letter.repeat(64)}`

interface KnownDevice {
  readonly id: string
  readonly key: PublicKey
  readonly keyId: string
  readonly provisioningKey: string
  isRemoved: boolean
}

export interface ReceivedReport {
  report: Record<string, unknown> & {
    sequence: number
    committedCounter: number
    running: { version: string } | null
    update: { state: string; targetPath?: string; sha256?: string; code?: string }
    refusals: { code: string; subject?: string }[]
    configuration?: DeviceReport['configuration']
    failure?: DeviceReport['failure']
  }
  isSigned: boolean
}

export interface TestOrigin {
  url: string
  repository: RepositorySimulator
  product: string
  channel: string
  /** What the check-in answers. */
  assignment: { targetPath: string; sha256: string; mayRestart?: boolean; attempt?: number } | null
  pollSeconds: number
  reports: ReceivedReport[]
  registrations: number
  /** What devices are given as variables and secrets. */
  configuration: { version: number; fleet: string; entries: unknown[] }
  /** What the last registration showed of its enrolment. */
  enrolment: unknown
  /** Id of the last registered device. */
  deviceId(): string
  /** Removes a device, as an operator does. */
  removeDevice(id: string): void
  /** Makes the server forget a device, as if a backup from before its registration was restored. */
  forgetDevice(id: string): void
  /**
   * Restores an older backup: devices registered after this one are unknown, and this one is not
   * removed.
   */
  restore(id: string): void
  /** Looks at each request first; `true` when it has answered. */
  intercept:
    | ((request: IncomingMessage, response: ServerResponse) => boolean | Promise<boolean>)
    | undefined
  requests: string[]
  /**
   * Builds a release from a folder, lists it and, unless told otherwise, assigns it. Resolves with
   * the digest of its index.
   */
  release(
    version: string,
    folder: string,
    options?: {
      counter?: number
      floor?: number
      platforms?: string[]
      assign?: boolean
      channel?: string
      /** Bundles with whatever a builder says of them, in place of the folder. */
      bundles?: readonly CraftedBundle[]
    },
  ): Promise<{ sha256: string; layer: { digest: string; size: number } }>
  close(): Promise<void>
}

export const testPlatform = `linux/${process.arch === 'x64' ? 'amd64' : process.arch}`

/** Starts the server. `folder` is for the layouts; the caller removes it. */
export async function startTestOrigin(folder: string, now = new Date()): Promise<TestOrigin> {
  const repository = await createRepositorySimulator(now)
  const product = 'gauge'
  const channel = 'stable'
  await repository.addProduct(product)
  await repository.addChannel(product, channel)
  /** Files by the path behind `/v2/<product>/` and `/tuf/targets/`. */
  const blobs = new Map<string, { path: string; mediaType: string }>()
  const devices: KnownDevice[] = []
  const forgotten = new Set<string>()
  let lastSequence = 0
  let releases = 0

  const origin: TestOrigin = {
    url: '',
    repository,
    product,
    channel,
    assignment: null,
    pollSeconds: 3600,
    reports: [],
    registrations: 0,
    enrolment: undefined,
    configuration: { version: 0, fleet: 'test', entries: [] },
    deviceId: () => devices.at(-1)?.id ?? '',
    removeDevice(id) {
      devices.find((device) => device.id === id)!.isRemoved = true
    },
    forgetDevice(id) {
      forgotten.add(id)
    },
    restore(id) {
      const index = devices.findIndex((device) => device.id === id)
      devices.splice(index + 1)
      devices[index]!.isRemoved = false
    },
    intercept: undefined,
    requests: [],
    async release(version, source, options = {}) {
      const layoutFolder = `${folder}/layout-${++releases}`
      const platforms = options.platforms ?? [testPlatform]
      const layout = await createLayout(layoutFolder, systemRandom)
      const built =
        options.bundles === undefined
          ? await buildRelease({
              product,
              version,
              platforms: platforms.map((platform) => ({
                platform,
                source: { kind: 'folder', path: source },
              })),
              layout,
            })
          : await craftRelease(layout, { product, version, bundles: options.bundles })
      const place = (digest: string) => `${layoutFolder}/blobs/${digest.replace(':', '/')}`
      const hex = built.descriptor.digest.slice(7)
      const into = options.channel ?? channel
      blobs.set(`/tuf/targets/${product}/${into}/${hex}.${version}`, {
        path: place(built.descriptor.digest),
        mediaType: built.descriptor.mediaType,
      })
      const index = JSON.parse(Buffer.from(built.bytes).toString()) as {
        manifests: { digest: string; mediaType: string }[]
      }
      let layer = { digest: '', size: 0 }
      for (const { digest, mediaType } of index.manifests) {
        blobs.set(`/v2/${product}/manifests/${digest}`, { path: place(digest), mediaType })
        const manifest = JSON.parse(await readFile(place(digest), 'utf8')) as {
          layers: { digest: string; size: number }[]
        }
        for (const item of manifest.layers) {
          blobs.set(`/v2/${product}/blobs/${item.digest}`, {
            path: place(item.digest),
            mediaType: 'application/octet-stream',
          })
        }
        if (layer.digest === '') layer = manifest.layers[0]!
      }
      await repository.addRelease(product, into, version, {
        length: built.bytes.length,
        sha256: hex,
        sha512: createHash('sha512').update(built.bytes).digest('hex'),
        platforms,
        ...(options.counter === undefined ? {} : { counter: options.counter }),
        ...(options.floor === undefined ? {} : { floor: options.floor }),
      })
      if (options.assign !== false) {
        origin.assignment = { targetPath: `${product}/${into}/${version}`, sha256: hex }
      }
      return { sha256: hex, layer }
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }

  /** The calls of the API; `bearer` is what the request was sent with. */
  const calls: Record<string, (body: never, bearer: string) => Promise<FakeReply>> = {
    async '/v1/device/register'(body: BodyOf<typeof registerDevice>, provisioningKey: string) {
      const registration = await readRegistration(body, provisioningKey)
      if (registration === undefined) return refuseCall(403, 'proof_invalid')
      const { key, keyId: id } = registration
      let device = devices.find((known) => known.keyId === id)
      if (device?.isRemoved === true) return refuseCall(403, 'device_removed')
      if (device !== undefined && device.provisioningKey !== provisioningKey) {
        return refuseCall(409, 'device_already_registered')
      }
      const isUsed = devices.some((known) => known.provisioningKey === provisioningKey)
      if (device === undefined && isUsed) return refuseCall(403, 'provisioning_key_used_up')
      const made = {
        id: `device_${String(devices.length).repeat(26).slice(0, 26)}`,
        ...{ key, keyId: id },
        provisioningKey,
        isRemoved: false,
      }
      origin.registrations++
      origin.enrolment = body.enrolment
      if (device === undefined) devices.push((device = made))
      return {
        status: 201,
        reply: {
          deviceId: device.id,
          fleet: 'test',
          product,
          channel,
          kind: 'bundle',
          serverTime: formatInstant(new Date()),
        },
      }
    },
    async '/v1/device/token'({ assertion }: { assertion: string }) {
      const read = readAssertion(assertion)
      if (read === undefined) return refuseCall(401, 'assertion_invalid')
      const device = devices.find(({ id }) => id === read.claims.sub && !forgotten.has(id))
      if (device === undefined) return refuseCall(401, 'assertion_device_unknown')
      if (!(await read.isBy(device.key))) return refuseCall(401, 'assertion_invalid')
      if (device.isRemoved) return refuseCall(403, 'device_removed')
      return {
        status: 200,
        reply: {
          accessToken: `token-of-${device.id}`,
          expiresAt: formatInstant(new Date(Date.now() + 3_600_000)),
        },
      }
    },
    async '/v1/device/configuration'() {
      return { status: 200, reply: origin.configuration }
    },
    async '/v1/device/check-in'(
      body: BodyOf<typeof checkIn> & { report: ReceivedReport['report'] },
      bearer: string,
    ) {
      const { report, signature } = body
      const device = devices.find(({ id }) => bearer === `token-of-${id}` && !forgotten.has(id))
      if (device === undefined) return refuseCall(401, 'unauthenticated')
      if (device.isRemoved) return refuseCall(403, 'device_removed')
      if (!(await isGenuineReport(device.key, body))) return refuseCall(403, 'signature_invalid')
      if (signature !== undefined) {
        lastSequence = Math.max(lastSequence, report.sequence)
      }
      origin.reports.push({ report, isSigned: signature !== undefined })
      return {
        status: 200,
        reply: {
          assignment: origin.assignment,
          pollSeconds: origin.pollSeconds,
          configVersion: origin.configuration.version,
          commands: [],
          serverTime: formatInstant(new Date()),
          acknowledgedSequence: signature === undefined ? null : lastSequence,
        },
      }
    },
  }

  const server = createServer((request, response) => {
    const path = decodeURIComponent(request.url ?? '')
    origin.requests.push(`${request.method} ${path}`)
    serve(path, request, response).catch((error: unknown) =>
      response.writeHead(500).end(String(error)),
    )
  })

  const serve = async (path: string, request: IncomingMessage, response: ServerResponse) => {
    if (await origin.intercept?.(request, response)) return
    await answer(path, request, response)
  }

  const answer = async (path: string, request: IncomingMessage, response: ServerResponse) => {
    const call = calls[path]
    if (call !== undefined) {
      const parts: Buffer[] = []
      for await (const part of request) parts.push(part as Buffer)
      const bearer = (request.headers.authorization ?? '').replace('Bearer ', '')
      const text = Buffer.concat(parts).toString()
      const body = (text === '' ? undefined : JSON.parse(text)) as never
      const { status, reply } = await call(body, bearer)
      const type = status >= 400 ? 'application/problem+json' : 'application/json'
      response.writeHead(status, { 'content-type': type }).end(JSON.stringify(reply))
      return
    }
    const blob = blobs.get(path)
    if (blob !== undefined) return serveFile(blob.path, blob.mediaType, request, response)
    const metadata = path.startsWith('/tuf/') ? repository.files.get(path.slice(5)) : undefined
    if (metadata === undefined) response.writeHead(404).end()
    else response.writeHead(200, { 'content-length': metadata.length }).end(metadata)
  }

  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  const address = server.address()
  origin.url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`
  return origin
}

function serveFile(
  path: string,
  mediaType: string,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const { size } = statSync(path)
  const range = /^bytes=(\d+)-$/.exec(request.headers.range ?? '')
  const start = range === null ? 0 : Number(range[1])
  response.writeHead(range === null ? 200 : 206, {
    'content-type': mediaType,
    'content-length': size - start,
    ...(range === null ? {} : { 'content-range': `bytes ${start}-${size - 1}/${size}` }),
  })
  createReadStream(path, { start }).pipe(response)
}
