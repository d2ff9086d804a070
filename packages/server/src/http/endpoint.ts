/**
 * How a route gets its work: `read` for GET, `audited` for everything that changes something. A
 * changing route that is mounted in another way does not compile, and there is no other way to make
 * an `Endpoint`.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { BodyOf, ParamsOf, QueryOf, ReplyInputOf, Route } from '@seaworthy/api/route'
import type { Permission } from '@seaworthy/fleet/access'
import type { Actor, Change, Current, Passage } from '../app/access/index.ts'
import type { App, RightsTx, WriteTx } from '../app/app.ts'
import type { GuardedEffect } from '../app/approvals/index.ts'
import { passGate } from '../app/approvals/index.ts'
import type { Asked, OpenedSession, Site } from '../app/people/index.ts'
import type { Browser, Cookie } from './browsers.ts'
import type { GuardedRoute, KindOf, UnguardedRoute } from './effects.ts'
import type { JsonValue } from '@seaworthy/trust/tuf'
import {
  changeAudited,
  changeRightsAudited,
  readCurrent,
  recordRefusal,
} from '../app/access/index.ts'

const sealed = Symbol('made by this module')

export interface Call<R extends Route> {
  readonly params: ParamsOf<R>
  readonly query: QueryOf<R>
  readonly body: BodyOf<R>
  readonly actor: Actor
  readonly browser: Browser
  /** The time of the whole request. */
  readonly now: Date
}

/** A call whose actor was read again when the whole request was there. */
type Whole<C extends { readonly actor: Actor }> = C & { readonly actor: Current }

/**
 * Work that changes something takes its time from the transaction (`tx.now()`), as its audit entry
 * does: the two share one clock, whatever the replica's own clock says.
 */
type AuditedCall<R extends Route> = Omit<Call<R>, 'now'>

/**
 * Makes a signal, when it is asked for, that is aborted if the caller goes away before its answer.
 */
type Leaving = () => AbortSignal

/** A route with its work. */
export interface Endpoint {
  readonly route: Route
  readonly permission: Permission
  readonly run: (app: App, call: Call<Route>, leaving?: Leaving) => Promise<unknown>
  /**
   * Reads bodies of the most common form without the schema, with the same value; answers
   * `undefined` for any other text.
   */
  readonly fastBody?: ((text: string) => unknown) | undefined
  /**
   * The work without its transaction, for a change made of several calls; absent where the work
   * must run alone.
   */
  readonly alone?: Work | undefined
  readonly [sealed]: true
}

/** The work of a changing route, without its transaction and its entry. */
export interface Work {
  readonly subject: (call: AuditedCall<Route>) => string
  readonly effect: DescribeEffect<Route> | undefined
  readonly work: (app: App, tx: WriteTx, call: Whole<AuditedCall<Route>>) => Promise<Done<Route>>
}

interface CommonOptions<R extends Route, Ahead> {
  /** The permission is checked before the body is read. */
  readonly permission: Permission
  /** What the audit entry is about. */
  readonly subject: (call: AuditedCall<R>) => string
  /**
   * The answer to a call that has nothing to change. It writes nothing, because strangers may ask
   * as often as they like. `undefined` goes on to the work.
   */
  readonly early?: (app: App, call: AuditedCall<R>) => Promise<ReplyInputOf<R> | undefined>
  /**
   * Work that takes long and changes nothing. It is done before the transaction, which gets what it
   * found; its refusals are recorded like those of the work.
   */
  readonly before?: (
    app: App,
    call: AuditedCall<R>,
    leaving: AbortSignal | undefined,
  ) => Promise<Ahead>
}

/** A route that stands in the table of effects. */
type Changing = Route & { readonly name: GuardedRoute | UnguardedRoute }

/**
 * What the call would do, for whoever must approve it where the rules say so; `null` when it does
 * nothing of that kind. It is asked for only where there are rules, before the work and in its
 * transaction, and may take the work's locks.
 */
type DescribeEffect<R extends Route, Effect extends GuardedEffect = GuardedEffect> = (
  app: App,
  tx: WriteTx,
  call: Whole<AuditedCall<R>>,
) => Promise<Effect | null>

