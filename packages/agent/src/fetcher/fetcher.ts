/**
 * The fetcher reaches the network. It holds no trust state, no device key and no decision;
 * whatever it returns is checked by the installer. It keeps what it downloads in its own folder and
 * names the file.
 */
import { createClient, MalformedReplyError } from '@seaworthy/api/client'
import {
  checkIn,
  confirmNextPin,
  createDeviceToken,
  readOwnSettings,
  registerDevice,
} from '@seaworthy/api/device-self'
import { ProblemError } from '@seaworthy/api/problems'
import { digestHex, digestOf } from '@seaworthy/oci/digests'
import { utf8Encode } from '@seaworthy/std/bytes'
import type { Transport } from '@seaworthy/std/http'
import type { Log } from '@seaworthy/std/log'
import type { HeardPins, Pins } from '@seaworthy/std/pins'
import { heardPinsOf } from '@seaworthy/std/pins'
import type { Clock, Sleep } from '@seaworthy/std/time'
import type { FetcherPort } from '../handover/link.ts'
import type {
  FetcherEvent,
  FetcherReplies,
  FetcherRequest,
  FetcherSettings,
  SourceSettings,
} from '../handover/messages.ts'
import { isFileName, messageBytesMax } from '../handover/messages.ts'
import type { Disk } from '../ports.ts'
import type { FetchFailure } from '../refusals.ts'
import { FetchError } from '../refusals.ts'
import { asFetchError, download } from './download.ts'
import type { RateLimits } from './slow-retrieval.ts'
import { hurried } from './slow-retrieval.ts'

export interface FetcherPorts {
  clock: Clock
  sleep: Sleep
  log: Log
  disk: Disk
  limits: RateLimits
  /** A transport for each source, in order. */
  transports: readonly Transport[]
  /** The pins under which new connections to the server are accepted from now on. */
  acceptPins(pins: Pins): void
}

/** This leaves room in the same message for what the fetcher adds to a reply. */
const replyBytesMax = messageBytesMax - 4096

