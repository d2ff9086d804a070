/**
 * What the parts of the installer share: ports, settings, durable state, and what is going on right
 * now.
 */
import { formatInstant, parseInstant } from '@seaworthy/std/time'
import { canonicalJson } from '@seaworthy/trust/tuf'
import { equalBytes } from '@seaworthy/std/bytes'
import type { Signer } from '@seaworthy/trust/keys'
import type { AgentConfig } from '../config.ts'
import type { SourceSettings } from '../handover/messages.ts'
import type { AppRunner } from './app-runner.ts'
import type { ClockCheck } from './clock-check.ts'
import type { InstallerPorts } from '../ports.ts'
import type { DeviceState, RefusalRecord, DeviceStateStore } from '../state/device-state.ts'
import { refusalsMax } from '../state/device-state.ts'
import type { Layout } from '../state/layout.ts'
import type { AgentFacts, UpdateActivity } from '../state/reports.ts'
import { isEnd, withSignedReport } from '../state/reports.ts'
import type { DeviceTrust } from './trust.ts'

export interface InstallerSettings {
  config: AgentConfig
  /**
   * Path of the configuration file, from which the provisioning key is removed; `undefined` where
   * there is no file.
   */
  configPath?: string
  layout: Layout
  sources: readonly SourceSettings[]
  /** The pinned root, its digest checked. */
  anchor: Uint8Array
  /** A time that has certainly passed. */
  builtAt: Date
  agentVersion: string
}

interface ContextParts {
  readonly ports: InstallerPorts
  readonly settings: InstallerSettings
  readonly store: DeviceStateStore
  readonly trust: DeviceTrust
  readonly clockCheck: ClockCheck
  readonly runner: AppRunner
  /** Ends when the agent stops; the application is left alone then. */
  readonly signal: AbortSignal
  /** Wakes the reconciler, which looks at what is to be done. */
  readonly wakeReconciler: () => void
  /** Wakes the poller for a check-in soon: there is something to report. */
  readonly wakePoller: () => void
  /** Begins the next poll: what had to wait is decided anew. It is paced (`wake-up.ts`). */
  readonly pollSoon: () => void
}

export interface InstallerContext extends ContextParts {
  readonly signer: Signer
  readonly activity: UpdateActivity
  readonly lastError: string | undefined
  /** Replaces the signer after the device has registered anew, with another key. */
  setSigner(signer: Signer): void
  /** What the next report and `status` say that the device is doing. */
  setActivity(activity: UpdateActivity): void
  /** A code for `status`; `undefined` once all is well. */
  setLastError(code: string | undefined): void
}

export function createContext(
  parts: ContextParts,
  first: { readonly signer: Signer; readonly activity: UpdateActivity },
): InstallerContext {
  let { signer, activity } = first
  let lastError: string | undefined
  return {
    ...parts,
    get signer() {
      return signer
    },
    get activity() {
      return activity
    },
    get lastError() {
      return lastError
    },
    setSigner(next) {
      signer = next
    },
    setActivity(next) {
      activity = next
    },
    setLastError(code) {
      lastError = code
    },
  }
}

export function reportFacts(context: InstallerContext, activity = context.activity): AgentFacts {
  const { config, agentVersion } = context.settings
  return {
    product: config.product,
    agentVersion,
    platform: config.platform,
    bootId: context.ports.bootId,
    activity,
  }
}

/** One durable write of a change together with the signed report that tells of it. */
export async function changeAndReport(
  context: InstallerContext,
  activity: UpdateActivity,
  edit: (state: DeviceState) => DeviceState,
): Promise<void> {
  const now = context.ports.clock.now()
  const machine = context.ports.readMachine?.(now)
  const facts = { ...reportFacts(context, activity), ...(machine && { machine }) }
  await context.store.change((state) => withSignedReport(edit(state), facts, context.signer, now))
  context.setActivity(activity)
  publishStatus(context)
}

/**
 * Does what `changeAndReport` does, for what is not about an update. An end that is signed once
 * more would count as the end of the attempt at hand: it is left out of this one report.
 */
export async function changeAndTell(
  context: InstallerContext,
  edit: (state: DeviceState) => DeviceState,
): Promise<void> {
  const { activity } = context
  const told = isEnd(activity) ? ({ state: 'idle' } as const) : activity
  const now = context.ports.clock.now()
  await context.store.change((state) =>
    withSignedReport(edit(state), reportFacts(context, told), context.signer, now),
  )
  publishStatus(context)
}

export type FoundRefusal = Omit<RefusalRecord, 'at'>

/**
 * Notes why something was refused; a refusal that was there in the last cycle already is not
 * reported again. The end of a refusal is signed too: the server drops none without the device's
 * signature.
 */
export async function recordRefusals(
  context: InstallerContext,
  found: readonly FoundRefusal[],
  metadata: Readonly<Record<string, number>> | undefined,
): Promise<void> {
  const now = context.ports.clock.now()
  const { state } = context.store
  const key = ({ code, subject }: FoundRefusal) => `${code} ${subject ?? ''}`
  const known = new Map(state.refusals.map((record) => [key(record), record]))
  const refusals = found
    .slice(0, refusalsMax)
    .map((item): RefusalRecord => known.get(key(item)) ?? { ...item, at: formatInstant(now) })
  const isNew = refusals.some((record) => !known.has(key(record)))
  const isOtherMetadata =
    metadata !== undefined && !equalBytes(canonicalJson(metadata), canonicalJson(state.metadata))
  if (!isNew && !isOtherMetadata && refusals.length === known.size) return
  await changeAndTell(context, (current) => ({
    ...current,
    refusals,
    metadata: metadata ?? current.metadata,
    timestampVerifiedAt: currentVerifiedAt(context),
  }))
  for (const record of refusals) {
    if (!known.has(key(record))) context.ports.log.warn('refused', { ...record })
  }
}

/**
 * When a timestamp was last verified, by the device's own clock as it stands now: the reader
 * computes the age.
 */
export function currentVerifiedAt(context: InstallerContext): string | null {
  const { sinceVerifiedMs } = context.trust.client.status()
  const now = context.ports.clock.now()
  if (sinceVerifiedMs !== undefined) return formatInstant(new Date(now.getTime() - sinceVerifiedMs))
  const stored = context.store.state.timestampVerifiedAt
  // A clock that was set back since it was written must not show an age below zero.
  return stored !== null && parseInstant(stored) > now ? formatInstant(now) : stored
}

export function publishStatus(context: InstallerContext): void {
  context.ports.gateway.publishStatus(describeStatus(context))
}

export function describeStatus(context: InstallerContext): Readonly<Record<string, unknown>> {
  const { state, generationLost } = context.store
  const { config, agentVersion } = context.settings
  const { kept } = context.runner
  return {
    agentVersion,
    deviceId: state.deviceId,
    removedAt: state.removedAt,
    keyId: context.signer.keyId,
    product: config.product,
    channel: config.channel,
    platform: config.platform,
    committed: state.committed,
    fallback: state.fallback,
    staged: state.staged,
    committedCounter: state.committedCounter,
    floor: state.floor,
    update: context.activity,
    outcome: state.outcome,
    failure: state.failure,
    configuration: state.configuration,
    application: kept === undefined ? null : kept,
    refusals: state.refusals,
    failed: state.failed,
    metadata: state.metadata,
    timestampVerifiedAt: currentVerifiedAt(context),
    timeFloor: formatInstant(context.trust.client.status().timeFloor),
    unacknowledgedReports: state.outbox.length,
    stateGenerationLost: generationLost,
    lastError: context.lastError ?? null,
  }
}
