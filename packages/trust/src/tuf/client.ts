/**
 * The client of devices and of the command line, for one repository whose root was pinned. Each
 * cycle starts from the pinned root, walks the stored history and goes on over the network; what is
 * stored is never the anchor. It makes no decision about releases: see `release.ts`.
 */
import { equalBytes } from '@seaworthy/std/bytes'
import { minOf } from '@seaworthy/std/numbers'
import { minuteMs, parseInstant } from '@seaworthy/std/time'
import type { Clock } from '@seaworthy/std/time'
import {
  formatClientState,
  isTrustStateAbsent,
  readClientState,
  writeClientState,
} from './client-state.ts'
import type { ClientState, StateSlot, StateStore } from './client-state.ts'
import { isTrustError, trustError } from './codes.ts'
import { findTarget, loadRole, refreshRoots, refreshTrustedSet, roleFileName } from './cycle.ts'
import type { CyclePorts, FetchMetadata, FoundTarget } from './cycle.ts'
import { lintDelegator } from './layout.ts'
import { defaultTufLimits } from './metadata.ts'
import type { Metadata, Profile, TargetsSigned, TufLimits } from './metadata.ts'
import { parseMetadata } from './parse-metadata.ts'
import { channelRole, delegatorOf } from './names.ts'
import { timeAfter, timeFloor } from './time-floor.ts'
import type { OfflineTime } from './time-floor.ts'
import { TrustedSet } from './trusted-set.ts'
import { learnMarks, VersionMarks } from './version-marks.ts'

export interface TufClientOptions {
  /** The pinned root, exactly as provisioned. */
  readonly anchor: Uint8Array
  readonly profile: Profile
  readonly limits?: TufLimits
  /** A time that has certainly passed, such as the build date of this program. */
  readonly notBefore: Date
  /**
   * Accepts expired root and targets roles, so that signers can see and renew them; never set on a
   * device. Timestamp and snapshot must be fresh all the same; `status` tells what has expired.
   */
  readonly acceptExpiredOffline?: boolean
  /**
   * Floors by channel role that an earlier version of this program wrote down elsewhere, without
   * the keys that signed them.
   */
  readonly earlierFloors?: ReadonlyMap<string, number>
}

export interface TufClientPorts {
  readonly clock: Clock
  /**
   * Whether somebody else has just vouched for the clock. If so, no instant much later than the
   * clock is believed to be the time at which a timestamp was signed. Left out, the clock is never
   * known to be good and may be behind.
   */
  readonly isClockGood?: () => boolean
  readonly store: StateStore
  readonly fetchMetadata: FetchMetadata
}

/** What an operator should hear of, though nothing was refused. */
export type TufNotice =
  /**
   * The clock is behind a time that has certainly passed or was verified; that time was used
   * instead.
   */
  | { readonly code: 'clock_behind'; readonly byMs: number }
  /** The clock has moved by more or less than the time that has passed since the last cycle. */
  | { readonly code: 'clock_jumped'; readonly byMs: number }
  /** One of the two stored generations is gone or broken; the other was used. */
  | { readonly code: 'state_generation_lost' }

export interface RoleStatus {
  readonly role: string
  readonly version: number
  readonly expiresAt: Date
}

export interface TrustedFile {
  readonly name: string
  readonly bytes: Uint8Array
}

export interface TufStatus {
  /** No clock below it is believed. */
  readonly timeFloor: Date
  /**
   * Milliseconds since the last successful cycle of this process began, whatever the clock did
   * meanwhile.
   */
  readonly sinceVerifiedMs: number | undefined
  /**
   * The roles trusted after the last successful cycle, in the order root, timestamp, snapshot,
   * targets, others.
   */
  readonly roles: readonly RoleStatus[]
}

