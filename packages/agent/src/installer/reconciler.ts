/**
 * Carries out the plan: one step, look again, the next step. Nothing here remembers more than the
 * planner is told.
 */
import type { BundleManifest } from '@seaworthy/oci/bundle/manifest'
import { TrustError, unreachable } from '@seaworthy/std/refusal'
import { ProcessError } from '../ports.ts'
import { isLocalFailure, LocalFault } from '../refusals.ts'
import type { DeviceState, StoredRelease, UpdateFailure } from '../state/device-state.ts'
import { rememberFailure } from '../state/failed-releases.ts'
import { createApplication } from './application.ts'
import type { AppSettings } from './app-settings.ts'
import type { AppSettingsStep } from './app-settings-plan.ts'
import { isUrgent, planAppSettings } from './app-settings-plan.ts'
import type { InstallerContext } from './context.ts'
import { changeAndReport, publishStatus } from './context.ts'
import type { UntoldSecrets } from './output.ts'
import { listOwnSecrets, readOutputLines, readReason } from './output.ts'
import type { Facts, InstallStep, Verdict } from './planner.ts'
import { commitRelease, planStep } from './planner.ts'
import { pointSlots, readSlots, removeRelease } from './stored-releases.ts'
import { watchTrial } from './watch-trial.ts'
import { isContentRefusal } from './verified.ts'

const idle = { state: 'idle' } as const
const pending = { state: 'pending' } as const

export interface Reconciler {
  /** Carries out steps until nothing is left to do, or the agent stops. */
  reconcile(): Promise<void>
  /** How long the application that is kept running may take to end. */
  stopMs(): Promise<number>
}

