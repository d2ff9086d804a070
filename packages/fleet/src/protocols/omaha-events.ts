/**
 * What an Omaha client says with a request, and what follows from it for its update. All functions
 * are pure. Events are best effort and may be lost, repeated or late; the version that the machine
 * runs comes with every request, and decides.
 */
import { maxOf, minOf } from '@seaworthy/std/numbers'
import type { ForeignReport, ReportedUpdate, RunningRelease } from './report.ts'
import { compareVersions, parseVersion } from './versions.ts'

export interface OmahaEvent {
  readonly type: number
  readonly result: number
  /** The error code as an unsigned number, without the flag bits above bit 27. */
  readonly errorCode: number
  /**
   * The version before the update; `null` where it was not sent or says nothing (`""`, `0.0.0.0`).
   */
  readonly previousVersion: string | null
}

export interface OmahaStatement {
  readonly version: string
  readonly bootId: string | null
  readonly events: readonly OmahaEvent[]
}

/** What has changed about the device; every member of a `ReportChange` is given. */
export interface StatedChange {
  readonly update: ReportedUpdate
  readonly running: RunningRelease | null
  /** The version it says it runs, where nobody has signed that for its channel. */
  readonly unsignedVersion: string | null
  readonly committedCounter: number
  readonly floor: number
  readonly bootId: string | null
}

const ranks = { idle: 0, downloading: 1, installing: 2, restarting: 3 } as const
type Ranked = keyof typeof ranks

/** The error code of an update after which the machine fell back to what it ran before. */
const rollbackErrorCode = 44

/**
 * Answers what has changed, or `null` when that is nothing since `report`. `releases` are the
 * signed releases of the channel of the device's fleet.
 */
export function readStatement(
  report: ForeignReport,
  said: OmahaStatement,
  releases: readonly RunningRelease[],
): StatedChange | null {
  const running = releases.find(({ version }) => version === said.version) ?? null
  const update = readUpdate(report, said, running)
  const floor = running === null ? floorOf(said.version, releases) : 0
  const unsignedVersion = running === null ? said.version : null
  const isSame =
    isSameRunning(report.running, running) &&
    (report.unsignedVersion ?? null) === unsignedVersion &&
    report.floor === floor &&
    report.update.state === update.state &&
    report.update.code === update.code
  if (isSame) return null
  return {
    update,
    running: running && pickRunning(running),
    unsignedVersion,
    committedCounter: running?.counter ?? 0,
    floor,
    bootId: said.bootId,
  }
}

function readUpdate(
  report: ForeignReport,
  said: OmahaStatement,
  running: RunningRelease | null,
): ReportedUpdate {
  const { sha256 } = report.update
  if (sha256 === undefined) return report.update
  if (running?.sha256 === sha256) return { ...bare(report.update), state: 'committed' }
  return said.events.reduce(
    (update, event) => applyEvent(update, event, said.version),
    fellBack(report, said) ? ended(report.update, 'rolled_back', rollbackErrorCode) : report.update,
  )
}

/**
 * Whether the machine was to restart into the new release, has restarted, and still runs another.
 */
function fellBack({ update, bootId }: ForeignReport, said: OmahaStatement): boolean {
  return (
    update.state === 'restarting' &&
    bootId !== undefined &&
    said.bootId !== null &&
    bootId !== said.bootId
  )
}

/**
 * Unknown pairs of type and result say nothing. A state never goes back, and an end stays until the
 * next offer.
 */
function applyEvent(
  update: ReportedUpdate,
  { type, result, errorCode, previousVersion }: OmahaEvent,
  version: string,
): ReportedUpdate {
  switch (`${type}/${result}`) {
    case '13/1':
      return forward(update, 'downloading')
    case '14/1':
      return forward(update, 'installing')
    case '3/1':
      return forward(update, 'restarting')
    case '3/2':
      // The machine says that it has restarted after an update into what it ran before: that is no
      // success.
      return update.state === 'restarting' && previousVersion === version
        ? ended(update, 'rolled_back', rollbackErrorCode)
        : update
    case '3/0':
      // A machine may also fall back after its update was a success.
      if (errorCode === rollbackErrorCode) return ended(update, 'rolled_back', errorCode)
      return isEnd(update.state) ? update : ended(update, 'failed', errorCode)
    case '3/9':
      return isEnd(update.state)
        ? update
        : { ...bare(update), state: 'idle', code: `omaha_${errorCode}` }
    default:
      return update
  }
}

function forward(update: ReportedUpdate, state: Ranked): ReportedUpdate {
  const now = Object.hasOwn(ranks, update.state) ? ranks[update.state as Ranked] : Infinity
  return now < ranks[state] ? { ...bare(update), state } : update
}

function isEnd(state: string): boolean {
  return !Object.hasOwn(ranks, state)
}

function ended(
  update: ReportedUpdate,
  state: 'failed' | 'rolled_back',
  errorCode: number,
): ReportedUpdate {
  return { ...bare(update), state, code: `omaha_${errorCode}` }
}

function bare({ targetPath, sha256 }: ReportedUpdate) {
  return {
    ...(targetPath === undefined ? {} : { targetPath }),
    ...(sha256 === undefined ? {} : { sha256 }),
  }
}

function pickRunning({ product, version, sha256, counter }: RunningRelease) {
  return { product, version, sha256, counter }
}

function isSameRunning(before: RunningRelease | null, now: RunningRelease | null): boolean {
  return before?.sha256 === now?.sha256 && before?.counter === now?.counter
}

/**
 * A machine that runs a version which nobody has signed for this channel (such as the one it was
 * made with) gets only releases with a newer version. Versions that do not begin with a number
 * cannot be compared: then it gets any release.
 */
function floorOf(version: string, releases: readonly RunningRelease[]): number {
  const own = parseVersion(version)
  if (own === null) return 0
  const newer = releases.filter((release) => {
    const other = parseVersion(release.version)
    return other === null || compareVersions(other, own) > 0
  })
  const counters = (newer.length > 0 ? newer : releases).map(({ counter }) => counter)
  if (counters.length === 0) return 0
  return newer.length > 0 ? minOf(counters) : maxOf(counters) + 1
}
