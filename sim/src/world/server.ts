/**
 * An honest server, as devices meet it: registration, tokens, check-ins with the real rules of
 * `fleet`, and the artifact store. It is a model of the wire contract (`api`), not of the server's
 * storage. An attacker who took the server over changes what it answers.
 */
import type { AssertionClaims } from '@seaworthy/agent/testing'
import {
  isGenuineReport,
  readAssertion,
  readRegistration,
  refuseCall,
} from '@seaworthy/agent/testing'
import { checkIn, createDeviceToken, registerDevice } from '@seaworthy/api/device-self'
import type { DeviceReport } from '@seaworthy/api/device-self'
import { problemMediaType } from '@seaworthy/api/problems'
import { chooseAssignment, judgeSigned, judgeUnsigned } from '@seaworthy/fleet/devices'
import type { Judgement } from '@seaworthy/fleet/devices'
import type { FleetPolicy } from '@seaworthy/fleet/fleets'
import type { HttpRequest } from '@seaworthy/std/http'
import { equalBytes, hexEncode, joinBytes, utf8Decode, utf8Encode } from '@seaworthy/std/bytes'
import { newId } from '@seaworthy/std/ids'
import type { Random } from '@seaworthy/std/random'
import { formatInstant, hourMs } from '@seaworthy/std/time'
import type { PublicKey } from '@seaworthy/trust/keys'
import { canonicalJson, listReleases } from '@seaworthy/trust/tuf'
import type { TargetsSigned } from '@seaworthy/trust/tuf'
import type { WireReply } from './network.ts'
import type { ArtifactStore } from './artifacts.ts'
import { answerFromArtifacts, notFound } from './artifacts.ts'

export interface AssignedTarget {
  targetPath: string
  sha256: string
}

export interface DeviceRecord {
  id: string
  publicKey: PublicKey
  product: string
  channel: string
  /** The newest report that was taken, signed or not, and when. */
  report: DeviceReport | undefined
  heardAt: Date | undefined
  /** The newest last. */
  signedReports: DeviceReport[]
  isRemoved: boolean
}

interface Fleet {
  product: string
  channel: string
  usesLeft: number
}

export interface SimServer {
  readonly origin: string
  readonly devices: Map<string, DeviceRecord>
  artifacts: ArtifactStore
  /**
   * What a thief who holds the server assigns, whatever the rules say; `undefined` leaves it to the
   * rules.
   */
  assign: ((device: DeviceRecord) => AssignedTarget | null) | undefined
  /** Creates a provisioning key for that many devices. */
  createProvisioningKey(fleet: { product: string; channel: string; uses: number }): string
  answer(request: HttpRequest, path: string): Promise<WireReply>
  /** Notes what it knows of devices; the function returned makes it know exactly that again. */
  remember(): () => void
}

const pollSeconds = 3600

