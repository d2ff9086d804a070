/**
 * What a worker tells its readers. Notes come from all workers and replicas; those of a second are
 * told together, and each reader hears only what they may read at that moment.
 */
import type { ChangeEvent, EventNoun } from '@seaworthy/api/events'
import { Refusal } from '@seaworthy/std/refusal'
import { secondMs } from '@seaworthy/std/time'
import type { Note } from '../../db/event-notes.ts'
import { parseNote } from '../../db/event-notes.ts'
import { listPlaces } from '../../db/events.ts'
import type { Actor } from '../access/index.ts'
import { grantOf, readCurrent, spenderOf } from '../access/index.ts'
import type { App, EventFeed } from '../app.ts'
import { anyone } from '../worker/index.ts'
import type { Changes } from './reach.ts'
import { eventFor } from './reach.ts'

/** A noun is told of at most once in this time. */
const everyMs = secondMs
/** Changes of one action come together. */
const gatherMs = 50
/** How often a reader hears something, and has their rights read again, when nothing changes. */
const heartbeatMs = 15 * secondMs
/** Identifiers of one noun that are kept; what comes on top is told without its identifier. */
const keptMax = 200

export const readersMax = { ofWorker: 200, ofActor: 8 } as const

interface Reader {
  readonly whose: string
  readonly actor: Actor
  readonly tell: (event: ChangeEvent | 'heartbeat' | 'all') => void
  readonly end: () => void
}

export function createEventFeed(
  app: Pick<App, 'callerLog' | 'db' | 'removedDevices' | 'sleep' | 'stoppedDevices'>,
): EventFeed {
  const readers = new Set<Reader>()
  const stopping = new AbortController()
  const pending = new Map<EventNoun, Set<string>>()
  let haveRightsChanged = false
  let isTelling = false
  let isBeating = false

  const drop = (reader: Reader) => {
    if (readers.delete(reader)) reader.end()
  }
  /** The grant that the reader has now; whoever has lost a right is sent away to come anew. */
  const currentGrant = async (reader: Reader) => {
    try {
      return grantOf(await readCurrent(app, app.db.reader, reader.actor))
    } catch (error) {
      // What cannot be read now is not told either: the reader comes back and reads everything.
      if (!(error instanceof Refusal))
        app.callerLog.warn(anyone, 'events.rights-not-read', { error })
      drop(reader)
      return undefined
    }
  }
  const tellAll = async (work: (reader: Reader) => Promise<void>) => {
    // One after the other, so that readers never take the connections that others wait for.
    for (const reader of readers) await work(reader)
  }
  const gather = async (): Promise<Changes[]> => {
    const asked = [...pending].map(([noun, ids]) => ({ noun, ids: [...ids].filter(Boolean) }))
    pending.clear()
    const found = asked.map(async (one) => ({
      ...one,
      places: one.ids.length === 0 ? [] : await listPlaces(app.db.reader, one.noun, one.ids),
    }))
    return Promise.all(found)
  }
  const tellPending = async () => {
    haveRightsChanged = false
    const changes = await gather()
    await tellAll(async (reader) => {
      const grant = await currentGrant(reader)
      if (grant === undefined) return
      for (const change of changes) {
        const event = eventFor(grant, change)
        if (event !== undefined) reader.tell(event)
      }
    })
  }
  const run = async () => {
    if (isTelling) return
    isTelling = true
    try {
      await app.sleep(gatherMs, stopping.signal)
      while ((pending.size > 0 || haveRightsChanged) && readers.size > 0) {
        await tellPending()
        await app.sleep(everyMs, stopping.signal)
      }
    } catch (error) {
      if (stopping.signal.aborted) return
      app.callerLog.warn(anyone, 'events.not-told', { error })
      for (const reader of readers) drop(reader)
    } finally {
      isTelling = false
    }
  }
  const beat = async () => {
    if (isBeating) return
    isBeating = true
    try {
      while (readers.size > 0) {
        await app.sleep(heartbeatMs, stopping.signal)
        await tellAll(async (reader) => {
          if ((await currentGrant(reader)) !== undefined) reader.tell('heartbeat')
        })
      }
    } catch (error) {
      if (!stopping.signal.aborted) app.callerLog.warn(anyone, 'events.heartbeat-failed', { error })
    } finally {
      isBeating = false
    }
  }
  const take = ({ noun, id }: Note) => {
    if (readers.size === 0) return
    if (noun === null) haveRightsChanged = true
    else {
      const ids = pending.get(noun) ?? new Set()
      pending.set(noun, ids.size < keptMax ? ids.add(id) : ids)
    }
    void run()
  }
  return {
    take: (text) => take(parseNote(text)),
    takeRollout: (id) => take({ noun: 'rollout', id }),
    takeMetadata() {
      for (const noun of ['release', 'proposal'] as const) take({ noun, id: '' })
    },
    missed() {
      for (const { tell } of readers) tell('all')
    },
    watch(actor, { tell, end }) {
      grantOf(actor)
      const whose = spenderOf(actor)
      const own = [...readers].filter((one) => one.whose === whose)
      if (own.length >= readersMax.ofActor || readers.size >= readersMax.ofWorker) return undefined
      const reader: Reader = {
        ...{ whose, actor, end },
        // Rights are read by turns, and the stream may have ended since these were read: what is
        // written after its end would end the worker.
        tell: (event) => {
          if (readers.has(reader)) tell(event)
        },
      }
      readers.add(reader)
      void beat()
      return () => void readers.delete(reader)
    },
    close() {
      stopping.abort(new Error('stopped'))
      for (const reader of readers) drop(reader)
    },
  }
}