export function createReconciler(
  context: InstallerContext,
  appSettings: Omit<AppSettings, 'restore' | 'follow'>,
): Reconciler {
  const { ports, settings, store, runner, signal } = context
  const { layout } = settings
  const application = createApplication(context)
  let verdict: { sha256: string; verdict: Verdict } | undefined
  /** The verdict on variables and secrets. */
  let appSettingsVerdict: Verdict = pending
  let isRestored = false
  /** Whether the application may have read what is on trial. */
  let isTold = true

  const lookAround = async (): Promise<Facts> => {
    const slots = await readSlots(ports.disk, layout)
    const kept = application.kept()
    const others = await application.strays()
    const wanted = store.state.update?.release.sha256
    return {
      ...slots,
      running: [...(kept === undefined ? [] : [kept]), ...others.map(({ sha256 }) => sha256)],
      verdict: verdict !== undefined && verdict.sha256 === wanted ? verdict.verdict : pending,
    }
  }

  const fail = (release: StoredRelease, failure: Failure) => {
    verdict = { sha256: release.sha256, verdict: { state: 'failed', ...failure } }
  }

  const secrets = (): UntoldSecrets => {
    const opened = appSettings.secrets
    return opened && new Set([...opened, ...listOwnSecrets(settings.config)])
  }

  /** What a failed trial leaves for people: why it failed, and what the application wrote last. */
  const describeTrial = async (release: StoredRelease, reason: string | undefined) => {
    const known = secrets()
    const why = reason === undefined ? undefined : readReason(reason, known)
    const lines = settings.config.reportOutput
      ? readOutputLines(
          await ports.processes.readOutput({
            sha256: release.sha256,
            dataFolder: layout.appData,
          }),
          known,
        )
      : []
    return {
      ...(why === undefined ? {} : { reason: why }),
      ...(lines.length === 0 ? {} : { output: lines }),
    }
  }

  const useDefaultsOf = async (sha256: string | undefined) => {
    const manifest = sha256 === undefined ? undefined : await application.manifestOf(sha256)
    await appSettings.useDefaults(manifest?.defaults ?? new Map())
  }

  /** An application that was taken over has the defaults of its release already. */
  const restoreDefaults = async () => {
    try {
      await useDefaultsOf(runner.kept?.sha256)
    } catch (error) {
      const failure = startFailure(error)
      if (failure === undefined) throw error
      ports.log.error('configuration-not-written', { code: failure.code })
    }
  }

  const start = async (release: StoredRelease, isTrial: boolean) => {
    if (isTrial) {
      await store.change((state) =>
        state.update === null
          ? state
          : { ...state, update: { ...state.update, starts: state.update.starts + 1 } },
      )
    }
    try {
      await useDefaultsOf(release.sha256)
      await application.start(release.sha256)
    } catch (error) {
      const failure = startFailure(error)
      if (failure === undefined) throw error
      ports.log.error('application-not-started', { sha256: release.sha256, error })
      if (isTrial) fail(release, failure)
      else if (appSettings.given === 'trial') {
        appSettingsVerdict = { state: 'failed', ...failure }
      } else {
        context.setLastError(failure.code)
        await ports.sleep(5000, signal)
      }
    }
    publishStatus(context)
  }

  const watch = async (release: StoredRelease) => {
    let manifest: BundleManifest | undefined
    try {
      manifest = await application.manifestOf(release.sha256)
    } catch (error) {
      const failure = startFailure(error)
      if (failure === undefined) throw error
      return fail(release, failure)
    }
    context.setActivity({
      state: 'watching',
      targetPath: release.targetPath,
      sha256: release.sha256,
    })
    publishStatus(context)
    context.wakePoller()
    verdict = {
      sha256: release.sha256,
      verdict:
        manifest === undefined
          ? { state: 'healthy' }
          : await watchTrial(context, application.specOf(release.sha256, manifest), manifest),
    }
  }

  const execute = async (step: Exclude<InstallStep, { do: 'rest' }>): Promise<void> => {
    switch (step.do) {
      case 'point':
        return pointSlots(
          ports.disk,
          layout,
          step.current?.sha256 ?? null,
          step.previous?.sha256 ?? null,
        )
      case 'stop':
        return application.stop(step.sha256)
      case 'start':
        return start(step.release, step.isTrial)
      case 'watch':
        return watch(step.release)
      case 'remove':
        return removeRelease(ports.disk, layout, step.sha256)
      case 'commit': {
        const { targetPath, sha256 } = step.release
        await changeAndReport(context, { state: 'committed', targetPath, sha256 }, (state) =>
          commitRelease(state, step.release),
        )
        ports.log.info('committed', { targetPath, sha256, counter: step.release.counter })
        return context.wakePoller()
      }
      case 'begin-undo':
        return beginUndo(step.release, step)
      case 'finish-undo':
        return finishUndo(step.release, step.code)
      case 'report-missing':
        return reportMissing(step.release)
      default:
        return unreachable(step)
    }
  }

  const planForAppSettings = () =>
    planAppSettings(store.state.configuration.trial, {
      given: appSettings.given,
      isWatchable: runner.kept !== undefined,
      verdict: appSettingsVerdict,
    })

  const watchAppSettings = async (): Promise<Verdict> => {
    const sha256 = runner.kept?.sha256
    if (sha256 === undefined) return { state: 'failed', code: 'start_failed' }
    try {
      const manifest = await application.manifestOf(sha256)
      if (manifest === undefined) return { state: 'healthy' }
      return await watchTrial(context, application.specOf(sha256, manifest), manifest)
    } catch (error) {
      return failureOf(error)
    }
  }

  const tryAppSettings = async () => {
    isTold = false
    try {
      await appSettings.giveTrial()
    } catch (error) {
      appSettingsVerdict = failureOf(error)
      return
    }
    isTold = true
    await application.tellOfChange()
  }

  const putAppSettingsBack = async () => {
    try {
      await appSettings.giveConfirmed()
    } catch (error) {
      if (!(error instanceof LocalFault)) throw error
      context.setLastError(error.code)
      return await ports.sleep(5000, signal)
    }
    if (isTold) await application.tellOfChange()
    isTold = true
  }

  const executeForAppSettings = async (
    step: Exclude<AppSettingsStep, { do: 'rest' }>,
  ): Promise<void> => {
    switch (step.do) {
      case 'try':
        return tryAppSettings()
      case 'watch':
        appSettingsVerdict = await watchAppSettings()
        return
      case 'confirm':
        await appSettings.confirm()
        appSettingsVerdict = pending
        context.pollSoon()
        return
      case 'begin-undo':
        return appSettings.beginUndo(step.code)
      case 'put-back':
        return putAppSettingsBack()
      case 'finish-undo':
        await appSettings.finishUndo(step.code)
        appSettingsVerdict = pending
        // What this machine lacks, it lacks still: the next poll is early enough.
        if (!isLocalFailure(step.code)) context.pollSoon()
        return
      default:
        return unreachable(step)
    }
  }

  const beginUndo = async (release: StoredRelease, { code, reason }: Failure) => {
    const why = await describeTrial(release, reason)
    const { targetPath } = release
    ports.log.warn('rolling-back', { targetPath, code, reason: why.reason })
    await store.change((state) =>
      state.update === null
        ? state
        : { ...state, update: { ...state.update, phase: 'undo', code, ...why } },
    )
  }

  const finishUndo = async ({ targetPath, sha256, counter }: StoredRelease, code: string) => {
    const outcome = { state: 'rolled_back', targetPath, sha256, code } as const
    await changeAndReport(context, outcome, (state) => ({
      ...state,
      update: null,
      outcome,
      failure: failureOfUpdate(sha256, code, state.update),
      failed: rememberFailure(state, { sha256, counter, code }),
    }))
    verdict = undefined
    ports.log.warn('rolled-back', { targetPath, sha256, code })
    context.wakePoller()
  }

  /** Counter and floor stay: what is fetched again must not be older. */
  const reportMissing = async ({ targetPath, sha256 }: StoredRelease) => {
    const code = 'release_missing'
    const outcome = { state: 'failed', targetPath, sha256, code } as const
    await changeAndReport(context, outcome, (state) => ({
      ...state,
      outcome,
      failure: { sha256, code, reason: 'its files are no longer on the disk' },
      committed: null,
      fallback: null,
    }))
    context.wakePoller()
  }

  return {
    stopMs: application.stopMs,
    async reconcile() {
      await application.adopt()
      if (!isRestored) await restoreDefaults()
      isRestored = true
      while (!signal.aborted) {
        const step = planStep(store.state, await lookAround())
        // A release on trial is not disturbed.
        const isFree = store.state.update === null
        const own: AppSettingsStep = isFree ? planForAppSettings() : { do: 'rest' }
        const isOwn = own.do !== 'rest' && (step.do === 'rest' || isUrgent(own))
        if (isOwn) {
          ports.log.debug('configuration-step', { ...own })
          await executeForAppSettings(own)
        } else if (step.do === 'rest') break
        else {
          ports.log.debug('step', { ...step })
          await execute(step)
        }
      }
      if (store.state.update === null && context.activity.state === 'watching')
        context.setActivity(idle)
      publishStatus(context)
    },
  }
}

function failureOfUpdate(
  sha256: string,
  code: string,
  update: DeviceState['update'],
): UpdateFailure {
  const { reason, output } = update ?? {}
  return {
    sha256,
    code,
    ...(reason === undefined ? {} : { reason }),
    ...(output === undefined ? {} : { output: [...output] }),
  }
}

interface Failure {
  readonly code: string
  /** The reason in words, which may hold what reports must not. */
  readonly reason?: string | undefined
}

/** Throws a bug again. */
function failureOf(error: unknown): Verdict {
  const failure = error instanceof TrustError ? { code: error.code } : startFailure(error)
  if (failure === undefined) throw error
  return { state: 'failed', ...failure }
}

/** Why the application was not started; `undefined` for a bug. */
function startFailure(error: unknown): Failure | undefined {
  if (error instanceof ProcessError) return { code: 'start_failed', reason: error.message }
  if (!(error instanceof LocalFault || isContentRefusal(error))) return undefined
  return { code: error.code, reason: error.message }
}
