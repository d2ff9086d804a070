/** The typed client: one function for every route, over a transport that the caller provides. */
import { utf8Encode } from '@seaworthy/std/bytes'
import type { Transport } from '@seaworthy/std/http'
import { encodeSegment, readBody } from '@seaworthy/std/http'
import { z } from 'zod'
import { parseAnyJson } from '@seaworthy/std/json'
import { MalformedReplyError, ProblemError } from './call-errors.ts'
import { problemMediaType, problemSchema } from './problems.ts'
import type { BodyInputOf, ReplyOf, Route } from './route.ts'

type Member<Name extends string, T> = undefined extends T
  ? { [K in Name]?: T }
  : Record<string, never> extends T
    ? { [K in Name]?: T }
    : { [K in Name]: T }

export type CallInput<R extends Route> = Member<'params', z.input<R['params']>> &
  Member<'query', z.input<R['query']>> &
  Member<'body', BodyInputOf<R>> & { signal?: AbortSignal }

export interface ApiClient {
  /**
   * Calls a route. Throws `ProblemError` when the server says no, `TransportError` when it cannot
   * be reached, and `MalformedReplyError` when what answers does not speak this contract.
   */
  call<R extends Route>(route: R, input: CallInput<R>): Promise<ReplyOf<R>>
}

export interface ClientOptions {
  /** An origin without a path: `https://host:port`. */
  baseUrl: string
  transport: Transport
  /** The bearer token for routes that want one; asked for at every call. */
  token?: () => string | undefined | Promise<string | undefined>
  /** The longest reply that is read, in bytes; 16 MiB unless given. */
  replyBytesMax?: number
}

export function createClient(options: ClientOptions): ApiClient {
  const replyBytesMax = options.replyBytesMax ?? 16 * 1024 * 1024
  return {
    async call<R extends Route>(route: R, input: CallInput<R>): Promise<ReplyOf<R>> {
      const { params, query, body, signal } = input as {
        params?: Record<string, string>
        query?: Record<string, string | number | undefined>
        body?: unknown
        signal?: AbortSignal
      }
      const headers: Record<string, string> = { accept: 'application/json' }
      const needsNone = route.auth === 'public' || route.auth === 'pairing'
      const token = needsNone ? undefined : await options.token?.()
      if (token !== undefined) headers['authorization'] = `Bearer ${token}`
      if (body !== undefined) headers['content-type'] = 'application/json'
      const response = await options.transport({
        method: route.method,
        url: options.baseUrl + formatPath(route.path, params ?? {}) + formatQuery(query ?? {}),
        headers,
        ...(body === undefined ? {} : { body: utf8Encode(JSON.stringify(body)) }),
        ...(signal === undefined ? {} : { signal }),
      })
      const bytes = await readBody(response, replyBytesMax)
      if (response.status >= 400) throw problemOf(response.status, response.headers, bytes)
      if (response.status !== route.status) {
        throw new MalformedReplyError(`${route.name}: unexpected status ${response.status}`)
      }
      const reply = route.status === 204 ? undefined : parseJson(bytes)
      const parsed = z.safeParse<R['reply']>(route.reply, reply)
      if (!parsed.success) {
        throw new MalformedReplyError(`${route.name}: the reply does not have the agreed form`, {
          cause: parsed.error,
        })
      }
      return parsed.data
    },
  }
}

export function formatPath(path: string, params: Readonly<Record<string, string>>): string {
  return path.replace(/:([A-Za-z]+)/g, (_all, name: string) => {
    const value = params[name]
    if (value === undefined) throw new TypeError(`${path}: no value for ${name}`)
    const segment = encodeSegment(value)
    if (segment === undefined) throw new TypeError(`${path}: “${value}” cannot stand in an address`)
    return segment
  })
}

function formatQuery(query: Readonly<Record<string, string | number | undefined>>): string {
  const pairs = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined) pairs.append(name, String(value))
  }
  return pairs.size === 0 ? '' : `?${pairs.toString()}`
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return parseAnyJson(bytes)
  } catch (cause) {
    throw new MalformedReplyError('the reply is not JSON', { cause })
  }
}

function problemOf(
  status: number,
  headers: Readonly<Record<string, string>>,
  bytes: Uint8Array,
): ProblemError | MalformedReplyError {
  const retryAfter = /^\d{1,6}$/.exec(headers['retry-after'] ?? '')
  const isProblem = (headers['content-type'] ?? '').startsWith(problemMediaType)
  const parsed = isProblem ? problemSchema.safeParse(parseJson(bytes)) : undefined
  if (!parsed?.success)
    return new MalformedReplyError(`status ${status} without a problem document`)
  return new ProblemError(parsed.data, retryAfter ? Number(retryAfter[0]) : undefined)
}

export { MalformedReplyError } from './call-errors.ts'
