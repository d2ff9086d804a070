/** A server that was taken over: it says what it wants with the real server's key. */
import { setImmediate as turn } from 'node:timers/promises'
import { httpsTransport } from '@seaworthy/oci/transport'
import { utf8Decode, utf8Encode } from '@seaworthy/std/bytes'
import type { HttpRequest, Transport } from '@seaworthy/std/http'
import { readBody } from '@seaworthy/std/http'
import type { EnrolmentView } from '@seaworthy/api/devices'
import type { CliPorts } from '../ports.ts'

/** Changes the text of a reply: `undefined` leaves it as it is. */
export type Lie = (request: HttpRequest, text: string) => string | undefined

/** Answers by itself, without asking the real server. */
export type Fake = (
  request: HttpRequest,
) => string | { bytes: Uint8Array | readonly Uint8Array[]; type: string } | undefined

/** The pieces of a list come one by one, each a while after the one before. */
export async function* bodyOf(content: string | Uint8Array | readonly Uint8Array[]) {
  if (typeof content === 'string') yield utf8Encode(content)
  else if (content instanceof Uint8Array) yield content
  else {
    for (const piece of content) {
      yield piece
      for (let i = 0; i < 500; i++) await turn()
    }
  }
}

/**
 * A server that was taken over, as the command line sees it: it holds the real server's key and
 * says what it wants.
 */
export function lyingTransport(
  lie: () => Lie | undefined,
  fake: () => Fake | undefined = () => undefined,
): CliPorts['createTransport'] {
  return (options) => {
    const { transport, close } = httpsTransport({ ...options, idleTimeoutMs: 120_000 })
    const lying: Transport = async (request) => {
      const invented = fake()?.(request)
      if (typeof invented === 'string') {
        return { status: 200, headers: {}, body: bodyOf(invented) }
      }
      if (invented !== undefined) {
        const headers = { 'content-type': invented.type }
        return { status: 200, headers, body: bodyOf(invented.bytes) }
      }
      const response = await transport(request)
      const current = lie()
      if (current === undefined || response.status >= 300) return response
      const body = new Uint8Array(await readBody(response, 64 * 1024 * 1024))
      const isText = !request.url.includes('/blobs/') && !request.url.includes('/tile/')
      const changed = isText ? current(request, utf8Decode(body)) : undefined
      return { ...response, body: bodyOf(changed ?? body) }
    }
    return { transport: lying, close }
  }
}

interface Listed {
  items: EnrolmentView[]
  next: null
}

/** The list of a fleet's enrolments, changed. */
export const changeEnrolments =
  (change: (items: EnrolmentView[]) => readonly object[]): Lie =>
  ({ method, url }, text) => {
    if (method !== 'GET' || !url.includes('/enrolments')) return undefined
    const list = JSON.parse(text) as Listed
    return JSON.stringify({ ...list, items: change(list.items) })
  }

/** A fleet that is shown as one of another product or channel. */
export const changeFleet =
  (fleet: string, shown: { product?: string; channel?: string }): Lie =>
  ({ url }, text) =>
    url.endsWith(`/fleets/${fleet}`)
      ? JSON.stringify({ ...(JSON.parse(text) as object), ...shown })
      : undefined
