/**
 * Carries out what is planned about releases (`release-plan.ts`): links, starts, the watch over a
 * trial, and its end. What the state becomes by each is in `transitions.ts`.
 */
import type { BundleManifest } from '@seaworthy/oci/bundle/manifest'
import { unreachable } from '@seaworthy/std/refusal'
import type { AppOutput } from '../ports.ts'
import type { DeviceState, StoredRelease } from '../state/device-state.ts'
import type { Application } from './application.ts'
import type { AppSettings } from './app-settings.ts'
import type { AppSettingsSteps } from './app-settings-steps.ts'
import type { InstallerContext } from './context.ts'
import { changeAndReport, publishStatus } from './context.ts'
import type { UntoldSecrets } from './output.ts'
import { listOwnSecrets, readOutputLines, readReason } from './output.ts'
import type { Facts, InstallStep, Verdict } from './release-plan.ts'
import type { StartFailure } from './start-failure.ts'
import { startFailure } from './start-failure.ts'
import { pointSlots, readSlots, removeRelease } from './stored-releases.ts'
import type { FailureWords } from './transitions.ts'
import { beginUndo, commitRelease, countStart, finishUndo, forgetMissing } from './transitions.ts'
import { watchTrial } from './watch-trial.ts'

export interface ReleaseSteps {
  /** Reads what the next step is planned from. */
  look(): Promise<Facts>
  /** Throws only for a bug or a disk that fails. */
  execute(step: Exclude<InstallStep, { do: 'rest' }>): Promise<void>
  /** Gives an application that was taken over the settings with the defaults of its release. */
  restoreDefaults(): Promise<void>
}

export function createReleaseSteps(
  context: InstallerContext,
  application: Application,
  appSettings: Pick<AppSettings, 'secrets' | 'useDefaults'>,
  { takeBlame }: Pick<AppSettingsSteps, 'takeBlame'>,
): ReleaseSteps {
  const { ports, settings, store, runner, signal } = context
  const { config, layout } = settings
  let judged: { readonly sha256: string; readonly verdict: Verdict } | undefined

  const fail = ({ sha256 }: StoredRelease, failure: StartFailure) => {
    judged = { sha256, verdict: { state: 'failed', ...failure } }
  }

  const useDefaultsOf = async (sha256: string | undefined) => {
    const manifest = sha256 === undefined ? undefined : await application.manifestOf(sha256)
    await appSettings.useDefaults(manifest?.defaults ?? new Map())
  }

  const start = async (release: StoredRelease, isTrial: boolean) => {
    if (isTrial) await store.change(countStart)
    try {
      await useDefaultsOf(release.sha256)
      await application.start(release.sha256)
    } catch (error) {
      const failure = startFailure(error)
      if (failure === undefined) throw error
      ports.log.error('application-not-started', { sha256: release.sha256, error })
      if (isTrial) fail(release, failure)
      else if (!takeBlame(failure)) {
        context.setLastError(failure.code)
        await ports.sleep(5000, signal)
      }
    }
    publishStatus(context)
  }

  const watch = async (release: StoredRelease) => {
    const { targetPath, sha256 } = release
    let manifest: BundleManifest | undefined
    try {
      manifest = await application.manifestOf(sha256)
    } catch (error) {
      const failure = startFailure(error)
      if (failure === undefined) throw error
      return fail(release, failure)
    }
    context.setActivity({ state: 'watching', targetPath, sha256 })
    publishStatus(context)
    context.wakePoller()
    const verdict: Verdict =
      manifest === undefined
        ? { state: 'healthy' }
        : await watchTrial(context, application.specOf(sha256, manifest), manifest)
    judged = { sha256, verdict }
  }

  /** Writes and reports the end of an attempt, and wakes the poller to tell of it. */
  const end = async (
    outcome: NonNullable<DeviceState['outcome']>,
    edit: (state: DeviceState) => DeviceState,
  ) => {
    await changeAndReport(context, outcome, edit)
    context.wakePoller()
  }

  const giveUp = async ({ targetPath, sha256 }: StoredRelease, { code, reason }: StartFailure) => {
    const output = config.reportOutput
      ? await ports.processes.readOutput({ sha256, dataFolder: layout.appData })
      : undefined
    const { secrets } = appSettings
    const known = secrets && new Set([...secrets, ...listOwnSecrets(config)])
    const words = describeFailure(reason, output, known)
    ports.log.warn('rolling-back', { targetPath, code, reason: words.reason })
    await store.change((state) => beginUndo(state, code, words))
  }

  const execute: ReleaseSteps['execute'] = async (step) => {
    switch (step.do) {
      case 'point': {
        const { current, previous } = step
        return pointSlots(ports.disk, layout, current?.sha256 ?? null, previous?.sha256 ?? null)
      }
      case 'stop':
        return application.stop(step.sha256)
      case 'start':
        return start(step.release, step.isTrial)
      case 'watch':
        return watch(step.release)
      case 'remove':
        return removeRelease(ports.disk, layout, step.sha256)
      case 'commit': {
        const { targetPath, sha256, counter } = step.release
        await end({ state: 'committed', targetPath, sha256 }, (state) =>
          commitRelease(state, step.release),
        )
        return ports.log.info('committed', { targetPath, sha256, counter })
      }
      case 'begin-undo':
        return giveUp(step.release, step)
      case 'finish-undo': {
        const { code, release } = step
        const { targetPath, sha256 } = release
        await end({ state: 'rolled_back', targetPath, sha256, code }, (state) =>
          finishUndo(state, release, code),
        )
        judged = undefined
        return ports.log.warn('rolled-back', { targetPath, sha256, code })
      }
      case 'report-missing': {
        const { targetPath, sha256 } = step.release
        return end({ state: 'failed', targetPath, sha256, code: 'release_missing' }, (state) =>
          forgetMissing(state, step.release),
        )
      }
      default:
        return unreachable(step)
    }
  }

  return {
    async look() {
      const slots = await readSlots(ports.disk, layout)
      const kept = application.kept()
      const others = await application.strays()
      const wanted = store.state.update?.release.sha256
      return {
        ...slots,
        running: [...(kept === undefined ? [] : [kept]), ...others.map(({ sha256 }) => sha256)],
        verdict:
          judged !== undefined && judged.sha256 === wanted ? judged.verdict : { state: 'pending' },
      }
    },
    execute,
    async restoreDefaults() {
      try {
        await useDefaultsOf(runner.kept?.sha256)
      } catch (error) {
        const failure = startFailure(error)
        if (failure === undefined) throw error
        ports.log.error('configuration-not-written', { code: failure.code })
      }
    },
  }
}

/** What a failed trial leaves for people: why it failed, and what the application wrote last. */
function describeFailure(
  reason: string | undefined,
  output: AppOutput | undefined,
  secrets: UntoldSecrets,
): FailureWords {
  const why = reason === undefined ? undefined : readReason(reason, secrets)
  const lines = output === undefined ? [] : readOutputLines(output, secrets)
  return {
    ...(why === undefined ? {} : { reason: why }),
    ...(lines.length === 0 ? {} : { output: lines }),
  }
}
