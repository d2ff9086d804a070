/**
 * A route as data: what the server mounts, the client calls and openapi.json describes. Bodies and
 * replies are JSON; requests are parsed strictly (unknown members are refused), replies loosely
 * (unknown members are dropped).
 */
import { z } from 'zod'

/** The kind of caller that a route lets in; the rest (roles, scopes) the server decides. */
export type RouteAuth =
  | 'public'
  /** A token, or a person's session. */
  | 'actor'
  /** A person's session and no token, for what concerns the person's own account. */
  | 'session'
  /** A command line that has no credential yet; the codes of its pairing are in the body. */
  | 'pairing'
  | 'provisioning-key'
  | 'device-assertion'
  | 'device'

export type RouteMethod = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'

export interface Route<
  Params extends z.ZodType = z.ZodType,
  Query extends z.ZodType = z.ZodType,
  Body extends z.ZodType = z.ZodType,
  Reply extends z.ZodType = z.ZodType,
  Name extends string = string,
  Method extends RouteMethod = RouteMethod,
> {
  /** Stable name, `noun.verb`: also the operationId and the audit action. */
  readonly name: Name
  readonly method: Method
  /** `/v1/…` with `:name` for parameters. */
  readonly path: string
  readonly auth: RouteAuth
  readonly summary: string
  readonly params: Params
  readonly query: Query
  readonly body: Body
  readonly reply: Reply
  /** The longest request body in bytes; 64 KiB unless the route says otherwise. */
  readonly bodyBytesMax: number
  readonly status: 200 | 201 | 204
  /**
   * Whether a person must have confirmed with a passkey within the last five minutes
   * (`step_up_required` otherwise). A token is its own confirmation.
   */
  readonly stepUp: boolean
}

export const nothing = z.undefined()
export type Nothing = typeof nothing
export const noMembers = z.strictObject({})
export type NoMembers = typeof noMembers

interface RouteInput<P, Q, B, R, N, M> {
  name: N
  method: M
  path: string
  auth: RouteAuth
  summary: string
  params?: P
  query?: Q
  body?: B
  reply: R
  bodyBytesMax?: number
  status?: Route['status']
  stepUp?: boolean
}

export function defineRoute<
  R extends z.ZodType,
  P extends z.ZodType = NoMembers,
  Q extends z.ZodType = NoMembers,
  B extends z.ZodType = Nothing,
  const N extends string = string,
  const M extends RouteMethod = RouteMethod,
>(input: RouteInput<P, Q, B, R, N, M>): Route<P, Q, B, R, N, M> {
  return {
    ...input,
    params: input.params ?? (noMembers as unknown as P),
    query: input.query ?? (noMembers as unknown as Q),
    body: input.body ?? (nothing as unknown as B),
    bodyBytesMax: input.bodyBytesMax ?? 64 * 1024,
    status: input.status ?? 200,
    stepUp: input.stepUp ?? false,
  }
}

export type ParamsOf<R extends Route> = z.output<R['params']>
export type QueryOf<R extends Route> = z.output<R['query']>
export type BodyOf<R extends Route> = z.output<R['body']>
/** A body as a client may write it, before the body's schema has read it. */
export type BodyInputOf<R extends Route> = Sendable<z.input<R['body']>>
/** What is only sent may be read-only. */
type Sendable<T> = T extends object ? { readonly [name in keyof T]: Sendable<T[name]> } : T
export type ReplyOf<R extends Route> = z.output<R['reply']>
/** A reply as a server may write it, before the reply's schema has read it. */
export type ReplyInputOf<R extends Route> = z.input<R['reply']>
