/**
 * Changes of entities that are parts of others: a tag is changed by the route of its device, a
 * variable by that of its fleet. What the route needs beyond the key is read in the transaction of
 * the change, under the locks of the route.
 */
import type { IncomingMessage } from 'node:http'
import { setDevice } from '@seaworthy/api/devices'
import type { Key, PartSet } from '@seaworthy/api/odata'
import { partValue, setsByName, wholeParts } from '@seaworthy/api/odata'
import type { Route } from '@seaworthy/api/route'
import { nothing } from '@seaworthy/api/route'
import { removeVariable, setVariable } from '@seaworthy/api/variables'
import { invariant } from '@seaworthy/std/refusal'
import type { Actor, Current } from '../../app/access/index.ts'
import { changeAudited } from '../../app/access/index.ts'
import type { App, WriteTx } from '../../app/app.ts'
import { passGate } from '../../app/approvals/index.ts'
import { findDevice, lockTogether } from '../../app/devices/index.ts'
import { notFound } from '../../app/odata/index.ts'
import { refuseBody } from '../bodies.ts'
import { noBrowser } from '../browsers.ts'
import type { Endpoint } from '../endpoint.ts'
import { requireMayCall } from '../may-call.ts'
import { parsePart } from '../parse-part.ts'
import type { AskedWrite, Method } from './writes.ts'
import { endpointOf, readBody, requireKey } from './writes.ts'

/** The parts of a call as the route takes them, before they are checked. */
interface RouteCall {
  readonly params: Readonly<Record<string, string>>
  readonly query?: Readonly<Record<string, string>>
  readonly body?: object
}

/** A part by its key, and the value that it is to have; without one it goes. */
type Part = Readonly<Record<'name', string>> & Readonly<Record<string, string>>

interface PartWrite {
  readonly sets: Route
  readonly removes: Route
  readonly callOf: (tx: WriteTx, actor: Current, part: Part) => Promise<RouteCall>
}

const parts: Readonly<Record<PartSet, PartWrite>> = {
  deviceTags: {
    sets: setDevice,
    removes: setDevice,
    async callOf(tx, actor, { device: deviceId = '', name, value }) {
      // Two tags that are set at the same time both stay.
      await lockTogether(tx, [deviceId], { leavesFleet: false, toFleet: null })
      const { tags } = await findDevice(tx, actor, deviceId)
      if (value === undefined && !Object.hasOwn(tags, name)) throw notFound('deviceTags')
      const others = Object.entries(tags).filter(([one]) => one !== name)
      const own = value === undefined ? [] : [[name, value] as const]
      return { params: { deviceId }, body: { tags: Object.fromEntries([...others, ...own]) } }
    },
  },
  deviceVariables: {
    sets: setVariable,
    removes: removeVariable,
    async callOf(tx, actor, { device: deviceId = '', name, value }) {
      const { fleet } = await findDevice(tx, actor, deviceId)
      const params = { fleet, variable: name }
      return value === undefined
        ? { params, query: { deviceId } }
        : { params, body: { deviceId, value } }
    },
  },
  fleetVariables: {
    sets: setVariable,
    removes: removeVariable,
    callOf: async (_tx, _actor, { fleet = '', name, value }) => ({
      params: { fleet, variable: name },
      ...(value === undefined ? {} : { body: { value } }),
    }),
  },
}

export const isOfPart = (set: string): set is PartSet => Object.hasOwn(parts, set)

/** Carries out the change, and answers with the key of the part; `null` when it is gone. */
export async function writePart(
  app: App,
  endpoints: readonly Endpoint[],
  req: IncomingMessage,
  actor: Actor,
  { method, set, key }: AskedWrite & { readonly set: PartSet },
  now: Date,
): Promise<Key | null> {
  requireKey({ method, set, key })
  const { sets, removes, callOf } = parts[set]
  const endpoint = endpointOf(endpoints, method === 'DELETE' ? removes : sets)
  const { route, alone } = endpoint
  invariant(alone !== undefined, 'its work needs nothing before the transaction')
  await requireMayCall(app, endpoint, actor, req.url!, now)
  if (method === 'DELETE') refuseBody(req)
  const named = Object.fromEntries((key ?? []).map(({ property, value }) => [property, value]))
  const part = (
    method === 'DELETE' ? named : await readWhole(app, route, req, { method, set, named })
  ) as Part
  const keyNow = setsByName.get(set)!.key.map((property) => ({ property, value: part[property]! }))

  const callIn = async (tx: WriteTx, current: Current) => {
    const { params, query = {}, body } = await callOf(tx, current, part)
    return {
      params: parsePart(route.params, params, 'path'),
      query: parsePart(route.query, query, 'query'),
      body: route.body === nothing ? undefined : parsePart(route.body, body, 'body'),
      actor: current,
      browser: noBrowser,
    }
  }
  const subject = part['device'] ?? part['fleet'] ?? ''
  await changeAudited(
    app,
    { actor, action: route.name, subject },
    async (tx, current) => {
      const call = await callIn(tx, current)
      return { subject: alone.subject(call), ...(await alone.work(app, tx, call)) }
    },
    {
      needsStepUp: route.stepUp === true,
      gate: async (tx, current) => {
        const { effect } = alone
        if (effect === undefined) return { isOpen: true }
        const call = { action: route.name, subject, input: { part } }
        return passGate(tx, app, current, call, async () =>
          effect(app, tx, await callIn(tx, current)),
        )
      },
    },
  )
  return method === 'DELETE' ? null : keyNow
}

/** The new part: the whole of it from the body, or only its value. */
async function readWhole(
  app: App,
  { bodyBytesMax }: Route,
  req: IncomingMessage,
  { method, set, named }: { method: Method; set: PartSet; named: Readonly<Record<string, string>> },
): Promise<unknown> {
  const body = method === 'POST' ? wholeParts[set] : partValue
  const sent = (await readBody(app, { body, bodyBytesMax }, req)) as object
  return method === 'POST' ? sent : parsePart(wholeParts[set], { ...named, ...sent }, 'body')
}