type Options<R extends Changing, Ahead> = CommonOptions<R, Ahead> &
  (R['name'] extends GuardedRoute
    ? {
        readonly effect: DescribeEffect<R, GuardedEffect<KindOf<R['name']>>>
      }
    : { readonly effect?: never })

export interface Done<R extends Route> extends Change {
  /**
   * A function makes the reply after the commit, where that takes a part of the world which no
   * transaction takes back. Its refusals are recorded like those of the work.
   */
  readonly reply: ReplyInputOf<R> | (() => Promise<ReplyInputOf<R>>)
  /** Set once the change is committed. */
  readonly cookies?: readonly Cookie[]
}

export function read<R extends Route & { readonly method: 'GET' }>(
  route: R,
  permission: Permission,
  work: (app: App, call: Call<R>, leaving?: Leaving) => Promise<ReplyInputOf<R>>,
): Endpoint {
  return { route, permission, run: work, [sealed]: true }
}

/**
 * The work, audit entry and reply of a changing route share one transaction; a refusal is recorded
 * in a transaction of its own.
 */
export function audited<R extends Changing, Ahead = undefined>(
  route: R,
  options: Options<R, Ahead>,
  work: (app: App, tx: WriteTx, call: Whole<AuditedCall<R>>, ahead: Ahead) => Promise<Done<R>>,
): Endpoint {
  const endpoint = changing(changeAudited, route, options, work)
  const { subject, effect, before, early } = options as Options<R, Ahead> & {
    readonly effect?: DescribeEffect<R>
  }
  if (before !== undefined || early !== undefined) return endpoint
  const alone = {
    subject,
    effect,
    work: (app: App, tx: WriteTx, call: Whole<AuditedCall<R>>) =>
      work(app, tx, call, undefined as Ahead),
  }
  // The parts of an endpoint in a list have no static types; the schemas check them at run time.
  return { ...endpoint, alone: alone as unknown as Work }
}

/**
 * Like `audited`, for routes that end rights: while one of them runs, nobody else changes anything.
 */
export function endsRights<R extends Changing, Ahead = undefined>(
  route: R,
  options: Options<R, Ahead>,
  work: (app: App, tx: RightsTx, call: Whole<AuditedCall<R>>, ahead: Ahead) => Promise<Done<R>>,
): Endpoint {
  return changing(changeRightsAudited, route, options, work)
}

function changing<R extends Route, Tx extends WriteTx, Ahead>(
  change: (
    app: App,
    attempt: { actor: Actor; action: string; subject: string },
    work: (tx: Tx, actor: Current, ahead: Ahead) => Promise<Done<R>>,
    options: {
      before?: (() => Promise<Ahead>) | undefined
      gate?: ((tx: WriteTx, actor: Current) => Promise<Passage>) | undefined
      needsStepUp: boolean
      isOfAccount: boolean
    },
  ) => Promise<Done<R>>,
  route: R,
  {
    permission,
    subject,
    before,
    early,
    effect,
  }: CommonOptions<R, Ahead> & { readonly effect?: DescribeEffect<R> | undefined },
  work: (app: App, tx: Tx, call: Whole<AuditedCall<R>>, ahead: Ahead) => Promise<Done<R>>,
): Endpoint {
  const run = async (app: App, call: Call<R>, leaving?: Leaving) => {
    const attempt = { actor: call.actor, action: route.name, subject: subject(call) }
    const answered = await early?.(app, call).catch(async (error: unknown) => {
      await recordRefusal(app, error, attempt)
      throw error
    })
    if (answered !== undefined) return answered
    const { reply, cookies = [] } = await change(
      app,
      attempt,
      (tx, actor, ahead) => work(app, tx, { ...call, actor }, ahead),
      {
        before: before && (async () => await before(app, call, leaving?.())),
        gate:
          effect &&
          ((tx, actor) => {
            const { params, body } = call
            const guarded = { action: route.name, subject: subject(call), input: { params, body } }
            return passGate(tx, app, actor, guarded, () => effect(app, tx, { ...call, actor }))
          }),
        needsStepUp: route.stepUp === true,
        isOfAccount: permission === 'account:self' && route.method !== 'DELETE',
      },
    )
    for (const cookie of cookies) call.browser.setCookie(cookie)
    if (typeof reply !== 'function') return reply
    return (reply as () => Promise<unknown>)().catch(async (error: unknown) => {
      await recordRefusal(app, error, attempt)
      throw error
    })
  }
  return { route, permission, run, [sealed]: true }
}

