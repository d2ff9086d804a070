/**
 * Changes by OData. Each is a call of a route under `/v1`: permission, confirmation, effect, audit
 * action and the form of the body are those of the route. Changes of what a filter finds are in
 * `filtered-writes.ts`, those of tags and variables in `part-writes.ts`.
 */
import type { IncomingMessage } from 'node:http'
import type { Key, ODataRefusal } from '@seaworthy/api/odata'
import { setsByName } from '@seaworthy/api/odata'
import { removeDevice, setDevice } from '@seaworthy/api/devices'
import { createFleet, setFleet } from '@seaworthy/api/fleets'
import { createRollout } from '@seaworthy/api/rollouts'
import type { BodyOf, Route } from '@seaworthy/api/route'
import { nothing } from '@seaworthy/api/route'
import type { Refuse } from '@seaworthy/std/refusal'
import { invariant, refuseAs } from '@seaworthy/std/refusal'
import type { Actor } from '../../app/access/index.ts'
import type { App, WriteTx } from '../../app/app.ts'
import { lockTogether } from '../../app/devices/index.ts'
import { refuseBody } from '../bodies.ts'
import { noBrowser } from '../browsers.ts'
import type { Endpoint } from '../endpoint.ts'
import { bodyLimits } from '../limits.ts'
import { requireMayCall } from '../may-call.ts'
import { parsePart } from '../parse-part.ts'
import { parseJson, readJsonText } from '../request.ts'

export type Method = 'POST' | 'PATCH' | 'DELETE'

interface Write {
  readonly route: Route
  /** Parameters of the route, by the property of the key that each is. */
  readonly params: Readonly<Record<string, string>>
  /**
   * Takes all locks of a change of several entities; without it, entities are changed one by one.
   */
  readonly lock?: Lock
}

export type Lock = (tx: WriteTx, keys: readonly Key[], body: unknown) => Promise<void>

/** The routes by which entities are made (POST), changed and removed. */
const writes: Readonly<Record<string, Partial<Record<Method, Write>>>> = {
  devices: {
    PATCH: {
      route: setDevice,
      params: { deviceId: 'id' },
      lock: async (tx, keys, body) => {
        const toFleet = (body as BodyOf<typeof setDevice>).fleet ?? null
        await lockTogether(tx, keys.map(idOf), { leavesFleet: toFleet !== null, toFleet })
      },
    },
    DELETE: {
      route: removeDevice,
      params: { deviceId: 'id' },
      lock: (tx, keys) => lockTogether(tx, keys.map(idOf), { leavesFleet: true, toFleet: null }),
    },
  },
  fleets: {
    POST: { route: createFleet, params: {} },
    PATCH: { route: setFleet, params: { fleet: 'name' } },
  },
  rollouts: { POST: { route: createRollout, params: {} } },
}

const idOf = ([only]: Key) => only!.value

const refuse: Refuse = refuseAs<ODataRefusal>('odata_not_supported')

export interface AskedWrite {
  readonly method: Method
  readonly set: string
  readonly key: Key | null
}

export const isWriting = (method: string | undefined): method is Method =>
  method === 'POST' || method === 'PATCH' || method === 'DELETE'

/** Finds the route of a change. Throws `odata_not_supported`. */
export function findWrite(
  endpoints: readonly Endpoint[],
  { method, set }: Pick<AskedWrite, 'method' | 'set'>,
): Write & { readonly endpoint: Endpoint } {
  const ways = writes[set] ?? {}
  const write = ways[method]
  if (write === undefined) {
    const there = Object.keys(ways).join(', ')
    refuse(
      there === ''
        ? `${set} cannot be changed by OData: see docs/api for the routes that change them`
        : `${method} does nothing to ${set}; there is ${there}`,
    )
  }
  return { ...write, endpoint: endpointOf(endpoints, write.route) }
}

export function endpointOf(endpoints: readonly Endpoint[], { name }: Route): Endpoint {
  const endpoint = endpoints.find(({ route }) => route.name === name)
  invariant(endpoint !== undefined, 'every route is mounted')
  return endpoint
}

/** Throws `odata_not_supported` unless POST names a set, and another method one entity. */
export function requireKey({ method, set, key }: AskedWrite): void {
  if (method === 'POST' && key !== null) refuse('POST makes an entity of a set: leave out the key')
  if (method === 'POST' || key !== null) return
  const byFilter = writes[set]?.[method]?.lock === undefined ? '' : ', or say by $filter which'
  refuse(`name one entity by its key, as in ${set}('…')${byFilter}`)
}

/** Carries out the change, and answers with the key of the entity; `null` when it is gone. */
export async function write(
  app: App,
  endpoints: readonly Endpoint[],
  req: IncomingMessage,
  actor: Actor,
  asked: AskedWrite,
  now: Date,
): Promise<Key | null> {
  const { route, params, endpoint } = findWrite(endpoints, asked)
  const { method, set, key } = asked
  requireKey(asked)
  await requireMayCall(app, endpoint, actor, req.url!, now)
  const reply = await endpoint.run(app, {
    params: parsePart(route.params, paramsOf(params, key), 'path'),
    query: parsePart(route.query, {}, 'query'),
    body: await readBody(app, route, req),
    actor,
    browser: noBrowser,
    now,
  })
  if (method === 'DELETE') return null
  return key ?? keyIn(set, reply as Readonly<Record<string, unknown>>)
}

export function paramsOf(params: Write['params'], key: Key | null): Record<string, string> {
  const valueOf = (property: string) => key?.find((one) => one.property === property)?.value ?? ''
  return Object.fromEntries(
    Object.entries(params).map(([name, property]) => [name, valueOf(property)]),
  )
}

/** The key of what was made: the route answers with its properties. */
function keyIn(set: string, reply: Readonly<Record<string, unknown>>): Key {
  return setsByName.get(set)!.key.map((property) => ({ property, value: String(reply[property]) }))
}

export async function readBody(
  app: App,
  route: Pick<Route, 'body' | 'bodyBytesMax'>,
  req: IncomingMessage,
): Promise<unknown> {
  if (route.body === nothing) {
    refuseBody(req)
    return undefined
  }
  const text = await readJsonText(req, { ...bodyLimits.route, bytesMax: route.bodyBytesMax }, app)
  return parsePart(route.body, parseJson(text), 'body')
}
