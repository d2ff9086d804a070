/**
 * Reads whole releases, which takes as long as they are large. Every product has a queue of its
 * own, the products take turns, and one product's content is read by one check at a time, so that a
 * builder's slow content delays only that builder. A caller that asks for the same content joins
 * the check that is under way, what was found stays known, and a check that all callers have left
 * ends.
 */
import { Refusal } from '@seaworthy/std/refusal'
import type { CheckedContent, ContentChecks, ContentVerdict } from '../app.ts'
import { TooOftenRefusal } from '../worker/index.ts'

export type ContentCheckRefusal =
  | 'content_checks_waiting'
  /** Ends the work of a caller that has gone away; it is never sent to anybody. */
  | 'caller_left'

/**
 * A worker runs two checks at once: one slow product does not block the others, and devices that
 * ask meanwhile keep most of the processors.
 */
const atOnceMax = 2
const waitingPerProductMax = 20
const waitingMax = 200
const retryAfterSeconds = 30
const verdictsMax = 2000

interface Turn {
  /** The key under which other callers join the check; `undefined` when nobody may. */
  readonly key: string | undefined
  readonly product: string
  /** Must not throw: errors go to the callers who wait. */
  readonly work: () => Promise<void>
  readonly ending: AbortController
  callers: number
}

interface Check<T> extends Turn {
  readonly found: Promise<T>
}

export function createContentChecks(): ContentChecks {
  /** Verdicts by key, the most recently used one last. */
  const verdicts = new Map<string, ContentVerdict>()
  /** Checks that wait or are under way, by key. */
  const checks = new Map<string, Check<ContentVerdict>>()
  /** Checks that wait, by product. */
  const queues = new Map<string, Turn[]>()
  /**
   * The number of a product's last turn, kept while the product has checks under way or waiting.
   */
  const turns = new Map<string, number>()
  let turnCount = 0
  const underWay = new Set<string>()

  const remember = (key: string, verdict: ContentVerdict) => {
    verdicts.delete(key)
    if (verdicts.size >= verdictsMax) verdicts.delete(verdicts.keys().next().value!)
    verdicts.set(key, verdict)
  }

  const run = async (check: Turn) => {
    underWay.add(check.product)
    await check.work()
    underWay.delete(check.product)
    if (!queues.has(check.product)) turns.delete(check.product)
    forget(check)
    startNext()
  }

  const forget = (check: Turn) => {
    if (check.key !== undefined && checks.get(check.key) === check) checks.delete(check.key)
  }

  /** The product whose last turn is the longest ago, among those that may have one. */
  const nextProduct = (): string | undefined => {
    let next: string | undefined
    for (const product of queues.keys()) {
      if (underWay.has(product)) continue
      if (next === undefined || turnOf(product) < turnOf(next)) next = product
    }
    return next
  }
  const turnOf = (product: string) => turns.get(product) ?? 0

  const startNext = () => {
    while (underWay.size < atOnceMax) {
      const product = nextProduct()
      if (product === undefined) return
      const queue = queues.get(product)!
      const check = queue.shift()!
      if (queue.length === 0) queues.delete(product)
      turns.set(product, ++turnCount)
      void run(check)
    }
  }

  const add = <T>(
    { product, key }: Pick<Turn, 'product' | 'key'>,
    read: (signal: AbortSignal) => Promise<T>,
  ): Check<T> => {
    const queue = queues.get(product) ?? []
    const waiting = [...queues.values()].reduce((sum, { length }) => sum + length, 0)
    if (queue.length >= waitingPerProductMax || waiting >= waitingMax) {
      throw new TooOftenRefusal<ContentCheckRefusal>(
        'content_checks_waiting',
        queue.length >= waitingPerProductMax
          ? `${queue.length} releases of ${product} already wait to be read: ask again later`
          : `${waiting} releases already wait to be read: ask again later`,
        retryAfterSeconds,
      )
    }
    const ending = new AbortController()
    const found = Promise.withResolvers<T>()
    // All callers may have left before it fails, and nobody would handle the rejection.
    found.promise.catch(() => {})
    const work = async () => {
      try {
        found.resolve(await read(ending.signal))
      } catch (error) {
        found.reject(error)
      }
    }
    const check: Check<T> = { key, product, work, ending, found: found.promise, callers: 0 }
    queue.push(check)
    queues.set(product, queue)
    return check
  }

  const wait = async <T>(check: Check<T>, leaving: AbortSignal | undefined): Promise<T> => {
    check.callers++
    startNext()
    try {
      return await unlessLeft(check.found, leaving)
    } finally {
      leave(check)
    }
  }

  const leave = (check: Turn) => {
    check.callers--
    if (check.callers > 0) return
    check.ending.abort(callerLeft())
    forget(check)
    const queue = queues.get(check.product)
    const place = queue?.indexOf(check) ?? -1
    if (place >= 0) queue!.splice(place, 1)
    if (queue?.length !== 0) return
    queues.delete(check.product)
    if (!underWay.has(check.product)) turns.delete(check.product)
  }

  return {
    async check(content, read, leaving) {
      const key = keyOf(content)
      let verdict = verdicts.get(key)
      if (verdict === undefined) {
        let check = checks.get(key)
        if (check === undefined) {
          check = add({ product: content.product, key }, async (signal) => {
            const found = await read(signal)
            remember(key, found)
            return found
          })
          checks.set(key, check)
        }
        verdict = await wait(check, leaving)
      } else remember(key, verdict)
      if (verdict instanceof Refusal) throw verdict
      return verdict
    },
    async queue(product, work, leaving) {
      return await wait(add({ product, key: undefined }, work), leaving)
    },
  }
}

function keyOf({ product, digest }: CheckedContent): string {
  return `${product}/${digest}`
}

async function unlessLeft<T>(promise: Promise<T>, leaving: AbortSignal | undefined): Promise<T> {
  if (leaving === undefined) return await promise
  const left = Promise.withResolvers<never>()
  const onAbort = () => left.reject(callerLeft())
  leaving.addEventListener('abort', onAbort)
  if (leaving.aborted) onAbort()
  try {
    return await Promise.race([promise, left.promise])
  } finally {
    leaving.removeEventListener('abort', onAbort)
  }
}

function callerLeft(): Refusal<ContentCheckRefusal> {
  return new Refusal<ContentCheckRefusal>(
    'caller_left',
    'the caller went away before the content was read',
  )
}