export function createFetcher(
  ports: FetcherPorts,
  settings: FetcherSettings,
  emit: (event: FetcherEvent) => void,
): FetcherPort & { readonly status: Readonly<Record<string, unknown>> } {
  const { disk } = ports
  let token: string | undefined
  let status: Readonly<Record<string, unknown>> = {}
  /** What the newest answer of the server said of pins. No mirror is heard. */
  let heardPins: HeardPins | undefined

  /** The typed client of the server, the only source that ever sees a credential. */
  const serverWith = (credential: string | undefined) => {
    const index = settings.sources.findIndex((source) => source.isServer)
    if (index === -1) throw new FetchError('not_found')
    return createClient({
      baseUrl: settings.sources[index]!.url,
      transport: async (request) => {
        const response = await ports.transports[index]!(request)
        heardPins = heardPinsOf(response)
        return response
      },
      token: () => credential,
      replyBytesMax,
    })
  }

  const placeOf = (index: number) => {
    const source = settings.sources[index]
    const transport = ports.transports[index]
    if (source === undefined || transport === undefined) throw new FetchError('not_found')
    return { source, transport }
  }

  const headersFor = (isServer: boolean, accept?: string): Record<string, string> => ({
    accept: accept ?? '*/*',
    ...(isServer && token !== undefined ? { authorization: `Bearer ${token}` } : {}),
  })

  const fetchMetadata = async (
    request: FetcherRequest & { kind: 'metadata' },
  ): Promise<FetcherReplies['metadata']> => {
    const { source, transport } = placeOf(request.source)
    // All versions of a role share one file: it is read before the next is asked for, and none is
    // left behind.
    const role = request.name.replace(/^\d+\./, '')
    const file =
      `metadata-${request.source}-${encodeURIComponent(role).replaceAll('%', '_').toLowerCase()}`.slice(
        0,
        120,
      )
    if (!isFileName(file)) throw new FetchError('malformed_reply')
    try {
      await download(ports, {
        transport,
        url: `${source.url}/tuf/${encodeURIComponent(request.name)}`,
        headers: headersFor(source.isServer, 'application/json'),
        path: `${settings.fetchFolder}/${file}`,
        size: request.bytesMax,
        isLimit: true,
      })
    } catch (error) {
      if (error instanceof FetchError && error.code === 'not_found') return { absent: true }
      throw error
    }
    return { file }
  }

  const fetchContent = async (
    request: FetcherRequest & { kind: 'content' },
  ): Promise<FetcherReplies['content']> => {
    const { source, transport } = placeOf(request.source)
    const file = contentName(request.sha256, source)
    const path = `${settings.fetchFolder}/${file}`
    let shown = -1
    const limits = request.isHurried ? hurried(ports.limits) : ports.limits
    const attempt = () =>
      download(
        { ...ports, limits },
        {
          transport,
          url: `${source.url}${request.path}`,
          headers: headersFor(source.isServer, request.accept),
          path,
          size: request.size,
          isLimit: false,
          onProgress: (bytes) => {
            const percent = request.size === 0 ? 100 : Math.floor((bytes / request.size) * 100)
            if (percent === shown) return
            shown = percent
            emit({ kind: 'progress', sha256: request.sha256, percent })
          },
        },
      )
    // The partial file may be why the source answers so: without it, the source is asked again at
    // once.
    const wasThere = (await sizeOf(path)) > 0
    for (let isAgain = false; ; isAgain = true) {
      try {
        return { file, isContinued: await attempt() }
      } catch (error) {
        const isCleared = await clearTheWay(error, request.sha256, file)
        if (isAgain || !isCleared || !(wasThere || isNoSpace(error))) throw error
      }
    }
  }

  /**
   * Whether something in the way was removed: a useless partial file, or, where space is short,
   * what other sources left.
   */
  const clearTheWay = async (error: unknown, sha256: string, file: string): Promise<boolean> => {
    if (isNoSpace(error)) return (await discard(sha256, (name) => name !== file)) > 0
    const isUseless =
      error instanceof FetchError &&
      ['malformed_reply', 'endless_data', 'wrong_length'].includes(error.code)
    if (isUseless) await disk.remove(`${settings.fetchFolder}/${file}`)
    return isUseless
  }

  const sizeOf = async (path: string): Promise<number> => {
    const reader = await disk.open(path)
    await reader?.close()
    return reader?.size ?? 0
  }

  /** Removes those files of the content, left by its sources, that `isMeant` names. */
  const discard = async (sha256: string, isMeant: (name: string) => boolean): Promise<number> => {
    const begin = contentPrefix(sha256)
    const entries = (await disk.list(settings.fetchFolder)) ?? []
    const meant = entries.filter(({ name }) => name.startsWith(begin) && isMeant(name))
    for (const { name } of meant) await disk.remove(`${settings.fetchFolder}/${name}`)
    return meant.length
  }

  const answer = async (request: FetcherRequest): Promise<unknown> => {
    switch (request.kind) {
      case 'metadata':
        return fetchMetadata(request)
      case 'content':
        return fetchContent(request)
      case 'discard': {
        const { sha256, source } = request
        const own = source === undefined ? undefined : contentName(sha256, placeOf(source).source)
        await discard(sha256, (name) => own === undefined || name === own)
        return {}
      }
      case 'register': {
        const reply = await serverWith(request.provisioningKey).call(registerDevice, {
          body: request.body,
        })
        return { deviceId: reply.deviceId, product: reply.product, channel: reply.channel }
      }
      case 'token': {
        const reply = await serverWith(undefined).call(createDeviceToken, {
          body: { assertion: request.assertion },
        })
        token = reply.accessToken
        return {}
      }
      case 'check-in': {
        if (token === undefined) throw new FetchError('token_needed')
        const reply = await serverWith(token).call(checkIn, {
          body: request.body,
        })
        const { assignment, acknowledgedSequence, pollSeconds, configVersion } = reply
        return {
          ...{ assignment, pollSeconds, configVersion, acknowledgedSequence },
          ...(heardPins === undefined ? {} : { heardPins }),
        }
      }
      case 'pins': {
        ports.acceptPins(request.pins)
        const [, ...announced] = request.pins
        const pin = announced.at(-1)
        if (pin === undefined) return {}
        if (token === undefined) throw new FetchError('token_needed')
        await serverWith(token).call(confirmNextPin, { body: { pin } })
        return {}
      }
      case 'configuration': {
        if (token === undefined) throw new FetchError('token_needed')
        return serverWith(token).call(readOwnSettings, {})
      }
      default:
        throw new FetchError('malformed_reply')
    }
  }

  return {
    get status() {
      return status
    },
    setStatus(next) {
      status = next
    },
    async answer(request) {
      try {
        return await answer(request)
      } catch (error) {
        const failure = describeError(error)
        if (failure.code === 'token_needed') token = undefined
        throw failure
      }
    },
  }
}

function contentPrefix(sha256: string): string {
  if (!/^[0-9a-f]{64}$/.test(sha256)) throw new FetchError('malformed_reply')
  return `sha256-${sha256}-`
}

/** One file for each content and source: the bytes of one source are never continued by another. */
function contentName(sha256: string, { url }: SourceSettings): string {
  return `${contentPrefix(sha256)}${digestHex(digestOf(utf8Encode(url))).slice(0, 16)}`
}

function isNoSpace(error: unknown): boolean {
  return error instanceof FetchError && error.code === 'no_space'
}

function describeError(error: unknown): FetchError {
  if (error instanceof ProblemError) {
    const { status, code: problem, retryAfterSeconds } = error
    const { challenge } = error.problem
    return new FetchError(failureOf(status), {
      problem,
      retryAfterSeconds,
      challenge,
      cause: error,
    })
  }
  if (error instanceof MalformedReplyError)
    return new FetchError('malformed_reply', { cause: error })
  return asFetchError(error)
}

function failureOf(status: number): FetchFailure {
  if (status === 401) return 'token_needed'
  if (status === 403) return 'not_allowed'
  if (status === 404) return 'not_found'
  if (status === 429 || status === 503) return 'rate_limited'
  return status >= 500 ? 'server_error' : 'not_allowed'
}
