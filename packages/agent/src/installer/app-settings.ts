/**
 * Variables and secrets of the application: fetched when the server names another version, opened
 * and judged here, and written where the application reads them, on trial until it is healthy with
 * them (`app-settings-plan.ts`). What is refused changes nothing.
 */
import { digestOf } from '@seaworthy/oci/digests'
import { base64Decode, utf8Encode } from '@seaworthy/std/bytes'
import { TrustError, trustErrorsOf } from '@seaworthy/std/refusal'
import { dayMs } from '@seaworthy/std/time'
import { createSecretEnvelope, versionAt } from '@seaworthy/trust/secrets'
import { canonicalJson } from '@seaworthy/trust/tuf'
import type { FetcherReplies } from '../handover/messages.ts'
import type { AppSettingsFault } from '../refusals.ts'
import { isLocalFailure } from '../refusals.ts'
import { findAppSettings, keepAppSettings, otherFile } from '../state/app-settings-file.ts'
import type { AppSettingsFile, AppSettingsTrial } from '../state/device-state.ts'
import { ensureReceivingKey } from '../state/receiving-key.ts'
import type { AppSettingsFacts } from './app-settings-plan.ts'
import type { InstallerContext } from './context.ts'
import { changeAndTell } from './context.ts'
import type { UntoldSecrets } from './output.ts'
import { secretOf } from './output.ts'

type Received = FetcherReplies['configuration']

export interface AppSettings {
  /**
   * The secrets that this process has opened. `undefined`: the application may have others, which
   * could not be opened.
   */
  readonly secrets: UntoldSecrets
  /** Opens what was confirmed before; it is written with the defaults of the release. */
  restore(): Promise<void>
  /**
   * Writes what is given with the defaults of the release that runs or is about to start, unless
   * that is there already. Throws `LocalFault`.
   */
  useDefaults(defaults: ReadonlyMap<string, string>): Promise<void>
  /**
   * Fetches what the server names by this version, and puts it on trial. Throws `FetchError`, and
   * `TrustError` where it is refused.
   */
  follow(version: number): Promise<void>
  /** Which of them the application was given last, as far as this process knows. */
  readonly given: AppSettingsFacts['given']
  /** Counts the trial, and writes what is on trial. Throws `TrustError`, `LocalFault`. */
  giveTrial(): Promise<void>
  /** Writes what was confirmed. Throws `LocalFault`. */
  giveConfirmed(): Promise<void>
  confirm(): Promise<void>
  beginUndo(code: string): Promise<void>
  finishUndo(code: string): Promise<void>
}

/**
 * This many names of secrets are remembered. None is ever forgotten, and further ones are refused.
 */
const namesMax = 2048

/** This many secrets are kept out of reports, the newest; a device has at most 100 at a time. */
const secretsMax = 300

/**
 * How far ahead of the time that is known here a version may be: a device without a clock knows a
 * signed time that is a day old, and the server's clock may be off by another. Whoever drives a
 * version up drives it no further, and two days later the holders' own is above it.
 */
const aheadMaxMs = 2 * dayMs

