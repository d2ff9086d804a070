/**
 * Variables and secrets of the application: fetched when the server names another version, opened
 * and judged here, and written where the application reads them. What is refused changes nothing.
 */
import { base64Decode } from '@seaworthy/std/bytes'
import { TrustError, trustErrorsOf } from '@seaworthy/std/refusal'
import { dayMs } from '@seaworthy/std/time'
import { createSecretEnvelope, versionAt } from '@seaworthy/trust/secrets'
import type { FetcherReplies } from '../handover/messages.ts'
import type { ConfigurationFault } from '../refusals.ts'
import { LocalFault } from '../refusals.ts'
import { findConfiguration, keepConfiguration } from '../state/configuration-file.ts'
import { ensureReceivingKey } from '../state/receiving-key.ts'
import type { InstallerContext } from './context.ts'

type Received = FetcherReplies['configuration']

export interface Configuration {
  /** Writes what was accepted before once more, for an application that is about to start. */
  restore(): Promise<void>
  /**
   * Takes over what the server names by this version. Throws `FetchError`, and `TrustError` where
   * it is refused.
   */
  follow(version: number): Promise<void>
  /** Whether something has changed for an application that runs; answers true once. */
  takeChange(): boolean
}

/**
 * This many names of secrets are remembered. None is ever forgotten, and further ones are refused.
 */
const namesMax = 2048

/**
 * How far ahead of the time that is known here a version may be: a device without a clock knows a
 * signed time that is a day old, and the server's clock may be off by another. Whoever drives a
 * version up drives it no further, and two days later the holders' own is above it.
 */
const aheadMaxMs = 2 * dayMs

export function createConfiguration(context: InstallerContext): Configuration {
  const { ports, settings, store } = context
  const { disk, log } = ports
  const { layout } = settings
  /** The version that this identity has accepted, or has refused for good. */
  let taken: { deviceId: string; version: number } | undefined
  let files: ReadonlyMap<string, Uint8Array> | undefined
  let hasChanged = false

  const versionMax = () => {
    const { timeFloor } = context.trust.client.status()
    const nowMs = Math.max(ports.clock.now().getTime(), timeFloor.getTime())
    return versionAt(new Date(nowMs + aheadMaxMs))
  }

  const isOfFuture = (received: Received, entry: Received['entries'][number], max: number) =>
    entry.kind === 'secret' &&
    entry.version > Math.max(max, store.state.secretVersions[placeOf(received, entry)] ?? 0)

  /** Throws `secret_of_future`, after a look at the newest signed time. */
  const requireOfPast = async (received: Received) => {
    const isAhead = () => {
      const max = versionMax()
      return received.entries.find((entry) => isOfFuture(received, entry, max))
    }
    if (isAhead() === undefined) return
    await context.trust.refresh()
    const entry = isAhead()
    if (entry === undefined) return
    throw refuse('secret_of_future', `${entry.name} has version ${entry.version}, of the future`)
  }

  const open = async (received: Received): Promise<Map<string, Uint8Array>> => {
    const opened = new Map<string, Uint8Array>()
    const envelope = await createSecretEnvelope()
    for (const entry of received.entries) {
      const { name, version } = entry
      if (opened.has(name)) {
        throw refuse('setting_twice', `${name} is there twice`)
      }
      const content = base64Decode(entry.content)
      if (entry.kind === 'variable') {
        opened.set(name, content)
        continue
      }
      const { secretVersions } = store.state
      const known = secretVersions[placeOf(received, entry)] ?? 0
      if (known === 0 && Object.keys(secretVersions).length >= namesMax) {
        throw refuse('secret_names_full', `${name} is one name more than this device remembers`)
      }
      if (version < known) {
        throw refuse('secret_rollback', `${name} has version ${version}, and ${known} was here`)
      }
      const key = await ensureReceivingKey(disk, layout)
      const place = entry.isOfFleet ? { fleet: received.fleet } : ('device' as const)
      const binding = { place, name, version, deviceKeyId: context.signer.keyId }
      opened.set(name, await envelope.open(key, binding, content))
    }
    return opened
  }

  const remember = async (received: Received) => {
    const secrets = received.entries.filter(({ kind }) => kind === 'secret')
    const versions = Object.fromEntries(
      secrets.map((entry) => [placeOf(received, entry), entry.version]),
    )
    const { secretVersions } = store.state
    if (Object.entries(versions).every(([name, v]) => secretVersions[name] === v)) return
    await store.change((state) => ({
      ...state,
      secretVersions: { ...state.secretVersions, ...versions },
    }))
  }

  const write = async (opened: ReadonlyMap<string, Uint8Array>) => {
    await ports.appFiles.replace(opened)
    const isSame =
      opened.size === (files?.size ?? 0) &&
      [...opened].every(([name, bytes]) => isEqual(bytes, files?.get(name)))
    files = opened
    return !isSame
  }

  return {
    async restore() {
      const kept = await findConfiguration(disk, layout)
      try {
        if (kept === undefined || kept.deviceId !== store.state.deviceId) {
          await ports.appFiles.replace(new Map())
          return
        }
        const opened = await open(kept.received)
        // The power may have failed after it was stored and before its versions were remembered.
        await remember(kept.received)
        await write(opened)
        taken = { deviceId: kept.deviceId, version: kept.received.version }
      } catch (error) {
        if (!(error instanceof TrustError) && !(error instanceof LocalFault)) throw error
        log.error('configuration-unreadable', { code: error.code })
      }
    },
    async follow(version) {
      const { deviceId } = store.state
      if (deviceId === null) return
      const isKnown = taken?.deviceId === deviceId && taken.version === version
      // A fleet that never had variables or secrets has none to fetch.
      if (isKnown || (taken === undefined && version === 0)) return
      const received = await ports.gateway.ask({ kind: 'configuration' })
      await requireOfPast(received)
      const opened = await open(received)
      await keepConfiguration(disk, layout, { deviceId, received })
      await remember(received)
      if (await write(opened)) {
        hasChanged = true
        context.wakeReconciler()
      }
      taken = { deviceId, version: received.version }
      log.info('configuration-taken', { version: received.version, count: opened.size })
    },
    takeChange() {
      const was = hasChanged
      hasChanged = false
      return was
    },
  }
}

function placeOf(
  { fleet }: Received,
  { isOfFleet, name }: Pick<Received['entries'][number], 'isOfFleet' | 'name'>,
): string {
  return isOfFleet ? `${fleet}/${name}` : name
}

function isEqual(a: Uint8Array, b: Uint8Array | undefined): boolean {
  return b !== undefined && a.length === b.length && a.every((byte, i) => byte === b[i])
}

const refuse = trustErrorsOf<ConfigurationFault>()
