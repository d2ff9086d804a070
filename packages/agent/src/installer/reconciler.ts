/**
 * Carries out the plan: one step, look again, the next step. Nothing here remembers more than the
 * planner is told.
 */
import { createApplication } from './application.ts'
import type { AppSettings } from './app-settings.ts'
import { isUrgent } from './app-settings-plan.ts'
import { createAppSettingsSteps } from './app-settings-steps.ts'
import type { InstallerContext } from './context.ts'
import { publishStatus } from './context.ts'
import { planStep } from './release-plan.ts'
import { createReleaseSteps } from './release-steps.ts'

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
  const { ports, store, signal } = context
  const application = createApplication(context)
  const settingsSteps = createAppSettingsSteps(context, application, appSettings)
  const releaseSteps = createReleaseSteps(context, application, appSettings, settingsSteps)
  let isRestored = false

  /** Carries out one step. Answers whether there was one. */
  const takeStep = async (): Promise<boolean> => {
    const step = planStep(store.state, await releaseSteps.look())
    // A release on trial is not disturbed.
    const own = store.state.update === null ? settingsSteps.plan() : ({ do: 'rest' } as const)
    if (own.do !== 'rest' && (step.do === 'rest' || isUrgent(own))) {
      ports.log.debug('configuration-step', { ...own })
      await settingsSteps.execute(own)
      return true
    }
    if (step.do === 'rest') return false
    ports.log.debug('step', { ...step })
    await releaseSteps.execute(step)
    return true
  }

  return {
    stopMs: application.stopMs,
    async reconcile() {
      await application.adopt()
      if (!isRestored) await releaseSteps.restoreDefaults()
      isRestored = true
      while (!signal.aborted) if (!(await takeStep())) break
      if (store.state.update === null && context.activity.state === 'watching')
        context.setActivity({ state: 'idle' })
      publishStatus(context)
    },
  }
}
