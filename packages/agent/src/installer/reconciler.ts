/** Carries out the plan: one step, look again, the next step. Nothing here remembers more than the planner is told. */
import { ProcessError } from '../ports.ts'
import type { AppProcess, AppSpec } from '../ports.ts'
import { unreachable } from '@seaworthy/std/refusal'
import { endProcess } from './app-runner.ts'
import type { BundleManifest } from '@seaworthy/oci/bundle/manifest'
import { readBundleManifest } from './bundle-manifest.ts'
import type { Observation } from './verdict.ts'
import { observe, probeIntervalMs, startTrial } from './verdict.ts'
import { pointSlots, readSlots, releaseFolder, removeRelease } from './slots.ts'
import { LocalFault } from '../refusals.ts'
import type { Release } from '../state/device-state.ts'
import { rememberFailure } from '../state/device-state.ts'
import type { InstallerContext } from './context.ts'
import { changeAndReport, publishStatus } from './context.ts'
import type { Facts, Step, Verdict } from './planner.ts'
import { commitRelease, planStep } from './planner.ts'
import { isContentRefusal, Verified } from './verified.ts'

const idle = { state: 'idle' } as const
/** For an application whose release cannot be asked any more. */
const stopMsDefault = 20_000

export interface Reconciler {
  /** Until nothing is left to do, or the agent stops. */
  settle(): Promise<void>
  /** How long the application that is kept running may take to end. */
  stopMs(): Promise<number>
}

export function createReconciler(context: InstallerContext): Reconciler {
  const { ports, settings, store, runner, signal } = context
  const { layout } = settings
  let verdict: { sha256: string; verdict: Verdict } | undefined
  /** A release without a program to start counts as running from the moment it was to be started. */
  let runningWithoutProgram: string | undefined

  /** What is stored whole was verified: throws `ContentRefusal`, or `LocalFault` when the disk fails. */
  const manifestOf = (sha256: string): Promise<BundleManifest | undefined> =>
    new Verified(releaseFolder(layout, sha256)).read((folder) =>
      readBundleManifest(ports.disk, folder, settings.config.environment),
    )

  const specOf = (sha256: string, manifest: BundleManifest): AppSpec => ({
    product: settings.config.product,
    sha256,
    folder: releaseFolder(layout, sha256),
    dataFolder: layout.appData,
    command: manifest.start,
    environment: settings.config.environment,
  })

  const strays = async (): Promise<AppProcess[]> => {
    const found = await ports.processes.find(settings.config.product)
    return found.filter(({ sha256 }) => sha256 !== runner.kept?.sha256)
  }

  const lookAround = async (): Promise<Facts> => {
    const slots = await readSlots(ports.disk, layout)
    const kept = runner.kept?.sha256 ?? runningWithoutProgram
    const others = await strays()
    const wanted = store.state.update?.release.sha256
    return {
      ...slots,
      running: [...(kept === undefined ? [] : [kept]), ...others.map(({ sha256 }) => sha256)],
      verdict:
        verdict !== undefined && verdict.sha256 === wanted ? verdict.verdict : { state: 'pending' },
    }
  }

  const fail = (release: Release, code: string) => {
    verdict = { sha256: release.sha256, verdict: { state: 'failed', code } }
  }

  const start = async (release: Release, isTrial: boolean) => {
    if (isTrial) {
      await store.change((state) =>
        state.update === null
          ? state
          : { ...state, update: { ...state.update, starts: state.update.starts + 1 } },
      )
    }
    try {
      const manifest = await manifestOf(release.sha256)
      if (manifest === undefined) runningWithoutProgram = release.sha256
      else await runner.keep(specOf(release.sha256, manifest))
    } catch (error) {
      const code = startFailure(error)
      if (code === undefined) throw error
      ports.log.error('application-not-started', { sha256: release.sha256, error })
      if (isTrial) fail(release, code)
      else {
        context.lastError = code
        await ports.sleep(5000, signal)
      }
    }
    publishStatus(context)
  }

  const stopMsOf = async (sha256: string) => {
    // an application whose manifest cannot be read must still be stopped
    const manifest = await manifestOf(sha256).catch(() => undefined)
    return manifest === undefined ? stopMsDefault : manifest.stopSeconds * 1000
  }

  const stop = async (sha256: string) => {
    const stopMs = await stopMsOf(sha256)
    if (runner.kept?.sha256 === sha256) await runner.stop(stopMs)
    if (runningWithoutProgram === sha256) runningWithoutProgram = undefined
    for (const app of await strays()) {
      if (app.sha256 === sha256) await endProcess(ports, app, stopMs)
    }
  }

  const watch = async (release: Release) => {
    let manifest: BundleManifest | undefined
    try {
      manifest = await manifestOf(release.sha256)
    } catch (error) {
      const code = startFailure(error)
      if (code === undefined) throw error
      return fail(release, code)
    }
    context.activity = { state: 'watching', targetPath: release.targetPath, sha256: release.sha256 }
    publishStatus(context)
    context.wakePoller()
    verdict = {
      sha256: release.sha256,
      verdict:
        manifest === undefined
          ? { state: 'healthy' }
          : await watchTrial(context, specOf(release.sha256, manifest), manifest),
    }
  }

  const execute = async (step: Exclude<Step, { do: 'rest' }>): Promise<void> => {
    switch (step.do) {
      case 'point':
        return pointSlots(
          ports.disk,
          layout,
          step.current?.sha256 ?? null,
          step.previous?.sha256 ?? null,
        )
      case 'stop':
        return stop(step.sha256)
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
        ports.log.warn('rolling-back', { targetPath: step.release.targetPath, code: step.code })
        return store.change((state) =>
          state.update === null
            ? state
            : { ...state, update: { ...state.update, phase: 'undo', code: step.code } },
        )
      case 'finish-undo':
        return finishUndo(step.release, step.code)
      case 'report-missing':
        return reportMissing(step.release)
      default:
        return unreachable(step)
    }
  }

  const finishUndo = async ({ targetPath, sha256, counter }: Release, code: string) => {
    const outcome = { state: 'rolled_back', targetPath, sha256, code } as const
    await changeAndReport(context, outcome, (state) => ({
      ...state,
      update: null,
      outcome,
      failed: rememberFailure(state, { sha256, counter, code }),
    }))
    verdict = undefined
    ports.log.warn('rolled-back', { targetPath, sha256, code })
    context.wakePoller()
  }

  /** Counter and floor stay: what is fetched again must not be older. */
  const reportMissing = async ({ targetPath, sha256 }: Release) => {
    const outcome = { state: 'failed', targetPath, sha256, code: 'release_missing' } as const
    await changeAndReport(context, outcome, (state) => ({
      ...state,
      outcome,
      committed: null,
      fallback: null,
    }))
    context.wakePoller()
  }

  const adopt = async () => {
    if (runner.kept !== undefined) return
    const wanted =
      store.state.update?.phase === 'trial' ? store.state.update.release : store.state.committed
    const [app, ...doubles] = (await strays()).filter(({ sha256 }) => sha256 === wanted?.sha256)
    if (app === undefined) return
    for (const double of doubles) await endProcess(ports, double, stopMsDefault)
    // without one there is nothing to keep running: what lives among the processes is left to the plan
    const manifest = await manifestOf(app.sha256).catch(() => undefined)
    if (manifest === undefined) return
    await runner.keep(specOf(app.sha256, manifest), app)
    ports.log.info('application-taken-over', { sha256: app.sha256 })
  }

  return {
    stopMs: async () => (runner.kept === undefined ? 0 : stopMsOf(runner.kept.sha256)),
    async settle() {
      await adopt()
      while (!signal.aborted) {
        const step = planStep(store.state, await lookAround())
        if (step.do === 'rest') break
        ports.log.debug('step', { ...step })
        await execute(step)
      }
      if (store.state.update === null && context.activity.state === 'watching')
        context.activity = idle
      publishStatus(context)
    },
  }
}

