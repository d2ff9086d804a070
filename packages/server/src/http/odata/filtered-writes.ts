/**
 * Changes of every entity that a filter finds. A dry run comes first: it makes the changes in a
 * transaction that is rolled back, reports them, and gives a token for exactly these. The call with
 * the token makes all of them in one transaction; if the outcome would differ by then, it makes
 * none.
 */
import type { IncomingMessage } from 'node:http'
import type { AskedQuestion, Key, ODataRefusal } from '@seaworthy/api/odata'
import { readQuestion, setsByName } from '@seaworthy/api/odata'
import { hexEncode } from '@seaworthy/std/bytes'
import { cutText } from '@seaworthy/std/printable'
import type { RefuseBy } from '@seaworthy/std/refusal'
import { Refusal, refuseAs, throwRefusal } from '@seaworthy/std/refusal'
import { formatInstant, minuteMs } from '@seaworthy/std/time'
import type { JsonValue } from '@seaworthy/trust/tuf'
import type { Actor, Change, Current } from '../../app/access/index.ts'
import { changeAudited, openToken, signToken } from '../../app/access/index.ts'
import type { App, WriteTx } from '../../app/app.ts'
import type { GuardedEffect } from '../../app/approvals/index.ts'
import { digestOf, passGate } from '../../app/approvals/index.ts'
import type { Turns } from '../../app/odata/index.ts'
import { askEntities, findAgain, keyOf } from '../../app/odata/index.ts'
import { noBrowser } from '../browsers.ts'
import type { Endpoint, Work } from '../endpoint.ts'
import { requireMayCall } from '../may-call.ts'
import { parsePart } from '../parse-part.ts'
import type { KnownCode } from '../problems.ts'
import { requireBudget } from '../request-budgets.ts'
import type { Lock, Method } from './writes.ts'
import { findWrite, paramsOf, readBody } from './writes.ts'

/** Entities of one change. */
const entitiesMax = 500
/** What somebody else may have to approve is read by a person. */
const approvedMax = 100
const tokenMs = 10 * minuteMs
const audience = 'seaworthy-dry-run'

const refuse: RefuseBy<ODataRefusal> = throwRefusal

interface Ports {
  readonly app: App
  readonly endpoints: readonly Endpoint[]
  readonly turns: Turns
  readonly changes: Turns
}

interface AskedChange {
  readonly method: Method
  readonly set: string
  readonly options: Readonly<Record<string, string>>
}

/** What became of one entity, or would become of it. */
interface Outcome {
  readonly key: Key
  readonly isUnchanged: boolean
  readonly detail: Readonly<Record<string, JsonValue>>
}

interface ManyDone extends Change {
  readonly outcomes: readonly Outcome[]
  readonly effects: readonly GuardedEffect[]
  readonly digest: string
}

export interface ManyChanged {
  readonly isDryRun: boolean
  readonly count: number
  /** What people are asked to approve where rules say so, one statement for each entity. */
  readonly effect?: readonly string[]
  readonly dryRunToken?: string
  readonly expiresAt?: string
  readonly value: readonly Readonly<Record<string, JsonValue>>[]
}

/**
 * Throws `odata_dry_run_needed`, `odata_dry_run_stale`, what a question by the filter throws, and
 * what the route throws for any of the entities.
 */
export async function writeByFilter(
  { app, endpoints, turns, changes }: Ports,
  req: IncomingMessage,
  actor: Actor,
  { method, set, options }: AskedChange,
): Promise<ManyChanged> {
  const { route, params, lock, endpoint } = findWrite(endpoints, { method, set })
  const { alone } = endpoint
  if (alone === undefined || lock === undefined) {
    return refuse(
      'odata_not_supported',
      `${set} are changed one by one: name one entity by its key, as in ${set}('…')`,
    )
  }
  const { filter, isDryRun, token } = readOptions(options)
  const now = app.clock.now()
  await requireMayCall(app, endpoint, actor, req.url!, now)
  await requireBudget(app, 'filtered-changes', holderOf(actor))
  const body = await readBody(app, route, req)
  const asked = readQuestion(
    set,
    { $filter: filter, $select: setsByName.get(set)!.key.join(',') },
    { now, pageSize: entitiesMax },
  )
  const shown = isDryRun ? undefined : readToken(app, token, now)
  return changes.within(actor.id, async () => {
    const keys = await findKeys(app, turns, actor, asked)
    const query = parsePart(route.query, {}, 'query')
    const calls = keys.map((key) => ({
      key,
      call: {
        params: parsePart(route.params, paramsOf(params, key), 'path'),
        ...{ query, body, actor, browser: noBrowser },
      },
    }))
    const many = { method, set, body, filter, asked, calls, alone, lock, shown }
    const done = await changeMany(app, actor, endpoint, many)
    return isDryRun ? viewDryRun(app, done, now) : { isDryRun, ...viewOutcomes(done) }
  })
}

