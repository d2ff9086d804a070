/** Decides who may ask a question by OData, and answers it. */
import type {
  Address,
  AskedQuestion,
  FilterCondition,
  Key,
  ODataRefusal,
  Question,
  SetName,
} from '@seaworthy/api/odata'
import { conditionOf, setsByName } from '@seaworthy/api/odata'
import type { Permission } from '@seaworthy/fleet/access'
import { Refusal } from '@seaworthy/std/refusal'
import type { ReadTx } from '../../db/connection.ts'
import { isTakingTooLong } from '../../db/connection.ts'
import type { FoundEntity, Parent, Published, Reach } from '../../db/odata/index.ts'
import { countEntities, listEntities } from '../../db/odata/index.ts'
import type { Actor } from '../access/index.ts'
import { grantOf, requirePermission } from '../access/index.ts'
import type { App } from '../app.ts'
import { listPublished } from '../trust/index.ts'
import type { Turns } from './limits.ts'

export type AskedEntities = Extract<Address, { kind: 'entities' }>

/** What each set needs: the permission of the route under `/v1` that shows the same. */
const needed: Readonly<Record<SetName, Permission>> = {
  products: 'product:read',
  channels: 'product:read',
  releases: 'release:read',
  fleets: 'fleet:read',
  devices: 'device:read',
  deviceTags: 'device:read',
  rollouts: 'rollout:read',
  updates: 'update:read',
  fleetVariables: 'variable:read',
  deviceVariables: 'variable:read',
}

/** Throws `permission_denied` unless the actor may read entities of the set. */
export function requireMayRead(actor: Actor, set: string): void {
  requirePermission(actor, needed[set as SetName])
}

export interface EntityAnswer {
  /** The entities of one page. */
  readonly entities: readonly FoundEntity[]
  readonly hasMore: boolean
  /** How many there are on all pages; null unless that was asked. */
  readonly count: number | null
}

type Ports = Pick<App, 'db' | 'trust'>

/** Throws `permission_denied`, `odata_not_found`, `odata_waiting`, `odata_too_slow`. */
export async function askEntities(
  app: Ports,
  turns: Turns,
  actor: Actor,
  address: AskedEntities,
  asked: AskedQuestion,
): Promise<EntityAnswer> {
  const { question } = asked
  return answer(app, turns, actor, address, asked, async (parent, reach) => {
    const found = await listEntities(app.db.questions, question, parent, reach)
    await requireParent(app, parent, reach, found.length)
    return {
      entities: found.slice(0, question.limit),
      hasMore: found.length > question.limit,
      count: question.isCounted
        ? await countEntities(app.db.questions, question, parent, reach)
        : null,
    }
  })
}

/** Throws what `askEntities` throws. */
export async function askCount(
  app: Ports,
  turns: Turns,
  actor: Actor,
  address: AskedEntities,
  asked: AskedQuestion,
): Promise<number> {
  return answer(app, turns, actor, address, asked, async (parent, reach) => {
    const count = await countEntities(app.db.questions, asked.question, parent, reach)
    await requireParent(app, parent, reach, count)
    return count
  })
}

/**
 * Which of the entities the question still finds, in the transaction that is to change them; their
 * number bounds what it costs.
 */
export async function findAgain(
  app: Pick<App, 'trust'>,
  tx: ReadTx,
  actor: Actor,
  { question, touched }: AskedQuestion,
  keys: readonly Key[],
): Promise<Key[]> {
  if (keys.length === 0) return []
  const { set, filter } = question
  const isOne: FilterCondition = { kind: 'or', parts: keys.map((key) => conditionOf(set, key)) }
  const both: FilterCondition = filter === null ? isOne : { kind: 'and', parts: [isOne, filter] }
  const reach = await reachOf(app, actor, touched)
  const found = await listEntities(tx, { ...question, filter: both }, null, reach)
  return found.map((entity) => keyOf(question, entity))
}

/** The key is part of the order, and so of every place. */
export function keyOf(
  { set, order }: Pick<Question, 'set' | 'order'>,
  { place }: FoundEntity,
): Key {
  return setsByName.get(set)!.key.map((property) => {
    const at = order.findIndex((one) => one.property === property)
    return { property, value: place[at] ?? '' }
  })
}

/** Throws `permission_denied` unless the actor may read every set. */
async function reachOf(
  app: Pick<App, 'trust'>,
  actor: Actor,
  sets: ReadonlySet<string>,
): Promise<Reach> {
  for (const one of sets) requireMayRead(actor, one)
  const { products, fleets } = grantOf(actor)
  const isPublished = sets.has('products') || sets.has('channels')
  const published = isPublished ? listPublished(await app.trust.freshState()) : nothingPublished
  return { scope: { products, fleets }, published }
}

async function answer<T>(
  app: Ports,
  turns: Turns,
  actor: Actor,
  { set, key, link }: AskedEntities,
  { touched }: AskedQuestion,
  work: (parent: Parent | null, reach: Reach) => Promise<T>,
): Promise<T> {
  const reach = await reachOf(app, actor, new Set([set, ...touched]))
  const parent =
    key !== null && link !== null ? { set, condition: conditionOf(set, key), link } : null
  try {
    return await turns.within(actor.id, () => work(parent, reach))
  } catch (cause) {
    if (!isTakingTooLong(cause)) throw cause
    throw new Refusal<ODataRefusal>(
      'odata_too_slow',
      'the answer takes longer than five seconds to find: ask for less at once, or have $filter find fewer entities',
      { cause },
    )
  }
}

const nothingPublished: Published = { products: [], channels: [] }

/** An entity that does not exist gets another answer than one with nothing behind it. */
async function requireParent(
  app: Ports,
  parent: Parent | null,
  reach: Reach,
  found: number,
): Promise<void> {
  if (parent === null || found > 0) return
  const { set, condition } = parent
  const there = await countEntities(app.db.questions, { set, filter: condition }, null, reach)
  if (there === 0) throw notFound(set)
}

export function notFound(set: string): Refusal<ODataRefusal> {
  return new Refusal<ODataRefusal>(
    'odata_not_found',
    `there is no such entity in ${set}, or it is out of your scope`,
  )
}