/** `undefined` for a bug. */
function startFailure(error: unknown): string | undefined {
  if (error instanceof ProcessError) return 'start_failed'
  return error instanceof LocalFault || isContentRefusal(error) ? error.code : undefined
}

/** Probes until there is a verdict. */
async function watchTrial(
  { ports, runner, signal }: InstallerContext,
  spec: AppSpec,
  manifest: BundleManifest,
): Promise<Verdict> {
  let trial = startTrial(ports.clock.monotonicMs(), manifest.windowSeconds * 1000)
  let exitsBefore = runner.kept?.exits ?? 0
  const probe = ports.processes.openProbe(manifest.health, spec)
  const exited = { wake: () => {} }
  const stopListening = runner.onExit(() => exited.wake())
  try {
    for (;;) {
      signal.throwIfAborted()
      const seen = await look()
      const result = observe(trial, ports.clock.monotonicMs(), seen)
      trial = result.trial
      if (result.verdict.state !== 'pending') return result.verdict
      if (seen.kind !== 'exit') await pause(probeIntervalMs(trial))
    }
  } finally {
    stopListening()
    probe.close()
  }

  async function look(): Promise<Observation> {
    const exits = runner.kept?.exits ?? 0
    if (exits > exitsBefore) {
      exitsBefore++
      return { kind: 'exit' }
    }
    if (runner.kept?.isAlive !== true) return { kind: 'time' }
    return { kind: 'probe', isHealthy: await probe.isHealthy() }
  }

  async function pause(ms: number) {
    const early = new AbortController()
    exited.wake = () => early.abort(new Error('exited'))
    await ports.sleep(ms, AbortSignal.any([signal, early.signal])).catch(() => {})
  }
}