export function createSimServer(options: {
  origin: string
  now: () => Date
  random: Random
  artifacts: ArtifactStore
  /** The channel's metadata as the server knows it. */
  channelOf: (product: string, channel: string) => TargetsSigned | undefined
}): SimServer {
  const { origin, now, random, channelOf } = options
  const devices = new Map<string, DeviceRecord>()
  const provisioningKeys = new Map<string, Fleet>()
  const tokens = new Map<string, { deviceId: string; expiresAt: Date }>()

  const register = async (request: HttpRequest): Promise<WireReply> => {
    const secret = bearerOf(request)
    const fleet = provisioningKeys.get(secret)
    const body = registerDevice.body.safeParse(await readJson(request))
    if (fleet === undefined) return problem(401, 'not_authenticated')
    if (!body.success) return problem(400, 'invalid_request')
    const registration = await readRegistration(body.data, secret)
    if (registration === undefined) return problem(403, 'proof_invalid')
    const { key } = registration
    let device = [...devices.values()].find(
      ({ publicKey }) => publicKey.keyval.public === key.keyval.public,
    )
    if (device === undefined) {
      if (fleet.usesLeft < 1) return problem(403, 'provisioning_key_used_up')
      fleet.usesLeft--
      device = {
        id: newId('device', now(), random),
        publicKey: key,
        product: fleet.product,
        channel: fleet.channel,
        report: undefined,
        heardAt: undefined,
        signedReports: [],
        isRemoved: false,
      }
      devices.set(device.id, device)
    }
    return json(201, {
      deviceId: device.id,
      fleet: `${device.product}-${device.channel}`,
      product: device.product,
      channel: device.channel,
      kind: 'bundle',
      serverTime: formatInstant(now()),
    })
  }

  const giveToken = async (request: HttpRequest): Promise<WireReply> => {
    const body = createDeviceToken.body.safeParse(await readJson(request))
    if (!body.success) return problem(400, 'invalid_request')
    const claims = await verifyAssertion(body.data.assertion)
    if (claims === undefined) return problem(401, 'not_authenticated')
    const { sub: deviceId, iat, exp, nonce } = claims
    // The challenge has a form that needs no key: the device that answers with it has asked just
    // before.
    const seconds = Math.floor(now().getTime() / 1000)
    const challenge = `${deviceId}-${Math.floor(seconds / 300)}`
    if (nonce !== undefined && nonce !== challenge) {
      return problem(401, 'assertion_challenge_invalid', { challenge })
    }
    if (nonce === undefined && exp <= seconds) {
      return problem(401, 'assertion_expired', { challenge })
    }
    if (nonce === undefined && iat > seconds + 60) {
      return problem(401, 'assertion_too_early', { challenge })
    }
    const accessToken = hexEncode(random.bytes(16))
    const expiresAt = new Date(now().getTime() + hourMs)
    tokens.set(accessToken, { deviceId, expiresAt })
    return json(200, { accessToken, expiresAt: formatInstant(expiresAt) })
  }

  /** The claims of a device of ours, `undefined` when none made it. */
  const verifyAssertion = async (assertion: string): Promise<AssertionClaims | undefined> => {
    const read = readAssertion(assertion)
    const device = read && devices.get(read.claims.sub)
    if (read === undefined || device === undefined) return undefined
    if (device.isRemoved || read.claims.aud !== origin) return undefined
    return (await read.isBy(device.publicKey)) ? read.claims : undefined
  }

  const deviceOf = (request: HttpRequest): DeviceRecord | undefined => {
    const token = tokens.get(bearerOf(request))
    if (token === undefined || token.expiresAt.getTime() <= now().getTime()) return undefined
    const device = devices.get(token.deviceId)
    return device?.isRemoved === false ? device : undefined
  }

  const takeCheckIn = async (request: HttpRequest): Promise<WireReply> => {
    const device = deviceOf(request)
    if (device === undefined) return problem(401, 'not_authenticated')
    const body = checkIn.body.safeParse(await readJson(request))
    if (!body.success) return problem(400, 'invalid_request')
    const { report, signature } = body.data
    if (!(await isGenuineReport(device.publicKey, body.data))) {
      return problem(403, 'report_signature_invalid')
    }
    const judged = judge(device, report, signature !== undefined)
    if (judged === 'signature_missing') return problem(422, 'report_signature_missing')
    if (judged === 'overtaken') return problem(409, 'report_sequence_reused')
    device.report = report
    device.heardAt = now()
    return json(200, {
      assignment: server.assign === undefined ? assignByRule(device) : server.assign(device),
      pollSeconds,
      configVersion: 0,
      commands: [],
      serverTime: formatInstant(now()),
      acknowledgedSequence: signature === undefined ? null : report.sequence,
    })
  }

  /** Judges a report by what the device has signed before, and keeps it where it is signed. */
  const judge = (
    { signedReports }: DeviceRecord,
    report: DeviceReport,
    isSigned: boolean,
  ): Judgement['kind'] => {
    if (!isSigned) return judgeUnsigned(report, signedReports.toReversed()).kind
    const newest = signedReports.at(-1)
    const { kind } = judgeSigned(report.sequence, newest?.sequence ?? null)
    if (kind !== 'accepted' || report.sequence !== newest?.sequence) {
      if (kind === 'accepted') signedReports.push(report)
      return kind
    }
    return equalBytes(canonicalJson(report), canonicalJson(newest)) ? kind : 'overtaken'
  }

  const assignByRule = (device: DeviceRecord): AssignedTarget | null => {
    const { product, channel, report } = device
    const metadata = channelOf(product, channel)
    if (report === undefined || metadata === undefined) return null
    const releases = listReleases(metadata).releases.map((release) => ({
      ...release,
      targetPath: release.path,
    }))
    const policy: FleetPolicy = {
      name: `${product}-${channel}`,
      product,
      channel,
      pollSeconds,
      pinnedVersion: null,
      updatesEnabled: true,
      follow: 'newest',
      configVersion: 0,
      baseline: null,
      reboot: { strategy: 'immediate' },
    }
    const { release } = chooseAssignment({ ...report, hardware: null }, policy, releases)
    return release && { targetPath: release.targetPath, sha256: release.sha256 }
  }

  const server: SimServer = {
    origin,
    devices,
    artifacts: options.artifacts,
    assign: undefined,
    createProvisioningKey({ product, channel, uses }) {
      const key = `swp_${hexEncode(random.bytes(6))}_${hexEncode(random.bytes(16))}`
      provisioningKeys.set(key, { product, channel, usesLeft: uses })
      return key
    },
    remember() {
      const records = [...devices].map(([id, record]) => [id, copyRecord(record)] as const)
      const keys = [...provisioningKeys].map(([key, fleet]) => [key, { ...fleet }] as const)
      return () => {
        devices.clear()
        for (const [id, record] of records) devices.set(id, copyRecord(record))
        provisioningKeys.clear()
        for (const [key, fleet] of keys) provisioningKeys.set(key, { ...fleet })
      }
    },
    async answer(request, path) {
      switch (`${request.method} ${path}`) {
        case 'POST /v1/device/register':
          return register(request)
        case 'POST /v1/device/token':
          return giveToken(request)
        case 'POST /v1/device/check-in':
          return takeCheckIn(request)
        default:
          return answerFromArtifacts(server.artifacts, request, path) ?? notFound
      }
    },
  }
  return server
}

function copyRecord(record: DeviceRecord): DeviceRecord {
  return { ...record, signedReports: [...record.signedReports] }
}

function bearerOf(request: HttpRequest): string {
  return /^Bearer (\S+)$/.exec(request.headers?.['authorization'] ?? '')?.[1] ?? ''
}

async function readJson(request: HttpRequest): Promise<unknown> {
  const parts: Uint8Array[] = []
  if (request.body instanceof Uint8Array) parts.push(request.body)
  else if (request.body !== undefined) for await (const part of request.body) parts.push(part)
  try {
    return JSON.parse(utf8Decode(joinBytes(parts)))
  } catch {
    // The schema says what is wrong with `undefined`.
    return undefined
  }
}

function json(status: number, value: unknown): WireReply {
  const headers = { 'content-type': 'application/json' }
  return { status, headers, body: utf8Encode(JSON.stringify(value)) }
}

function problem(status: number, code: string, more?: { challenge?: string }): WireReply {
  const body = utf8Encode(JSON.stringify(refuseCall(status, code, more).reply))
  return { status, headers: { 'content-type': problemMediaType }, body }
}