interface ManyCalls extends Pick<AskedChange, 'method' | 'set'> {
  readonly body: unknown
  readonly filter: string
  readonly asked: AskedQuestion
  readonly calls: readonly PartCall[]
  readonly alone: Work
  readonly lock: Lock
  /** What the dry run has shown; `undefined` in the dry run itself. */
  readonly shown: string | undefined
}

async function changeMany(
  app: App,
  actor: Actor,
  { route }: Endpoint,
  { method, set, body, filter, asked, calls, alone, lock, shown }: ManyCalls,
): Promise<ManyDone> {
  const isDryRun = shown === undefined
  const keys = calls.map(({ key }) => key)
  const subject = `${set}?$filter=${cutText(filter, 200)}`
  return changeAudited<ManyDone>(
    app,
    { actor, action: route.name, subject },
    async (tx, current) => {
      await lock(tx, keys, body)
      requireSame(await findAgain(app, tx, current, asked, keys), keys)
      const effects = isDryRun ? await listEffects(app, tx, current, set, alone, calls) : []
      const works = await doAll(app, tx, current, set, alone, calls)
      const { outcomes, entries } = works
      const digest = digestShown({ method, set, actor: actor.id, body: body ?? null, outcomes })
      if (!isDryRun && shown !== digest) throw stale()
      return {
        ...{ outcomes, effects, digest, isTrial: isDryRun },
        isUnchanged: entries.length === 0,
        entries: entries.map(({ subject: about, detail }) => ({
          subject: about,
          detail: { ...detail, filter: cutText(filter, 200) },
        })),
        afterCommit: async () => {
          for (const after of works.afterCommit) await after()
        },
      }
    },
    {
      needsStepUp: route.stepUp === true,
      gate: async (tx, current) => {
        if (isDryRun || alone.effect === undefined) return { isOpen: true }
        const call = { action: route.name, subject, input: { keys, body } }
        return passGate(tx, app, current, call, async () => {
          await lock(tx, keys, body)
          return joinEffects(await listEffects(app, tx, current, set, alone, calls))
        })
      },
    },
  )
}

const holderOf = (actor: Actor) => (actor.kind === 'token' ? actor.token.holder : actor.id)

function viewOutcomes({ outcomes }: ManyDone): Pick<ManyChanged, 'count' | 'value'> {
  const value = outcomes.map(({ key, isUnchanged, detail }) => ({
    ...Object.fromEntries(key.map((one) => [one.property, one.value])),
    isUnchanged,
    detail,
  }))
  return { count: value.length, value }
}

function viewDryRun(app: Pick<App, 'secrets'>, done: ManyDone, now: Date): ManyChanged {
  const exp = Math.floor((now.getTime() + tokenMs) / 1000)
  const claims = { exp, shows: done.digest }
  return {
    isDryRun: true,
    effect: done.effects.flatMap(({ words }) => words),
    dryRunToken: signToken(app.secrets.deviceTokenKey, audience, claims),
    expiresAt: formatInstant(new Date(exp * 1000)),
    ...viewOutcomes(done),
  }
}

function readOptions(options: Readonly<Record<string, string>>) {
  const { $filter: filter = '', dryRun, dryRunToken: token, ...others } = options
  const [other] = Object.keys(others)
  if (other !== undefined) {
    const what = `a change of what a filter finds takes $filter, dryRun and dryRunToken, and not ${cutText(other, 40)}`
    refuse('odata_not_supported', what)
  }
  if (dryRun !== undefined && dryRun !== 'true' && dryRun !== 'false') {
    refuse('odata_malformed', 'dryRun is true or false')
  }
  return { filter, isDryRun: dryRun === 'true', token }
}

/** What the dry run showed from which the token comes. Throws `odata_dry_run_needed`. */
function readToken(app: Pick<App, 'secrets'>, token: string | undefined, now: Date): string {
  const claims = token && openToken(app.secrets.deviceTokenKey, audience, token, now)
  if (typeof claims === 'object') return String(claims['shows'])
  const why = token === undefined ? '' : ', and this token is not one of the last ten minutes'
  return refuse(
    'odata_dry_run_needed',
    `a change of what a filter finds needs a dry run first${why}: send the same with dryRun=true, look at its answer, and send its dryRunToken in place of dryRun`,
  )
}

