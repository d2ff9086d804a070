/** What DDI clients send: where, by whom, and bodies whose unknown members are ignored. */
import type { IncomingMessage } from 'node:http'
import { parseAnyJson } from '@seaworthy/std/json'
import type { App, ForeignIdentity } from '../../app/app.ts'
import type { Execution, Feedback, Result } from '@seaworthy/fleet/protocols'
import { detailsMax, executions, results } from '@seaworthy/fleet/protocols'
import type { AttributeMode } from '../../app/foreign/index.ts'
import { registerBehind } from '../../app/foreign/index.ts'
import { externalIdField } from '@seaworthy/api/foreign-devices'
import type { BodyPorts } from '../bodies.ts'
import { readBytes } from '../bodies.ts'
import { bodyLimits } from '../limits.ts'
import { findUnstorable } from '../plain-json.ts'
import { HttpError } from '../problems.ts'

export interface DdiTarget {
  readonly tenant: string
  readonly controllerId: string
  /** The decoded segments after the controller id. */
  readonly rest: readonly string[]
}

const pathForm = /^\/([^/]+)\/controller\/v1\/([^/]+)(?:\/(.*))?$/

/** `/{tenant}/controller/v1/{controllerId}/…`; `undefined` for any other path. */
export function parseTarget(path: string): DdiTarget | undefined {
  const match = pathForm.exec(path)
  if (match === null) return undefined
  try {
    const controllerId = decodeURIComponent(match[2]!)
    const rest = match[3] === undefined || match[3] === '' ? [] : match[3].split('/')
    return {
      tenant: decodeURIComponent(match[1]!),
      controllerId,
      rest: rest.map((segment) => decodeURIComponent(segment)),
    }
  } catch (error) {
    if (error instanceof URIError) return undefined
    throw error
  }
}

const authorizationForm = /^(TargetToken|GatewayToken)\s+(\S{1,128})$/i

export function credentialOf(req: IncomingMessage): string | undefined {
  return authorizationForm.exec(req.headers.authorization ?? '')?.[2]
}

/**
 * Answers whose credential the request carries. A token is good only for its own device; a
 * gateway's is good for those that it has registered, which may happen here. Headers that a proxy
 * could set vouch for nobody.
 */
export async function identifyController(
  app: App,
  req: IncomingMessage,
  controllerId: string,
): Promise<ForeignIdentity | undefined> {
  const match = authorizationForm.exec(req.headers.authorization ?? '')
  if (match === null) return undefined
  if (match[1]!.toLowerCase() === 'targettoken') {
    const identity = await app.foreignIdentities.identifyDevice(match[2]!)
    const isItsOwn = identity?.protocol === 'ddi' && identity.externalId === controllerId
    return isItsOwn ? identity : undefined
  }
  if (!externalIdField.safeParse(controllerId).success) return undefined
  const gateway = await app.foreignIdentities.identifyGateway(match[2]!)
  return gateway && registerBehind(app, gateway.id, controllerId)
}

/**
 * Reads a JSON object, whatever the content type says, since clients differ. Throws
 * `invalid_request` and `body_too_large`.
 */
export async function readObject(
  req: IncomingMessage,
  ports: BodyPorts,
): Promise<Readonly<Record<string, unknown>>> {
  const bytes = await readBytes(req, bodyLimits.ddi, ports)
  let value: unknown
  try {
    value = parseAnyJson(bytes)
  } catch (cause) {
    throw new HttpError('invalid_request', 'the body is not JSON', { cause })
  }
  const fault = findUnstorable(value)
  if (fault !== undefined) throw invalid(`the body: ${fault}`)
  return asObject(value, 'the body')
}

/**
 * Everything besides `status`, such as `id` and `time`, says nothing that the path does not say.
 */
export function parseFeedback(body: Readonly<Record<string, unknown>>): Feedback {
  const status = asObject(body['status'], 'status')
  const execution = executions.find((one): one is Execution => one === status['execution'])
  if (execution === undefined) throw invalid('status.execution is none of the known ones')
  const given = status['result'] ?? {}
  const result = asObject(given, 'status.result')
  const finished = results.find((one): one is Result => one === (result['finished'] ?? 'none'))
  if (finished === undefined) throw invalid('status.result.finished is none of the known ones')
  const code = status['code'] ?? null
  if (code !== null && !isInteger32(code)) throw invalid('status.code is not a number')
  const details = status['details'] ?? []
  if (!isTexts(details)) throw invalid('status.details is not a list of texts')
  if (details.length > detailsMax) {
    throw new HttpError('too_many_requests', `more than ${detailsMax} messages in one status`)
  }
  return { execution, finished, percent: parsePercent(result['progress']), code, details }
}

function parsePercent(value: unknown): number | null {
  if (typeof value !== 'object' || value === null) return null
  const { cnt, of } = value as { cnt?: unknown; of?: unknown }
  // JSON can write numbers that are read as infinite, and the share of two of them is none.
  if (!Number.isFinite(cnt) || !Number.isFinite(of) || (of as number) <= 0) return null
  return Math.round(Math.min(1, Math.max(0, (cnt as number) / (of as number))) * 100)
}

const textLengthMax = 128

export function parseAttributes(body: Readonly<Record<string, unknown>>): {
  mode: AttributeMode
  data: Record<string, string>
} {
  const modes = ['merge', 'replace', 'remove'] as const
  const mode = modes.find((one) => one === (body['mode'] ?? 'merge'))
  if (mode === undefined) throw invalid('mode must be merge, replace or remove')
  const data: Record<string, string> = {}
  for (const [key, value] of Object.entries(asObject(body['data'] ?? {}, 'data'))) {
    const isGood =
      key.length > 0 && key.length <= textLengthMax && (typeof value === 'string' || value === null)
    if (!isGood || (value ?? '').length > textLengthMax) {
      throw invalid(`keys and values must be texts of at most ${textLengthMax} characters`)
    }
    data[key] = value ?? ''
  }
  return { mode, data }
}

export function parseInstalled(body: Readonly<Record<string, unknown>>): {
  name: string
  version: string
} {
  const { name, version } = body
  if (typeof name === 'string' && typeof version === 'string') return { name, version }
  throw invalid('name and version must be texts')
}

/** A positive integer of 32 bits in decimal, or `undefined`. */
export function parseActionId(text: string): number | undefined {
  const id = Number(text)
  return /^[1-9]\d{0,9}$/.test(text) && id <= 0x7fffffff ? id : undefined
}

function asObject(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>
  }
  throw invalid(`${what} is not an object`)
}

function isInteger32(value: unknown): value is number {
  return Number.isInteger(value) && Math.abs(value as number) <= 0x7fffffff
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((one) => typeof one === 'string')
}

function invalid(publicMessage: string): HttpError {
  return new HttpError('invalid_request', publicMessage)
}
