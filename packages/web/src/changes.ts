/**
 * What the server tells open pages: that something changed, so that they read it again. A page that
 * nobody sees hears nothing, because browsers open few connections to one server, and reads
 * everything again when it is seen.
 */
import type { EventNoun } from '@seaworthy/api/events'
import { changeEvent, eventsPath } from '@seaworthy/api/events'
import { parseAnyJsonText } from '@seaworthy/std/json'
import type { Sleep } from '@seaworthy/std/time'

/** What a page does with what it hears. */
interface Follower {
  /** Something of these changed. */
  readonly onChange: (nouns: readonly EventNoun[]) => void
  /** The page hears of changes from now on, and must read again whatever it shows. */
  readonly onBegin: () => void
}

export interface ChangeFeed {
  /** Hears of changes until the returned function is called. */
  readonly follow: (follower: Follower) => () => void
}

/** What the browser has to offer for it. */
interface FeedPorts {
  readonly open: (url: string) => Pick<EventSource, 'addEventListener' | 'close' | 'readyState'>
  readonly page: Pick<Document, 'addEventListener' | 'removeEventListener' | 'visibilityState'>
  readonly sleep: Sleep
}

/** `EventSource.CLOSED`: the server refused, and the browser does not try again by itself. */
const closed = 2
const againMs = 30_000
/** Changes of this time are read together. */
const gatherMs = 500

export function createChangeFeed({ open, page, sleep }: FeedPorts): ChangeFeed {
  return {
    follow(follower) {
      const end = new AbortController()
      const nouns = new Set<EventNoun>()
      let stream: ReturnType<FeedPorts['open']> | undefined
      const later = (ms: number, work: () => void) =>
        void sleep(ms, end.signal).then(work, () => undefined)
      const stop = () => {
        if (stream === undefined) return
        stream.close()
        stream = undefined
      }
      const flush = () => {
        const changed = [...nouns]
        nouns.clear()
        if (stream !== undefined) follower.onChange(changed)
      }
      const start = () => {
        if (stream !== undefined || page.visibilityState !== 'visible' || end.signal.aborted) return
        const own = open(eventsPath)
        stream = own
        own.addEventListener('open', () => follower.onBegin())
        own.addEventListener('all', () => follower.onBegin())
        own.addEventListener('change', ({ data }: MessageEvent<string>) => {
          const noun = readNoun(data)
          if (noun === undefined) return
          if (nouns.size === 0) later(gatherMs, flush)
          nouns.add(noun)
        })
        own.addEventListener('error', () => {
          if (own.readyState !== closed || stream !== own) return
          stop()
          later(againMs, start)
        })
      }
      const onVisibility = () => (page.visibilityState === 'visible' ? start() : stop())
      page.addEventListener('visibilitychange', onVisibility)
      start()
      return () => {
        page.removeEventListener('visibilitychange', onVisibility)
        end.abort(new Error('the page was left'))
        stop()
      }
    },
  }
}

/** A newer server may tell of things that this page does not know. */
function readNoun(data: string): EventNoun | undefined {
  try {
    return changeEvent.safeParse(parseAnyJsonText(data)).data?.noun
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

/** Which routes answer otherwise when a noun changed, by the first part of their names. */
const concerned: Readonly<Record<EventNoun, readonly string[]>> = {
  device: ['device', 'devices', 'fleet', 'foreign-device', 'reboot-lock', 'rollout'],
  fleet: ['fleet', 'devices', 'rollout', 'provisioning-key'],
  rollout: ['rollout', 'fleet', 'device', 'devices'],
  release: ['release', 'product', 'trust', 'vulnerability'],
  proposal: ['proposal', 'product', 'release', 'trust'],
  approval: ['approval'],
}

/** Whether the route of that name may answer otherwise now. */
export function isConcerned(routeName: string, nouns: readonly EventNoun[]): boolean {
  const [noun = ''] = routeName.split('.')
  return nouns.some((one) => concerned[one].includes(noun))
}
