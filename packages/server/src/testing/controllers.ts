/** DDI clients for tests: requests as real clients make them, byte for byte where it matters. */
import assert from 'node:assert/strict'
import { waitUntil } from '@seaworthy/std/testing'
import { addForeignDevice } from './os-images.ts'
import type { TestClient } from './people.ts'

export interface Reply {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly text: string
  readonly bytes: Uint8Array
  // oxlint-disable-next-line typescript/no-explicit-any -- a foreign document, looked into by path
  readonly body: any
}

export interface Controller {
  readonly id: string
  /** `path` is below the controller's own address; a text as body is sent as it is. */
  readonly send: (
    method: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ) => Promise<Reply>
}

export function createController(
  client: TestClient,
  controllerId: string,
  authorization: string | null,
  tenant = 'DEFAULT',
): Controller {
  return {
    id: controllerId,
    async send(method, path, body, headers = {}) {
      const url = `/${tenant}/controller/v1/${encodeURIComponent(controllerId)}${path}`
      const reply = await client.send(method, url, {
        headers: {
          accept: 'application/json',
          ...(authorization === null ? {} : { authorization }),
          ...(body === undefined ? {} : { 'content-type': 'application/json;charset=UTF-8' }),
          ...headers,
        },
        ...(body === undefined
          ? {}
          : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      })
      const text = Buffer.from(reply.bytes).toString()
      const isJson = reply.headers['content-type']?.includes('json') === true
      return { ...reply, text, body: isJson ? JSON.parse(text) : undefined }
    },
  }
}

export interface AddedController extends Controller {
  readonly deviceId: string
  readonly token: string
}

/** Adds a device for linux/arm64 with a token of its own. */
export async function addController(
  client: TestClient,
  externalId: string,
  fleet = 'shops',
): Promise<AddedController> {
  const { id, token } = await addForeignDevice(client, { protocol: 'ddi', externalId, fleet })
  return { deviceId: id, token, ...createController(client, externalId, `TargetToken ${token}`) }
}

/** The part of a reply's link that is below the controller's address. */
export function pathOf(href: string): string {
  const match = /^https:\/\/[^/]+\/[^/]+\/controller\/v1\/[^/]+(\/.*)$/.exec(href)
  assert.ok(match, href)
  return match[1]!
}

/** Polls; answers the action that is to be deployed, if any. */
export async function pollAction(unit: Controller): Promise<number | undefined> {
  const { status, body } = await unit.send('GET', '')
  assert.equal(status, 200)
  const href: string | undefined = body._links.deploymentBase?.href
  return href === undefined ? undefined : Number(/deploymentBase\/(\d+)\?c=\d+$/.exec(href)?.[1])
}

/** Polls until there is an action; waves open within a second or so. */
export async function awaitAction(unit: Controller): Promise<number> {
  let action: number | undefined
  await waitUntil('an action is offered', async () => {
    action = await pollAction(unit)
    return action !== undefined
  })
  return action!
}

/** A feedback as most clients send it. */
export function said(execution: string, finished = 'none', more: object = {}): object {
  return { status: { execution, result: { finished }, ...more } }
}
