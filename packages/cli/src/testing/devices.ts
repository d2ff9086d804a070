/**
 * Devices that register, check in and say they have done what they were told; nothing is installed.
 */
import { createClient } from '@seaworthy/api/client'
import {
  checkIn,
  createDeviceToken,
  readOwnSettings,
  registerDevice,
} from '@seaworthy/api/device-self'
import type { DeviceReport } from '@seaworthy/api/device-self'
import type { ReplyOf } from '@seaworthy/api/route'
import { httpsTransport } from '@seaworthy/oci/transport'
import { base64Encode, base64UrlEncode, hexDecode, utf8Encode } from '@seaworthy/std/bytes'
import { systemRandom } from '@seaworthy/std/random'
import { formatInstant, systemClock } from '@seaworthy/std/time'
import type { Enrolment } from '@seaworthy/trust/enrolment'
import type { Signer } from '@seaworthy/trust/keys'
import { generateSigner, registrationMessage, reportMessage } from '@seaworthy/trust/keys'
import { canonicalJson } from '@seaworthy/trust/tuf'
import type { TestedServer } from './server.ts'

type Running = NonNullable<DeviceReport['running']>
type Assignment = ReplyOf<typeof checkIn>['assignment']

export interface RegisteredDevice {
  readonly id: string
  /** The id of its signing key. */
  readonly keyId: string
  /** Fetches variables and secrets as its server gives them. */
  readConfiguration(): Promise<ReplyOf<typeof readOwnSettings>>
  /** The version that the device says it runs. */
  running: Running | null
  /** Which variables and secrets the device says that its application has. */
  configuration?: NonNullable<DeviceReport['configuration']>
  /** Asks once; an answer that names a release is remembered. */
  ask(): Promise<Assignment>
  /** Says that it is at work on what it was assigned last. */
  work(state: 'downloading' | 'installing' | 'watching'): Promise<void>
  /** Says that what it was assigned last runs and is well. */
  commit(): Promise<void>
  /** Says that it went back by itself, for `rollbackReason`. */
  rollBack(code: string): Promise<void>
}

/** What devices say of why they went back. */
export const rollbackReason = 'GET http://127.0.0.1/health was not healthy once in 2 s: status 500'

export interface RegisteredDevices {
  readonly devices: readonly RegisteredDevice[]
  close: () => void
}

/**
 * Registers `count` devices with a provisioning key. `counterOf` answers the counter of a release
 * by its target path.
 */
export async function registerDevices(
  server: Pick<TestedServer, 'url' | 'pin'>,
  options: {
    provisioningKey: string
    count: number
    counterOf: (targetPath: string) => number
    /** What each shows of its enrolment. */
    enrol?: (signer: Signer) => Promise<Enrolment>
  },
): Promise<RegisteredDevices> {
  const { transport, close } = httpsTransport({ pin: server.pin, idleTimeoutMs: 120_000 })
  const as = (token: string) => createClient({ baseUrl: server.url, transport, token: () => token })
  const devices: RegisteredDevice[] = []
  for (let i = 0; i < options.count; i++) {
    const signer = await generateSigner('ed25519')
    const enrolment = await options.enrol?.(signer)
    const { provisioningKey } = options
    const id = await register(as(provisioningKey), signer, provisioningKey, enrolment)
    const assertion = await makeAssertion(signer, id, server.url)
    const { accessToken } = await as('').call(createDeviceToken, { body: { assertion } })
    devices.push(createDevice(as(accessToken), { id, signer, counterOf: options.counterOf }))
  }
  return { devices, close }
}

type Client = ReturnType<typeof createClient>

async function register(
  client: Client,
  signer: Signer,
  provisioningKey: string,
  enrolment: Enrolment | undefined,
): Promise<string> {
  const keyId = `provisioning_${provisioningKey.split('_')[1]}`
  const proof = await sign(signer, registrationMessage(keyId, signer.keyId))
  const { keytype, scheme, keyval } = signer.key
  const registered = await client.call(registerDevice, {
    body: {
      publicKey: { keytype, scheme, keyval: { public: keyval.public } },
      proof: base64Encode(proof),
      platform: 'linux/amd64',
      agentVersion: '0.1.0',
      ...(enrolment === undefined ? {} : { enrolment }),
    },
  })
  return registered.deviceId
}

async function sign(signer: Signer, message: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  return hexDecode(await signer.sign(message))
}

async function makeAssertion(signer: Signer, id: string, origin: string): Promise<string> {
  const iat = Math.floor(systemClock.now().getTime() / 1000)
  const jti = base64UrlEncode(systemRandom.bytes(16))
  const claims = { iss: id, sub: id, aud: origin, iat, exp: iat + 300, jti }
  const encode = (part: unknown) => base64UrlEncode(utf8Encode(JSON.stringify(part)))
  const input = `${encode({ alg: 'EdDSA', typ: 'JWT' })}.${encode(claims)}`
  return `${input}.${base64UrlEncode(await sign(signer, utf8Encode(input)))}`
}

function createDevice(
  client: Client,
  { id, signer, counterOf }: { id: string; signer: Signer; counterOf: (path: string) => number },
): RegisteredDevice {
  let sequence = 0
  let assigned: NonNullable<Assignment> | undefined
  const send = async (
    update: DeviceReport['update'],
    failure?: DeviceReport['failure'],
  ): Promise<Assignment> => {
    sequence += 1
    const report: DeviceReport = {
      sequence,
      at: formatInstant(systemClock.now()),
      running: device.running,
      committedCounter: device.running?.counter ?? 0,
      floor: 0,
      update,
      metadata: {},
      timestampVerifiedAt: null,
      refusals: [],
      ...(device.configuration === undefined ? {} : { configuration: device.configuration }),
      ...(failure === undefined ? {} : { failure }),
      agentVersion: '0.1.0',
      platform: 'linux/amd64',
    }
    const message = reportMessage(canonicalJson(report))
    const signature = base64Encode(await sign(signer, message))
    const reply = await client.call(checkIn, { body: { report, signature } })
    if (reply.assignment !== null) assigned = reply.assignment
    return reply.assignment
  }
  const target = () => {
    if (assigned === undefined) throw new Error(`${id} was assigned nothing`)
    return { targetPath: assigned.targetPath, sha256: assigned.sha256 }
  }
  const device: RegisteredDevice = {
    id,
    keyId: signer.keyId,
    readConfiguration: () => client.call(readOwnSettings, {}),
    running: null,
    ask: () => send({ state: 'idle' }),
    async work(state) {
      await send({ state, ...target() })
    },
    async commit() {
      const { targetPath, sha256 } = target()
      const [product, , version] = targetPath.split('/') as [string, string, string]
      device.running = { product, version, sha256, counter: counterOf(targetPath) }
      await send({ state: 'committed', targetPath, sha256 })
    },
    async rollBack(code) {
      const { sha256 } = target()
      const failure = { sha256, code, reason: rollbackReason, output: ['lost its valve'] }
      await send({ state: 'rolled_back', code, ...target() }, failure)
    },
  }
  return device
}
