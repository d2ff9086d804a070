/**
 * What the device must never forget, as one document: what is committed, how far an update has
 * come, what failed, which reports are not acknowledged yet. One write changes all of it or
 * nothing. The links `current` and `previous` follow from it.
 */
import type { DeviceReport } from '@seaworthy/api/device-self'
import { utf8Encode } from '@seaworthy/std/bytes'
import { parseAnyJson } from '@seaworthy/std/json'
import type { Disk } from '../ports.ts'
import type { FailedRelease } from './failed-releases.ts'
import { readGenerations, writeGeneration } from './generations.ts'
import type { Identity, KeyFile } from './identity.ts'
import { stateUnreadable } from './read-state.ts'
import { findStateFault } from './state-form.ts'

export interface StoredRelease {
  /** `<product>/<channel>/<version>` */
  targetPath: string
  version: string
  /** Digest of the release's OCI index; names its folder. */
  sha256: string
  counter: number
  /** Nothing below it may run once this release has committed. */
  floor: number
}

/**
 * `trial`: the release is stored whole; it is, or is about to be, current and running, and watched.
 * `undo`: it failed with `code`; the committed release is being put back.
 */
export interface UnfinishedUpdate {
  phase: 'trial' | 'undo'
  release: StoredRelease
  /** How often the application was started for this trial. */
  starts: number
  code?: string
  /** Why, in words, and what the application wrote last. */
  reason?: string
  output?: readonly string[]
}

/** Why the last update failed; it goes into each signed report until a release commits. */
export type UpdateFailure = NonNullable<DeviceReport['failure']>

/** The files that hold variables and secrets in turn: what is confirmed, and what is tried. */
export type AppSettingsFile = 'configuration.json' | 'configuration-2.json'

/**
 * Variables and secrets that were fetched and are not confirmed yet. `trial`: the application has
 * them, or is about to, and is watched. `undo`: it did not become healthy with them, for `code`;
 * those that were confirmed are being put back.
 */
export interface AppSettingsTrial {
  phase: 'trial' | 'undo'
  version: number
  /** What tells them from others, whatever their version. */
  digest: string
  /** How often the application was given them for this trial. */
  starts: number
  code?: string
}

export interface FailedAppSettings {
  version: number
  digest: string
  /**
   * Digest of the release that did not become healthy with them; `null` where none was installed.
   */
  release: string | null
  code: string
}

interface StoredAppSettings {
  /** Where what is confirmed lies; the other file holds what is on trial. */
  file: AppSettingsFile
  /** Version of what is confirmed; `null` where nothing is. */
  version: number | null
  trial: AppSettingsTrial | null
  failed: FailedAppSettings | null
}

export interface RefusalRecord {
  code: string
  at: string
  subject?: string
  reason?: string
}

export interface SignedReport {
  sequence: number
  report: DeviceReport
  /** The signature in Base64. */
  signature: string
}

export interface DeviceState {
  deviceId: string | null
  /** The file of the device key. */
  keyFile: KeyFile
  /**
   * Id of the provisioning key that it was registered with; `null` where that was not written down.
   */
  registeredWith: string | null
  /** Ids of all provisioning keys that it was ever registered with, the newest last. */
  spentKeys: string[]
  /** The time at which the server said that the device was removed. */
  removedAt: string | null
  /** The device's identity before it registered anew. */
  former: Identity | null
  committed: StoredRelease | null
  /**
   * The release committed before it, still stored; `null` when there is none or it lies below the
   * floor.
   */
  fallback: StoredRelease | null
  committedCounter: number
  floor: number
  /**
   * Floors by `<product>/<channel>` that an earlier version of this program wrote here. The trust
   * state takes them over and keeps them since, with the keys that signed them.
   */
  channelFloors: Readonly<Record<string, number>>
  /** The release that is stored whole, and waits for permission to restart into it. */
  staged: StoredRelease | null
  update: UnfinishedUpdate | null
  /** How the last update ended. */
  outcome: {
    state: 'committed' | 'rolled_back' | 'failed'
    targetPath: string
    sha256: string
    code?: string
  } | null
  failure: UpdateFailure | null
  failed: FailedRelease[]
  /** Refusals of the last cycle. */
  refusals: RefusalRecord[]
  metadata: Readonly<Record<string, number>>
  timestampVerifiedAt: string | null
  /** How far the variables and secrets of the application have come. */
  configuration: StoredAppSettings
  /** Versions of secrets that were confirmed, by `<fleet>/<name>`; the device's own by `<name>`. */
  secretVersions: Readonly<Record<string, number>>
  /** Sequence of the last signed report. */
  sequence: number
  outbox: SignedReport[]
}