/**
 * The first half of a ceremony. It answers with a challenge and changes nothing, so it makes no
 * entry in the log; the second half does.
 */
export function asks<R extends Route & { readonly name: `${string}.options` }>(
  route: R,
  work: (app: App, call: Call<R>) => Promise<Asked<ReplyInputOf<R>>>,
): Endpoint {
  const run = async (app: App, call: Call<R>) => {
    const actor = await readCurrent(app, app.db.reader, call.actor)
    const { options, kept } = await work(app, { ...call, actor })
    call.browser.setCookie({ name: 'ceremony', value: kept })
    return options
  }
  return { route, permission: 'account:self', run, [sealed]: true }
}

/** A read that is a POST only because its secret must not be in an address. */
export function tells<R extends Route & { readonly name: `${string}.read` }>(
  route: R,
  work: (app: App, call: Call<R>) => Promise<ReplyInputOf<R>>,
): Endpoint {
  const run = async (app: App, call: Call<R>) =>
    work(app, { ...call, actor: await readCurrent(app, app.db.reader, call.actor) })
  return { route, permission: 'account:self', run, [sealed]: true }
}

/**
 * A request of somebody who is not known yet. It makes no entry in the log, which a stranger could
 * fill; a person's decision about it makes one.
 */
export function begins<R extends Route & { readonly name: 'pairing.create' }>(
  route: R,
  /** Refuses without a transaction what would be refused in it. */
  check: (app: App, call: AuditedCall<R>) => Promise<void>,
  work: (app: App, tx: WriteTx, call: AuditedCall<R>) => Promise<ReplyInputOf<R>>,
): Endpoint {
  const run = async (app: App, call: Call<R>) => {
    await check(app, call)
    return app.db.write((tx) => work(app, tx, call))
  }
  return { route, permission: 'account:self', run, [sealed]: true }
}

/** Where a ceremony's answer was given, and what the browser kept for it. */
export function answerOf(browser: Browser): { site: Site; kept: string | undefined } {
  return { site: browser.site(), kept: browser.kept }
}

/** Completes a change by which somebody signed in: the browser gets the session. */
export function openedBy<Reply>(
  { actor, secret }: OpenedSession,
  reply: Reply,
  detail: Readonly<Record<string, JsonValue>>,
) {
  return {
    reply,
    by: actor.id,
    subject: actor.session.id,
    detail,
    cookies: [{ name: 'session', value: secret }] as const,
  }
}

/**
 * The two calls that every device makes all the time, and that are not entries of the log: a
 * check-in is itself a stored (and, where it matters, signed) record, and a device's access token
 * follows from its registration, which is an entry.
 */
export function recordedElsewhere<
  R extends Route & { readonly name: 'device.check-in' | 'device.token' },
  /** What `fastBody` finds in addition to the body. */
  Found extends object = object,
>(
  route: R,
  permission: Permission,
  work: (app: App, call: Call<R> & { readonly body: Partial<Found> }) => Promise<ReplyInputOf<R>>,
  fastBody?: (text: string) => (BodyOf<R> & Found) | undefined,
): Endpoint {
  const run = async (app: App, call: Call<R> & { readonly body: Partial<Found> }) => {
    try {
      return await work(app, call)
    } catch (error) {
      const { actor } = call
      await recordRefusal(app, error, { actor, action: route.name, subject: actor.id })
      throw error
    }
  }
  // The additional facts are present whenever `fastBody` has read the body.
  return { route, permission, run: run as Endpoint['run'], fastBody, [sealed]: true }
}

/** Answers paths below `prefix` by itself; an error that it throws becomes a problem document. */
export interface RawHandler {
  /**
   * Ends with `/` for a tree; otherwise it is the one path. Where `matches` decides, it is only the
   * name in the metrics.
   */
  readonly prefix: string
  readonly matches?: (path: string) => boolean
  readonly methods: readonly string[] | null
  readonly answer: (
    req: IncomingMessage,
    res: ServerResponse,
    path: string,
    query: URLSearchParams,
  ) => Promise<void>
}
