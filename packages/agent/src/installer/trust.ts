/**
 * The installer's own view of the repository: TUF metadata handed over by the fetcher, verified
 * from the anchored root against state that the fetcher cannot write.
 */
import type { Clock } from '@seaworthy/std/time'
import { TrustError } from '@seaworthy/std/refusal'
import type { FetchMetadata, StateStore, TufClient, TufNotice } from '@seaworthy/trust/tuf'
import {
  createTrustState,
  isTrustError,
  isTrustStateAbsent,
  openTufClient,
  trustError,
} from '@seaworthy/trust/tuf'
import type { Gateway, SourceSettings } from '../handover/messages.ts'
import type { Disk } from '../ports.ts'
import { DiskError } from '../ports.ts'
import type { ClockCheck } from './clock-check.ts'
import { sourceOrder } from './sources.ts'
import { FetchError } from '../refusals.ts'
import { readStateFile } from '../state/read-state.ts'
import { replaceFile } from '../state/replace-file.ts'

export interface TrustPorts {
  clock: Clock
  disk: Disk
  gateway: Gateway
  clockCheck: ClockCheck
}

export interface TrustSettings {
  /** The pinned root, its digest checked. */
  anchor: Uint8Array
  trustFolder: string
  fetchFolder: string
  sources: readonly SourceSettings[]
  /** A time that has certainly passed. */
  builtAt: Date
  /** Floors by `<product>/<channel>` that an earlier version wrote into the device's state. */
  earlierFloors: Readonly<Record<string, number>>
}

export interface DeviceTrust {
  readonly client: TufClient
  /** Runs one cycle, from the first source whose metadata is good. */
  refresh(): Promise<readonly TufNotice[]>
  /**
   * Runs `action`, which may fetch further metadata, with one source after the other until it
   * succeeds.
   */
  withSources<T>(action: () => Promise<T>): Promise<T>
}

const stateBytesMax = 128 * 1024 * 1024

function createStore(disk: Disk, trustFolder: string): StateStore {
  const path = (slot: string) => `${trustFolder}/tuf.${slot}`
  return {
    read: (slot) => readStateFile(disk, path(slot), stateBytesMax),
    write: (slot, bytes) => replaceFile(disk, path(slot), bytes),
  }
}

/**
 * `isFresh`: whether the device never had a life before; only then is a missing state a beginning.
 */
export async function openTrust(
  ports: TrustPorts,
  settings: TrustSettings,
  isFresh: boolean,
): Promise<DeviceTrust> {
  const store = createStore(ports.disk, settings.trustFolder)
  const { anchor, builtAt: notBefore } = settings
  const earlierFloors = new Map(
    Object.entries(settings.earlierFloors).map(
      ([key, floor]) => [key.replace('/', '.'), floor] as const,
    ),
  )
  const options = { anchor, profile: 'strict', notBefore, earlierFloors } as const
  if (isFresh && (await isTrustStateAbsent(store))) await createTrustState(options, store)
  let source = 0
  const fetchMetadata: FetchMetadata = async (name, bytesMax) => {
    const request = { kind: 'metadata', source, name, bytesMax } as const
    const reply = await ports.gateway.ask(request).catch((error: unknown) => {
      throw asTrustError(error)
    })
    if ('absent' in reply) return undefined
    return readHandedOver(ports.disk, `${settings.fetchFolder}/${reply.file}`, bytesMax)
  }
  const { clock, clockCheck } = ports
  const isClockGood = () => clockCheck.isGood()
  const client = await openTufClient(options, { clock, isClockGood, store, fetchMetadata })
  const withSources = async <T>(action: () => Promise<T>): Promise<T> => {
    let worst: unknown
    for (const next of sourceOrder(settings.sources, 'metadata')) {
      source = next
      try {
        return await action()
      } catch (error) {
        const isSources = isTrustError(error)
          ? error.code !== 'state_unreadable'
          : error instanceof FetchError
        if (!isSources) throw error
        // A refusal says more than a source that did not answer.
        if (!(worst instanceof TrustError)) worst = error
      }
    }
    throw worst
  }
  return { client, withSources, refresh: () => withSources(() => client.refresh()) }
}

/** An attack that the fetcher saw on the wire gets the same name, as far as anybody can tell. */
export function asTrustError(error: unknown): unknown {
  if (!(error instanceof FetchError)) return error
  const { code } = error
  return code === 'endless_data' || code === 'wrong_length' || code === 'slow_retrieval'
    ? trustError(code, 'the source did not deliver what was signed', { cause: error })
    : error
}

/** The whole of a small file that the fetcher left: opened once, read once, used from memory. */
export async function readHandedOver(
  disk: Disk,
  path: string,
  bytesMax: number,
): Promise<Uint8Array> {
  try {
    const bytes = await disk.read(path, bytesMax)
    if (bytes === undefined) throw new FetchError('fetcher_gone')
    return bytes
  } catch (error) {
    if (error instanceof DiskError && error.code === 'too_long') {
      throw trustError('endless_data', 'more bytes than were signed for', { cause: error })
    }
    if (error instanceof DiskError) throw new FetchError('malformed_reply', { cause: error })
    throw error
  }
}