export const emptyState: DeviceState = {
  deviceId: null,
  keyFile: 'device.key',
  registeredWith: null,
  spentKeys: [],
  removedAt: null,
  former: null,
  committed: null,
  fallback: null,
  committedCounter: 0,
  floor: 0,
  channelFloors: {},
  staged: null,
  update: null,
  outcome: null,
  failure: null,
  failed: [],
  refusals: [],
  metadata: {},
  timestampVerifiedAt: null,
  configuration: { file: 'configuration.json', version: null, trial: null, failed: null },
  secretVersions: {},
  sequence: 0,
  outbox: [],
}

export const refusalsMax = 32
export const outboxMax = 128
const stateBytesMax = 4 * 1024 * 1024

export interface DeviceStateStore {
  readonly state: DeviceState
  /** Whether one of the two generations could not be read at the start. */
  readonly generationLost: boolean
  /** Applies changes one after the other; each is durable when it resolves. */
  change(edit: (state: DeviceState) => DeviceState | Promise<DeviceState>): Promise<void>
}

/**
 * Throws `TrustError<'state_unreadable'>`. `isFresh` says whether nothing else shows that this
 * device had a life before.
 */
export async function openState(
  disk: Disk,
  path: string,
  isFresh: boolean,
): Promise<DeviceStateStore> {
  const generation = await readGenerations(disk, path, stateBytesMax)
  if (generation === undefined && !isFresh) {
    throw stateUnreadable(`${path}.0 and ${path}.1: the device has run before, but they are gone`)
  }
  let number = generation?.number ?? 0
  let state = generation === undefined ? emptyState : parseState(path, generation.content)
  let queue: Promise<void> = Promise.resolve()
  return {
    get state() {
      return state
    },
    generationLost: generation?.otherDamaged ?? false,
    change(edit) {
      const step = queue.then(async () => {
        const edited = await edit(state)
        if (edited === state) return
        await writeGeneration(disk, path, number + 1, utf8Encode(JSON.stringify(edited)))
        number += 1
        state = edited
      })
      // The caller gets the error; the next caller only waits for the end.
      queue = step.catch(() => {})
      return step
    },
  }
}

/**
 * Reads the members: the checksum has shown that it is what we wrote; this shows that this version
 * understands it.
 */
function parseState(path: string, content: Uint8Array): DeviceState {
  try {
    const value: unknown = parseAnyJson(content)
    if (typeof value !== 'object' || value === null) throw new SyntaxError('not an object')
    const state: DeviceState = { ...emptyState, ...value }
    const fault = findStateFault<keyof DeviceState>(state)
    if (fault !== undefined) throw new SyntaxError(`${fault} is out of form`)
    return state
  } catch (cause) {
    throw stateUnreadable(`${path}: the device state is in an unknown form`, cause)
  }
}

const spentKeysMax = 256

/** The members that a registration changes; kept in case somebody puts the same key there again. */
export function registeredBy(
  state: DeviceState,
  keyId: string,
): Pick<DeviceState, 'registeredWith' | 'spentKeys'> {
  const before = state.registeredWith === null ? [] : [state.registeredWith]
  const spentKeys = [...new Set([...state.spentKeys, ...before, keyId])].slice(-spentKeysMax)
  return { registeredWith: keyId, spentKeys }
}