async function findKeys(
  app: App,
  turns: Turns,
  actor: Actor,
  asked: AskedQuestion,
): Promise<Key[]> {
  const { set } = asked.question
  const address = { kind: 'entities', set, key: null, link: null, isCount: false } as const
  const { entities, hasMore } = await askEntities(app, turns, actor, address, asked)
  if (hasMore) {
    refuse(
      'odata_too_large',
      `the filter finds more than ${entitiesMax} ${set}, and at most so many are changed at once: have it find fewer`,
    )
  }
  return entities.map((entity) => keyOf(asked.question, entity))
}

function requireSame(found: readonly Key[], keys: readonly Key[]): void {
  if (JSON.stringify(found) !== JSON.stringify(keys)) throw stale()
}

const stale = () =>
  new Refusal<ODataRefusal>(
    'odata_dry_run_stale',
    'the filter finds other entities by now, or what would become of them is not what the dry run has shown: nothing was done; make another dry run',
  )

interface PartCall {
  readonly key: Key
  readonly call: Omit<Parameters<Work['work']>[2], 'actor'> & { readonly actor: Actor }
}

/** If one entity is refused, the whole change is; the message names the entity. */
async function naming<T>(set: string, key: Key, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    if (!(cause instanceof Refusal)) throw cause
    const which = key.map(({ value }) => `'${value}'`).join(',')
    const refuseOne = refuseAs<KnownCode>(cause.code as KnownCode, `${set}(${which}): `)
    return refuseOne(cause.message, cause)
  }
}

async function listEffects(
  app: App,
  tx: WriteTx,
  actor: Current,
  set: string,
  { effect }: Work,
  calls: readonly PartCall[],
): Promise<GuardedEffect[]> {
  const effects: GuardedEffect[] = []
  for (const { key, call } of calls) {
    const one = await naming(set, key, async () => effect?.(app, tx, { ...call, actor }))
    if (one !== undefined && one !== null) effects.push(one)
  }
  return effects
}

/** Does the work of each call. */
async function doAll(
  app: App,
  tx: WriteTx,
  actor: Current,
  set: string,
  { work, subject }: Work,
  calls: readonly PartCall[],
) {
  const outcomes: Outcome[] = []
  const entries: { subject: string; detail: Outcome['detail'] }[] = []
  const afterCommit: NonNullable<Change['afterCommit']>[] = []
  for (const { key, call } of calls) {
    const own = { ...call, actor }
    const done = await naming(set, key, () => work(app, tx, own))
    const { isUnchanged = false, detail = {} } = done
    outcomes.push({ key, isUnchanged, detail })
    if (!isUnchanged) entries.push({ subject: done.subject ?? subject(own), detail })
    if (done.afterCommit !== undefined) afterCommit.push(done.afterCommit)
  }
  return { outcomes, entries, afterCommit }
}

interface Shown {
  readonly method: Method
  readonly set: string
  readonly actor: string
  readonly body: unknown
  readonly outcomes: readonly Outcome[]
}

/** A token that is the same for the same call of the same caller with the same outcome. */
function digestShown({ method, set, actor, body, outcomes }: Shown): string {
  return hexEncode(digestOf({ method, set, actor, body, outcomes }))
}

/**
 * The effects of all calls as one effect, so that one decision covers them. Somebody with the right
 * in the fleet decides if all of them are in one fleet; otherwise somebody who has it everywhere.
 */
function joinEffects(effects: readonly GuardedEffect[]): GuardedEffect | null {
  const [first] = effects
  if (first === undefined) return null
  if (effects.length > approvedMax) {
    refuse(
      'odata_too_large',
      `rules may ask another person to approve this, who is shown each of ${effects.length} effects: at most ${approvedMax} are asked for at once; have the filter find fewer`,
    )
  }
  const isOfOneFleet = effects.every(
    ({ needs }) => JSON.stringify(needs) === JSON.stringify(first.needs),
  )
  return {
    kind: first.kind,
    devicesMax: effects.reduce<number | null>(
      (all, { devicesMax }) => (all === null || devicesMax === null ? null : all + devicesMax),
      0,
    ),
    words: effects.flatMap(({ words }) => words),
    inputs: { each: effects.map(({ inputs }) => ({ ...inputs })) },
    needs: isOfOneFleet ? first.needs : { ...first.needs, fleet: null },
  }
}