export interface TufClient {
  /**
   * One cycle. Throws `TrustError` when something is not genuine, and whatever the ports throw.
   * What was verified before the failure is kept, so that an attacker cannot make it be forgotten.
   */
  refresh(): Promise<readonly TufNotice[]>
  /**
   * Refreshes only the roots (5.3), whether expired or not, for those who have to sign the next
   * one: what the online keys say, or no longer say, plays no part. Afterwards only `trustedFiles`
   * and `status` have an answer.
   */
  refreshRoots(): Promise<void>
  /** Searches the delegations. Throws `target_unknown`. Needs a successful `refresh` before. */
  findTarget(path: string): Promise<FoundTarget>
  /**
   * The channel's role, for repositories of our layout. Throws `wrong_product` or `wrong_channel`
   * when nobody delegates to it, and `profile_violation` when a delegator is not of our layout.
   */
  loadChannel(product: string, channel: string): Promise<Metadata<TargetsSigned>>
  /**
   * The highest floor of a channel that its present keys, or enough of them, have ever signed here;
   * 0 for none. Needs a successful `loadChannel` before.
   */
  channelFloor(product: string, channel: string): Promise<number>
  /**
   * Everything trusted now but the anchor, under the names a repository serves it, to be handed on.
   */
  trustedFiles(): TrustedFile[]
  status(): TufStatus
}

/**
 * A deviation of the clock that is not worth a report: time daemons that steer it, and slow disks.
 */
const clockToleranceMs = 5 * minuteMs

/**
 * Makes the first generation of the state; only provisioning calls it. Throws `state_unreadable`
 * when any state exists already, and the anchor's own faults.
 */
export async function createTrustState(
  options: TufClientOptions,
  store: StateStore,
): Promise<void> {
  if (!(await isTrustStateAbsent(store))) {
    throw trustError('state_unreadable', 'there is a trust state already: it is not overwritten')
  }
  const { root } = await startSet(options, () => options.notBefore)
  await store.write(
    'a',
    await formatClientState({
      generation: 1,
      roots: [options.anchor],
      roles: new Map(),
      verifiedAt: options.notBefore,
      verifiedUnder: root.signed.version,
      marks: new Map(),
    }),
  )
}

function startSet(
  options: TufClientOptions,
  startAt: (set: TrustedSet) => Date,
  device: { readonly marks?: VersionMarks; readonly goodAt?: Date } = {},
): Promise<TrustedSet> {
  const { profile, limits = defaultTufLimits, acceptExpiredOffline = false } = options
  return TrustedSet.fromRoot(options.anchor, {
    profile,
    startAt,
    limits,
    acceptExpiredOffline,
    ...device,
  })
}

/**
 * Opens the client on the state that provisioning made. Throws `state_unreadable` when no
 * generation can be read, and `root_chain_broken` when the history does not contain the anchor.
 */
