/**
 * Carries out what is planned about variables and secrets on trial (`app-settings-plan.ts`): gives
 * them to the application, watches it, and confirms them or puts the former ones back.
 */
import { unreachable } from '@seaworthy/std/refusal'
import { isLocalFailure, LocalFault } from '../refusals.ts'
import type { Application } from './application.ts'
import type { AppSettings } from './app-settings.ts'
import type { AppSettingsStep } from './app-settings-plan.ts'
import { planAppSettings } from './app-settings-plan.ts'
import type { InstallerContext } from './context.ts'
import type { Verdict } from './release-plan.ts'
import type { StartFailure } from './start-failure.ts'
import { verdictOf } from './start-failure.ts'
import { watchTrial } from './watch-trial.ts'

const pending = { state: 'pending' } as const

export interface AppSettingsSteps {
  plan(): AppSettingsStep
  /** Throws only for a bug or a disk that fails. */
  execute(step: Exclude<AppSettingsStep, { do: 'rest' }>): Promise<void>
  /**
   * Notes that the application does not start. Answers whether what is on trial is to blame for it.
   */
  takeBlame(failure: StartFailure): boolean
}

export function createAppSettingsSteps(
  context: InstallerContext,
  application: Application,
  appSettings: Omit<AppSettings, 'restore' | 'follow'>,
): AppSettingsSteps {
  const { ports, store, runner, signal } = context
  let verdict: Verdict = pending
  /** Whether the application may have read what is on trial. */
  let isTold = true

  const giveTrial = async () => {
    isTold = false
    try {
      await appSettings.giveTrial()
    } catch (error) {
      verdict = verdictOf(error)
      return
    }
    isTold = true
    await application.tellOfChange()
  }

  const watch = async (): Promise<Verdict> => {
    const sha256 = runner.kept?.sha256
    if (sha256 === undefined) return { state: 'failed', code: 'start_failed' }
    try {
      const manifest = await application.manifestOf(sha256)
      if (manifest === undefined) return { state: 'healthy' }
      return await watchTrial(context, application.specOf(sha256, manifest), manifest)
    } catch (error) {
      return verdictOf(error)
    }
  }

  const putBack = async () => {
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

  return {
    plan: () =>
      planAppSettings(store.state.configuration.trial, {
        given: appSettings.given,
        isWatchable: runner.kept !== undefined,
        verdict,
      }),
    async execute(step) {
      switch (step.do) {
        case 'try':
          return giveTrial()
        case 'watch':
          verdict = await watch()
          return
        case 'confirm':
          await appSettings.confirm()
          verdict = pending
          return context.pollSoon()
        case 'begin-undo':
          return appSettings.beginUndo(step.code)
        case 'put-back':
          return putBack()
        case 'finish-undo':
          await appSettings.finishUndo(step.code)
          verdict = pending
          // What this machine lacks, it lacks still: the next poll is early enough.
          if (!isLocalFailure(step.code)) context.pollSoon()
          return
        default:
          return unreachable(step)
      }
    },
    takeBlame(failure) {
      if (appSettings.given !== 'trial') return false
      verdict = { state: 'failed', ...failure }
      return true
    },
  }
}
