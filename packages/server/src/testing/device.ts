/** A device as the server sees it: it registers, signs in and checks in. It installs nothing. */
import { checkIn, createDeviceToken, registerDevice } from '@seaworthy/api/device-self'
import type { DeviceReport } from '@seaworthy/api/device-self'
import type { BodyOf, ReplyOf } from '@seaworthy/api/route'
import { base64Encode, base64UrlEncode, hexDecode, utf8Encode } from '@seaworthy/std/bytes'
import { systemRandom } from '@seaworthy/std/random'
import { formatInstant, systemClock } from '@seaworthy/std/time'
import type { Signer } from '@seaworthy/trust/keys'
import { generateSigner, registrationMessage, reportMessage } from '@seaworthy/trust/keys'
import { canonicalJson } from '@seaworthy/trust/tuf'
import type { TestClient } from './people.ts'

export interface TestDevice {
  readonly id: string
  readonly signer: Signer
  readonly accessToken: string
}

export async function proveRegistration(signer: Signer, provisioningKey: string): Promise<string> {
  const id = `provisioning_${provisioningKey.split('_')[1]}`
  const message = registrationMessage(id, signer.keyId)
  return base64Encode(hexDecode(await signer.sign(message)))
}

export async function register(
  client: TestClient,
  provisioningKey: string,
  signer: Signer,
  more: Pick<BodyOf<typeof registerDevice>, 'enrolment'> = {},
): Promise<ReplyOf<typeof registerDevice>> {
  return client.as(provisioningKey).call(registerDevice, {
    body: {
      publicKey: {
        keytype: signer.key.keytype,
        scheme: signer.key.scheme,
        keyval: { public: signer.key.keyval.public },
      },
      proof: await proveRegistration(signer, provisioningKey),
      platform: 'linux/amd64',
      agentVersion: '0.1.0',
      ...more,
    },
  })
}

/** A compact JWT signed by the device key; `changes` spoil it. */
export async function makeAssertion(
  signer: Signer,
  deviceId: string,
  origin: string,
  changes: Readonly<Record<string, unknown>> = {},
): Promise<string> {
  const issuedAt = Math.floor(systemClock.now().getTime() / 1000)
  const claims = {
    iss: deviceId,
    sub: deviceId,
    aud: origin,
    iat: issuedAt,
    exp: issuedAt + 300,
    jti: base64UrlEncode(systemRandom.bytes(16)),
    ...changes,
  }
  const encode = (part: unknown) => base64UrlEncode(utf8Encode(JSON.stringify(part)))
  const input = `${encode({ alg: 'EdDSA', typ: 'JWT' })}.${encode(claims)}`
  return `${input}.${base64UrlEncode(hexDecode(await signer.sign(utf8Encode(input))))}`
}

export async function addDevice(
  client: TestClient,
  origin: string,
  provisioningKey: string,
): Promise<TestDevice> {
  const signer = await generateSigner('ed25519')
  const { deviceId } = await register(client, provisioningKey, signer)
  const assertion = await makeAssertion(signer, deviceId, origin)
  const { accessToken } = await client.api.call(createDeviceToken, { body: { assertion } })
  return { id: deviceId, signer, accessToken }
}

export function makeReport(changes: Partial<DeviceReport> = {}): DeviceReport {
  return {
    sequence: 0,
    at: formatInstant(systemClock.now()),
    running: null,
    committedCounter: 0,
    floor: 0,
    update: { state: 'idle' },
    metadata: {},
    timestampVerifiedAt: null,
    refusals: [],
    agentVersion: '0.1.0',
    platform: 'linux/amd64',
    ...changes,
  }
}

export async function signReport(signer: Signer, report: DeviceReport): Promise<string> {
  const message = reportMessage(canonicalJson(report))
  return base64Encode(hexDecode(await signer.sign(message)))
}

export async function report(
  client: TestClient,
  device: TestDevice,
  changes: Partial<DeviceReport> = {},
  isSigned = false,
): Promise<ReplyOf<typeof checkIn>> {
  const body = makeReport(changes)
  const signature = isSigned ? await signReport(device.signer, body) : undefined
  return client.as(device.accessToken).call(checkIn, {
    body: { report: body, ...(signature === undefined ? {} : { signature }) },
  })
}