export async function openTufClient(
  options: TufClientOptions,
  ports: TufClientPorts,
): Promise<TufClient> {
  const read = await readClientState(ports.store)
  const anchorAt = read.state.roots.findIndex((root) => equalBytes(root, options.anchor))
  if (anchorAt < 0) {
    throw trustError('root_chain_broken', 'the stored history does not contain the pinned root')
  }

  let slot: StateSlot = read.slot
  let generation = read.state.generation
  let { verifiedAt, verifiedUnder } = read.state
  let roots = read.state.roots.slice(anchorAt)
  const roles = new Map(read.state.roles)
  let isChanged = false
  let isGenerationLost = read.isGenerationLost
  const earlierFloors = new Map(options.earlierFloors)
  let areMarksKnown = read.state.marks !== undefined
  const marks = new VersionMarks(read.state.marks ?? new Map(), () => {
    isChanged = true
  })
  let set: TrustedSet | undefined
  let lastCycle: { wallMs: number; monotonicMs: number } | undefined
  /** Start of the last successful cycle of this process. */
  let lastVerified: { startMs: number; monotonicMs: number; onlineKeysSince: number } | undefined

  const persist = async () => {
    if (!isChanged) return
    const state: ClientState = {
      generation: generation + 1,
      roots,
      roles,
      verifiedAt,
      ...(verifiedUnder === undefined ? {} : { verifiedUnder }),
      ...(areMarksKnown ? { marks: marks.stored } : {}),
    }
    slot = await writeClientState(ports.store, slot, state)
    generation++
    isChanged = false
  }

  const cyclePorts: CyclePorts = {
    fetchMetadata: ports.fetchMetadata,
    limits: options.limits ?? defaultTufLimits,
    cache: {
      read: async (role) => roles.get(role),
      keep: async (role, bytes) => {
        if (role === 'root') roots = [...roots, bytes]
        else roles.set(role, bytes)
        isChanged = true
      },
      dropOnlineRoles: async () => {
        roles.delete('timestamp')
        roles.delete('snapshot')
        isChanged = true
      },
    },
  }

  const noticeJump = (now: Date): TufNotice[] => {
    const monotonicMs = ports.clock.monotonicMs()
    const before = lastCycle
    lastCycle = { wallMs: now.getTime(), monotonicMs }
    if (!before) return []
    const byMs = now.getTime() - before.wallMs - (monotonicMs - before.monotonicMs)
    return Math.abs(byMs) > clockToleranceMs ? [{ code: 'clock_jumped', byMs }] : []
  }

  const offlineTime = ({ root }: TrustedSet): OfflineTime => ({
    notBefore: options.notBefore,
    root: root.signed,
    profile: options.profile,
  })

  /**
   * The earliest time it can be under this set's root. While the same online keys count, setting
   * the wall clock back undoes none of the time that has passed since the last cycle.
   */
  const floorOf = (current: TrustedSet): Date => {
    const { onlineKeysSince } = current
    const learnt = { at: verifiedAt, onlineKeysSince: verifiedUnder ?? onlineKeysSince }
    const floor = timeFloor(offlineTime(current), learnt, onlineKeysSince)
    if (lastVerified?.onlineKeysSince !== onlineKeysSince) return floor
    const elapsedMs = ports.clock.monotonicMs() - lastVerified.monotonicMs
    return new Date(Math.max(floor.getTime(), lastVerified.startMs + elapsedMs))
  }

  /** The anchor and the stored history. A history that does not verify was altered. */
  const walkHistory = async (now: Date) => {
    const startAt = (current: TrustedSet) =>
      new Date(Math.max(now.getTime(), floorOf(current).getTime()))
    const goodAt = ports.isClockGood?.() === true ? { goodAt: now } : {}
    const started = await startSet(options, startAt, { marks, ...goodAt })
    try {
      for (const root of roots.slice(1)) await started.updateRoot(root)
    } catch (cause) {
      if (!isTrustError(cause)) throw cause
      throw trustError('state_unreadable', 'the stored root history does not verify', { cause })
    }
    // A state of an earlier version: its time goes with the keys that count as far as it knows.
    verifiedUnder ??= started.onlineKeysSince
    if (!areMarksKnown) {
      const { profile, limits } = options
      await learnMarks(marks, started.root.signed, async (role) => {
        const bytes = roles.get(role)
        return bytes && parseMetadata('targets', bytes, profile, limits)
      })
      areMarksKnown = true
      isChanged = true
    }
    // This runs once, before any further ring is known: only rings known so far can have signed
    // these floors.
    for (const [role, floor] of earlierFloors) {
      marks.adoptFloor(role, delegatorOf(role) ?? 'root', floor)
    }
    earlierFloors.clear()
    return started
  }

  const rememberTime = (current: TrustedSet, ownAt: Date) => {
    const { startAt, onlineKeysSince, timestamp } = current
    const expiries = statusOf(current).map(({ expiresAt }) => expiresAt.getTime())
    const after = timeAfter({
      offline: offlineTime(current),
      ownAt,
      startAt,
      timestamp: timestamp!.signed,
      expiresAt: new Date(minOf(expiries)),
    })
    lastVerified = {
      startMs: startAt.getTime(),
      monotonicMs: ports.clock.monotonicMs(),
      onlineKeysSince,
    }
    // One write a minute at most: the floor needs no finer steps.
    const isSame = verifiedUnder === onlineKeysSince
    if (isSame && after.getTime() - verifiedAt.getTime() < minuteMs) return
    verifiedAt = after
    verifiedUnder = onlineKeysSince
    isChanged = true
  }

  /** Roles that the snapshot no longer names need no room on the device. Their marks stay. */
  const forgetGoneRoles = (current: TrustedSet) => {
    for (const role of roles.keys()) {
      if (role === 'timestamp' || role === 'snapshot') continue
      if (!Object.hasOwn(current.snapshot?.signed.meta ?? {}, `${role}.json`)) {
        roles.delete(role)
        isChanged = true
      }
    }
  }

  const requireSet = () => {
    if (!set) throw new Error('a refresh must have succeeded first')
    return set
  }

  const keepAfter = async <T>(action: () => Promise<T>): Promise<T> => {
    try {
      return await action()
    } finally {
      await persist()
    }
  }

  return {
    refresh: () =>
      keepAfter(async () => {
        set = undefined
        const now = ports.clock.now()
        const notices = noticeJump(now)
        const next = await walkHistory(now)
        await refreshTrustedSet(next, cyclePorts)
        const behindMs = next.startAt.getTime() - now.getTime()
        if (behindMs > clockToleranceMs) notices.push({ code: 'clock_behind', byMs: behindMs })
        if (isGenerationLost) notices.push({ code: 'state_generation_lost' })
        rememberTime(next, now)
        forgetGoneRoles(next)
        set = next
        isGenerationLost = false
        return notices
      }),
    refreshRoots: () =>
      keepAfter(async () => {
        set = undefined
        const next = await walkHistory(ports.clock.now())
        await refreshRoots(next, cyclePorts)
        set = next
      }),
    findTarget: (path) =>
      keepAfter(async () => {
        const found = await findTarget(requireSet(), cyclePorts, path)
        if (!found) throw trustError('target_unknown', 'no role that may lists this path')
        return found
      }),
    loadChannel: (product, channel) =>
      keepAfter(async () => {
        const current = requireSet()
        const chain = ['targets', product, channelRole(product, channel)] as const
        let metadata = await loadRole(current, cyclePorts, 'targets', current.targetsRing())
        for (const [delegator, role] of [chain.slice(0, 2), chain.slice(1)] as const) {
          const [finding] = lintDelegator(delegator!, metadata.signed)
          if (finding) throw trustError('profile_violation', `${delegator}: ${finding.message}`)
          const ring = current.delegatedRing(delegator!, role!)
          if (!ring) {
            const code = role === product ? 'wrong_product' : 'wrong_channel'
            const isRetired = metadata.signed.seaworthy?.retired?.includes(role!) === true
            throw trustError(
              code,
              isRetired
                ? `${role} is retired: ${delegator} has ended it for good`
                : `${delegator} does not delegate to ${role}`,
            )
          }
          metadata = await loadRole(current, cyclePorts, role!, ring)
        }
        return metadata
      }),
    channelFloor: async (product, channel) => {
      const current = requireSet()
      const role = channelRole(product, channel)
      const ring = current.delegatedRing(product, role)
      return ring ? current.floorFor(role, ring) : 0
    },
    trustedFiles: () => trustedFilesOf(requireSet(), roots.slice(1)),
    status: () => ({
      timeFloor: set
        ? floorOf(set)
        : new Date(Math.max(verifiedAt.getTime(), options.notBefore.getTime())),
      sinceVerifiedMs: lastVerified && ports.clock.monotonicMs() - lastVerified.monotonicMs,
      roles: set ? statusOf(set) : [],
    }),
  }
}

function trustedFilesOf(set: TrustedSet, laterRoots: readonly Uint8Array[]): TrustedFile[] {
  const first = set.root.signed.version - laterRoots.length + 1
  const files = laterRoots.map((bytes, i) => ({ name: `${first + i}.root.json`, bytes }))
  const isVersioned = set.root.signed.consistent_snapshot === true
  for (const [role, metadata] of namedMetadata(set).slice(1)) {
    const prefix = isVersioned && role !== 'timestamp' ? `${metadata.signed.version}.` : ''
    files.push({ name: `${prefix}${roleFileName(role)}`, bytes: metadata.bytes })
  }
  return files
}

function namedMetadata(set: TrustedSet): (readonly [string, Metadata])[] {
  const { root, timestamp, snapshot } = set
  return [
    ['root', root],
    ...(timestamp ? [['timestamp', timestamp] as const] : []),
    ...(snapshot ? [['snapshot', snapshot] as const] : []),
    ...set.roles,
  ]
}

function statusOf(set: TrustedSet): RoleStatus[] {
  return namedMetadata(set).map(([role, { signed }]) => ({
    role,
    version: signed.version,
    expiresAt: parseInstant(signed.expires),
  }))
}
