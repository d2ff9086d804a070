/**
 * The application's processes: started from a stored release, taken over from an installer that is
 * gone, stopped.
 */
import type { BundleManifest } from '@seaworthy/oci/bundle/manifest'
import type { AppProcess, AppSpec } from '../ports.ts'
import { endProcess } from './app-runner.ts'
import { readBundleManifest } from './bundle-manifest.ts'
import type { InstallerContext } from './context.ts'
import { releaseFolder } from './stored-releases.ts'
import { Verified } from './verified.ts'

/** The time to stop for an application whose release can no longer be read. */
const stopMsDefault = 20_000

export interface Application {
  /**
   * The manifest of stored content, which was verified; `undefined`: nothing to start. Throws
   * `ContentRefusal`, or `LocalFault` when the disk fails.
   */
  manifestOf(sha256: string): Promise<BundleManifest | undefined>
  specOf(sha256: string, manifest: BundleManifest): AppSpec
  /** The release that is kept running, even one without a program. */
  kept(): string | undefined
  /** Processes of other releases, or that nobody looks after. */
  strays(): Promise<AppProcess[]>
  /** Takes over what an installer before this one has started. */
  adopt(): Promise<void>
  /** Starts the release. Throws what `manifestOf` throws, and `ProcessError`. */
  start(sha256: string): Promise<void>
  stop(sha256: string): Promise<void>
  /** Signals or stops the application whose variables or secrets changed, as its release says. */
  tellOfChange(): Promise<void>
  /** How long the application that is kept running may take to end. */
  readonly stopMs: () => Promise<number>
}

export function createApplication(
  context: Pick<InstallerContext, 'ports' | 'settings' | 'store' | 'runner'>,
): Application {
  const { ports, settings, store, runner } = context
  const { layout } = settings
  /**
   * A release without a program to start counts as running from the moment it was to be started.
   */
  let runningWithoutProgram: string | undefined

  const manifestOf = (sha256: string): Promise<BundleManifest | undefined> =>
    new Verified(releaseFolder(layout, sha256)).read((folder) =>
      readBundleManifest(ports.disk, folder, settings.config.environment),
    )

  const specOf = (sha256: string, manifest: BundleManifest): AppSpec => ({
    product: settings.config.product,
    sha256,
    folder: releaseFolder(layout, sha256),
    dataFolder: layout.appData,
    configFolder: layout.appConfig,
    command: manifest.start,
    environment: settings.config.environment,
  })

  const strays = async (): Promise<AppProcess[]> => {
    const found = await ports.processes.find(settings.config.product)
    return found.filter(({ sha256 }) => sha256 !== runner.kept?.sha256)
  }

  const stopMsOf = async (sha256: string) => {
    // An application whose manifest cannot be read must still be stopped.
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

  const adopt = async () => {
    if (runner.kept !== undefined) return
    const wanted =
      store.state.update?.phase === 'trial' ? store.state.update.release : store.state.committed
    const [app, ...doubles] = (await strays()).filter(({ sha256 }) => sha256 === wanted?.sha256)
    if (app === undefined) return
    for (const double of doubles) await endProcess(ports, double, stopMsDefault)
    // Without a manifest, there is nothing to keep running: the plan deals with the processes that
    // are left.
    const manifest = await manifestOf(app.sha256).catch(() => undefined)
    if (manifest === undefined) return
    await runner.keep(specOf(app.sha256, manifest), app)
    ports.log.info('application-taken-over', { sha256: app.sha256 })
  }

  return {
    manifestOf,
    specOf,
    kept: () => runner.kept?.sha256 ?? runningWithoutProgram,
    strays,
    adopt,
    async start(sha256) {
      const manifest = await manifestOf(sha256)
      if (manifest === undefined) runningWithoutProgram = sha256
      else await runner.keep(specOf(sha256, manifest))
    },
    stop,
    async tellOfChange() {
      const sha256 = runner.kept?.sha256
      if (sha256 === undefined) return
      // An application whose manifest cannot be read is started anew, which reports why.
      const manifest = await manifestOf(sha256).catch(() => undefined)
      ports.log.info('application-told-of-change', { sha256, how: manifest?.onChange ?? 'restart' })
      if (manifest?.onChange === 'signal') await runner.signal('SIGHUP')
      else await stop(sha256)
    },
    stopMs: async () => (runner.kept === undefined ? 0 : stopMsOf(runner.kept.sha256)),
  }
}