export function createAppSettings(context: InstallerContext): AppSettings {
  const { ports, settings, store } = context
  const { disk, log } = ports
  const { layout } = settings
  /** The version that this identity has taken, or has refused for good. */
  let taken: { deviceId: string; version: number } | undefined
  /** What was set, and the defaults of the release for what was not. */
  let files: ReadonlyMap<string, Uint8Array> = new Map()
  let defaults: ReadonlyMap<string, string> = new Map()
  let isWritten = false
  let given: AppSettingsFacts['given']
  const secrets = new Set<string>()
  let areSecretsKnown = true

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
      const scope = entry.isOfFleet ? { fleet: received.fleet } : ('device' as const)
      const binding = { scope, name, version, deviceKeyId: context.signer.keyId }
      const secret = await envelope.open(key, binding, content)
      opened.set(name, secret)
      remember(secret)
    }
    return opened
  }

  const remember = (secret: Uint8Array) => {
    const value = secretOf(secret)
    secrets.delete(value)
    secrets.add(value)
    const [oldest] = secrets
    if (secrets.size > secretsMax && oldest !== undefined) secrets.delete(oldest)
  }

  const isSame = (opened: ReadonlyMap<string, Uint8Array>) =>
    opened.size === files.size &&
    [...opened].every(([name, bytes]) => isEqual(bytes, files.get(name)))

  const write = async (opened: ReadonlyMap<string, Uint8Array>) => {
    isWritten = false
    const ofRelease = [...defaults].map(([name, text]) => [name, utf8Encode(text)] as const)
    await ports.appFiles.replace(new Map([...ofRelease, ...opened]))
    files = opened
    isWritten = true
  }

  /** What is in a file and belongs to this identity, opened; `undefined` where there is none. */
  const openFile = async (file: AppSettingsFile) => {
    const kept = await findAppSettings(disk, layout, file)
    return kept === undefined || kept.deviceId !== store.state.deviceId
      ? undefined
      : { ...kept, opened: await open(kept.received) }
  }

  /** Confirms in one write, so that nothing older than this comes back. */
  const confirmIn = async (file: AppSettingsFile, received: Received) => {
    await changeAndTell(context, (state) => ({
      ...state,
      configuration: { file, version: received.version, trial: null, failed: null },
      secretVersions: { ...state.secretVersions, ...versionsOf(received) },
    }))
    log.info('configuration-taken', {
      version: received.version,
      count: received.entries.length,
    })
  }

  const dropTrial = async () => {
    taken = undefined
    await store.change((state) => ({
      ...state,
      configuration: { ...state.configuration, trial: null },
    }))
  }

  const giveConfirmed = async () => {
    const { file } = store.state.configuration
    try {
      const confirmed = await openFile(file)
      await write(confirmed?.opened ?? new Map())
    } catch (error) {
      if (!(error instanceof TrustError)) throw error
      areSecretsKnown = false
      log.error('configuration-unreadable', { code: error.code })
    }
    given = 'confirmed'
  }

  return {
    get given() {
      return given
    },
    get secrets() {
      return areSecretsKnown ? secrets : undefined
    },
    async restore() {
      const { file, trial } = store.state.configuration
      try {
        const confirmed = await openFile(file)
        files = confirmed?.opened ?? new Map()
        if (confirmed !== undefined && trial === null) {
          const { deviceId, received } = confirmed
          taken = { deviceId, version: received.version }
        }
        // What is on trial may be what an application wrote that was left running.
        if (trial !== null) await openFile(otherFile(file))
      } catch (error) {
        if (!(error instanceof TrustError)) throw error
        areSecretsKnown = false
        log.error('configuration-unreadable', { code: error.code })
      }
      // An application that was left running may have read what is on trial.
      given = trial === null ? 'confirmed' : undefined
    },
    async useDefaults(wanted) {
      const isSameText = ([name, text]: [string, string]) => defaults.get(name) === text
      if (isWritten && wanted.size === defaults.size && [...wanted].every(isSameText)) return
      defaults = wanted
      await write(files)
    },
    async follow(version) {
      const { deviceId, update, committed, configuration } = store.state
      const { failed, trial } = configuration
      // One thing is on trial at a time; what came meanwhile is fetched with the next poll.
      if (deviceId === null || update !== null || trial !== null) return
      const release = committed?.sha256 ?? null
      const mayGetWell = failed !== null && failed.release !== release
      const isKnown = taken?.deviceId === deviceId && taken.version === version && !mayGetWell
      // A fleet that never had variables or secrets has none to fetch.
      if (isKnown || (taken === undefined && version === 0)) return
      const received = await ports.gateway.ask({ kind: 'configuration' })
      await requireOfPast(received)
      const opened = await open(received)
      const digest = digestOfEntries(received)
      const isGivenUp =
        failed?.digest === digest && failed.release === release && !isLocalFailure(failed.code)
      if (!isGivenUp) {
        const file = otherFile(configuration.file)
        await keepAppSettings(disk, layout, file, { deviceId, received })
        if (isSame(opened)) await confirmIn(file, received)
        else {
          await store.change((state) => ({
            ...state,
            configuration: {
              ...state.configuration,
              trial: { phase: 'trial', version: received.version, digest, starts: 0 },
            },
          }))
          context.wakeReconciler()
        }
      }
      taken = { deviceId, version: received.version }
    },
    async giveTrial() {
      await changeTrial(context, (trial) => ({ ...trial, starts: trial.starts + 1 }))
      const tried = await openFile(otherFile(store.state.configuration.file))
      // The identity has changed, or the file is damaged: it is fetched again.
      if (tried === undefined) return await dropTrial()
      given = undefined
      await write(tried.opened)
      given = 'trial'
      log.info('configuration-on-trial', { version: tried.received.version })
    },
    giveConfirmed,
    async confirm() {
      const file = otherFile(store.state.configuration.file)
      const tried = await findAppSettings(disk, layout, file)
      if (tried === undefined) return await dropTrial()
      await confirmIn(file, tried.received)
      given = 'confirmed'
    },
    async beginUndo(code) {
      await changeTrial(context, (trial) => ({ ...trial, phase: 'undo', code }))
    },
    async finishUndo(code) {
      const { version, digest } = store.state.configuration.trial!
      const release = store.state.committed?.sha256 ?? null
      await changeAndTell(context, (state) => ({
        ...state,
        configuration: {
          ...state.configuration,
          trial: null,
          failed: { version, digest, release, code },
        },
      }))
      // What this machine lacks says nothing about variables and secrets: they are fetched again.
      if (isLocalFailure(code)) taken = undefined
      log.warn('configuration-put-back', { version, code })
    },
  }
}

async function changeTrial(
  { store }: Pick<InstallerContext, 'store'>,
  edit: (trial: AppSettingsTrial) => AppSettingsTrial,
): Promise<void> {
  await store.change((state) =>
    state.configuration.trial === null
      ? state
      : {
          ...state,
          configuration: { ...state.configuration, trial: edit(state.configuration.trial) },
        },
  )
}

function versionsOf(received: Received): Record<string, number> {
  const secrets = received.entries.filter(({ kind }) => kind === 'secret')
  return Object.fromEntries(secrets.map((entry) => [placeOf(received, entry), entry.version]))
}

/** Sealed once more, a secret of the same version is the same. */
function digestOfEntries({ fleet, entries }: Received): string {
  const told = entries.map(({ content, ...entry }) =>
    entry.kind === 'secret' ? entry : { ...entry, content },
  )
  const inOrder = told.toSorted((a, b) => (a.name < b.name ? -1 : 1))
  return digestOf(canonicalJson({ fleet, entries: inOrder })).slice('sha256:'.length)
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

const refuse = trustErrorsOf<AppSettingsFault>()
