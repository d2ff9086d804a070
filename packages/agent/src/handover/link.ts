/** Both ends of the conversation: requests with numbers one way, answers and events the other. */
import type { Log } from '@seaworthy/std/log'
import type { Sleep } from '@seaworthy/std/time'
import { deadlineMsOf, hurried, rateLimits } from '../fetcher/slow-retrieval.ts'
import { FetchError } from '../refusals.ts'
import type { Pipe } from './lines.ts'
import { encodeMessage, readMessages } from './lines.ts'
import type {
  FetcherEvent,
  FetcherReplies,
  FetcherRequest,
  FetcherSettings,
  Gateway,
  WireFailure,
} from './messages.ts'
import {
  asMembers,
  formFailure,
  malformed,
  parseEvent,
  parseFailure,
  parseReply,
} from './messages.ts'

const answerTimeoutMs = 120_000

/**
 * Time for an answer. A fetcher that keeps to a download's deadline reports in time that it was
 * missed. One that was taken over and stays silent holds the device up for no longer than the
 * slowest source would.
 */
function patienceMsFor(request: FetcherRequest): number {
  if (request.kind !== 'content') return answerTimeoutMs
  const limits = request.isHurried ? hurried(rateLimits) : rateLimits
  return answerTimeoutMs + deadlineMsOf(request.size, limits)
}

export interface GatewayLink extends Gateway {
  /**
   * Serves one life of a fetcher; resolves when it is gone, throws `Refusal` when it broke the
   * protocol.
   */
  attach(pipe: Pipe): Promise<void>
}

export function createGateway(ports: {
  sleep: Sleep
  log: Log
  /** What each life of a fetcher begins with. */
  settings: () => FetcherSettings
}): GatewayLink {
  let pipe: Pipe | undefined
  let lastNumber = 0
  let status: Readonly<Record<string, unknown>> = {}
  const waiting = new Map<
    number,
    { resolve: (value: unknown) => void; reject: (error: Error) => void }
  >()
  const listeners = new Set<(event: FetcherEvent) => void>()
  const attached = new Set<() => void>()

  const untilAttached = async (signal: AbortSignal): Promise<void> => {
    while (pipe === undefined) {
      await new Promise<void>((resolve, reject) => {
        attached.add(resolve)
        signal.addEventListener('abort', () => reject(signal.reason), { once: true })
      })
    }
  }

  return {
    async ask<R extends FetcherRequest>(request: R, signal?: AbortSignal) {
      const kind: R['kind'] = request.kind
      const timer = new AbortController()
      const end = signal === undefined ? timer.signal : AbortSignal.any([signal, timer.signal])
      void ports.sleep(patienceMsFor(request), timer.signal).then(
        () => timer.abort(new FetchError('timed_out')),
        () => {},
      )
      const number = ++lastNumber
      try {
        await untilAttached(end)
        const answer = new Promise<unknown>((resolve, reject) => {
          end.throwIfAborted()
          waiting.set(number, { resolve, reject })
          end.addEventListener('abort', () => reject(end.reason), { once: true })
          // The pipe is checked in the same turn in which the request is entered above: a fetcher
          // that ends now rejects it.
          if (pipe === undefined) reject(new FetchError('fetcher_gone'))
          else pipe.write(encodeMessage({ request: number, ...request }))
        })
        return readReply(kind, await answer)
      } finally {
        waiting.delete(number)
        timer.abort(new FetchError('timed_out'))
      }
    },
    publishStatus(next) {
      status = next
      pipe?.write(encodeMessage({ status }))
    },
    onEvent(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    async attach(next) {
      next.write(encodeMessage({ settings: ports.settings() }))
      next.write(encodeMessage({ status }))
      pipe = next
      for (const wake of attached) wake()
      attached.clear()
      try {
        for await (const message of readMessages(next.incoming)) {
          const members = asMembers(message)
          if (members['event'] !== undefined) {
            const event = parseEvent(members['event'])
            for (const listener of listeners) listener(event)
            continue
          }
          const number = members['answer']
          if (typeof number !== 'number') throw malformed('neither answer nor event')
          const waiter = waiting.get(number)
          if (waiter === undefined) continue
          if (members['failure'] !== undefined) {
            waiter.reject(readFailure(members['failure']))
          } else {
            waiter.resolve(members['reply'])
          }
        }
      } finally {
        if (pipe === next) pipe = undefined
        for (const waiter of waiting.values()) waiter.reject(new FetchError('fetcher_gone'))
      }
    },
  }
}

/**
 * A malformed answer counts as none: it ends neither the fetcher nor the release that it is about.
 */
function readReply<K extends FetcherRequest['kind']>(kind: K, value: unknown): FetcherReplies[K] {
  try {
    return parseReply(kind, value)
  } catch (cause) {
    throw new FetchError('malformed_reply', { cause })
  }
}

function readFailure(value: unknown): FetchError {
  try {
    const failure = parseFailure(value)
    return new FetchError(failure.code, failure)
  } catch (cause) {
    return new FetchError('malformed_reply', { cause })
  }
}

/**
 * The fetcher's work, one request at a time or several. Throws `FetchError` for what cannot be
 * done.
 */
export interface FetcherPort {
  answer(request: FetcherRequest): Promise<unknown>
  setStatus(status: Readonly<Record<string, unknown>>): void
}

/** The fetcher's end. Resolves when the installer has gone. */
export async function serveRequests(options: {
  pipe: Pipe
  log: Log
  create: (settings: FetcherSettings, emit: (event: FetcherEvent) => void) => Promise<FetcherPort>
}): Promise<void> {
  const { pipe, log } = options
  const say = (message: unknown) => pipe.write(encodeMessage(message))
  let fetcher: FetcherPort | undefined
  for await (const message of readMessages(pipe.incoming)) {
    const members = asMembers(message)
    if (fetcher === undefined) {
      if (members['settings'] === undefined) throw malformed('settings come first')
      fetcher = await options.create(members['settings'] as FetcherSettings, (event) =>
        say({ event }),
      )
      continue
    }
    if (members['status'] !== undefined) {
      fetcher.setStatus(members['status'] as Readonly<Record<string, unknown>>)
      continue
    }
    const number = members['request']
    const request = members as unknown as FetcherRequest
    fetcher
      .answer(request)
      // What servers said is passed on in the agreed form only.
      .then((reply) => readReply(request.kind, reply))
      .then(
        (reply) => say({ answer: number, reply }),
        (error: unknown) => {
          if (!(error instanceof FetchError))
            log.error('request-failed', { error, request: members['kind'] })
          say({ answer: number, failure: describeFailure(error) })
        },
      )
  }
}

function describeFailure(error: unknown): WireFailure {
  return formFailure(error instanceof FetchError ? error : { code: 'unreachable' })
}
