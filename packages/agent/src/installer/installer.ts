/**
 * The installer as a whole: opens what the device remembers, keeps the application running, polls,
 * and updates. It works the same with a server, only with mirrors, and with nobody to talk to.
 */
import { dirname } from 'node:path'
import { createAppRunner } from './app-runner.ts'
import { createClockCheck } from './clock-check.ts'
import type { InstallerPorts } from '../ports.ts'
import { readSlots, removeStaging } from './stored-releases.ts'
import { openDeviceKey } from '../state/device-key.ts'
import type { DeviceState } from '../state/device-state.ts'
import { openState } from '../state/device-state.ts'
import { readIdentity, writeIdentity } from '../state/identity.ts'
import type { UpdateActivity } from '../state/reports.ts'
import { waitingActivity } from '../state/reports.ts'
import type { InstallerSettings } from './context.ts'
import { createAppSettings } from './app-settings.ts'
import { createContext, describeStatus, publishStatus } from './context.ts'
import { isExpectedFault, pollForever } from './poll-loop.ts'
import { createPoller } from './poller.ts'
import { createReconciler } from './reconciler.ts'
import { openTrust } from './trust.ts'
import { createPacedWake, createWakeUp } from './wake-up.ts'

export interface Installer {
  /** Runs until `stop`; rejects only for a bug or a disk that fails. */
  run(): Promise<void>
  /**
   * Ends `run`; the application is stopped gracefully first, or left for the next agent to take
   * over.
   */
  stop(application: 'stopped' | 'left'): void
  pollNow(): void
  status(): Readonly<Record<string, unknown>>
}

/**
 * Throws `TrustError<'state_unreadable'>` when the device has lost what it must never forget: it
 * then does nothing at all.
 */
export async function openInstaller(
  ports: InstallerPorts,
  settings: InstallerSettings,
): Promise<Installer> {
  const { disk } = ports
  const { layout } = settings
  for (const folder of [layout.trust, layout.incoming]) await disk.makeFolder(folder, 0o700)
  for (const folder of [layout.releases, layout.appData]) await disk.makeFolder(folder, 0o755)
  // The names of the folders themselves must be durable: otherwise all that is made durable inside
  // is lost with the first power cut.
  for (const folder of [layout.productFolder, dirname(layout.productFolder), layout.root]) {
    await disk.syncFolder(folder)
  }
  await removeStaging(disk, layout)
  for (const { name } of (await disk.list(layout.incoming)) ?? []) {
    await disk.remove(`${layout.incoming}/${name}`)
  }

  // A device that ever installed something cannot be new.
  const { current, stored } = await readSlots(disk, layout)
  const isFresh = current === undefined && stored.length === 0
  const store = await openState(disk, `${layout.trust}/device-state`, isFresh)
  const { deviceId, keyFile } = store.state
  if (deviceId !== null) {
    const told = await readIdentity(disk, layout)
    const isRight = told?.deviceId === deviceId && told.keyFile === keyFile
    if (!isRight) await writeIdentity(disk, layout, { deviceId, keyFile })
  }
  const isUntouched = isFresh && deviceId === null && store.state.committedCounter === 0
  const signer = await openDeviceKey(disk, `${layout.trust}/${keyFile}`, isUntouched)
  const clockCheck = createClockCheck(ports.clock)
  const trust = await openTrust(
    { ...ports, clockCheck },
    {
      anchor: settings.anchor,
      trustFolder: layout.trust,
      fetchFolder: layout.fetch,
      sources: settings.sources,
      builtAt: settings.builtAt,
      earlierFloors: store.state.channelFloors,
    },
    isUntouched,
  )
  const runner = createAppRunner(ports)
  const end = new AbortController()
  const reconcilerWakeUp = createWakeUp()
  const pollerWakeUp = createWakeUp()
  const reportWakeUp = createWakeUp()

  const context = createContext(
    {
      ports,
      settings,
      store,
      trust,
      clockCheck,
      runner,
      signal: end.signal,
      wakeReconciler: reconcilerWakeUp.wake,
      wakePoller: reportWakeUp.wake,
      pollSoon: createPacedWake(ports, pollerWakeUp.wake, end.signal),
    },
    { signer, activity: firstActivity(store.state) },
  )
  const appSettings = createAppSettings(context)
  const reconciler = createReconciler(context, appSettings)
  const poller = createPoller(context, appSettings)
  await appSettings.restore()
  if (store.generationLost) ports.log.error('state-generation-lost')

  const reconcileForever = async () => {
    while (!end.signal.aborted) {
      await reconciler.reconcile()
      await reconcilerWakeUp.awaited(end.signal)
    }
  }

  /**
   * Reports changes at once, without waiting for the next poll; failing that, the poll delivers
   * them.
   */
  const reportForever = async () => {
    while (!end.signal.aborted) {
      await reportWakeUp.awaited(end.signal)
      await poller.report().catch((error: unknown) => {
        if (!isExpectedFault(error)) throw error
      })
      publishStatus(context)
    }
  }

  let leaves = true
  const stopListening = ports.gateway.onEvent((event) => {
    if (event.kind === 'update-now') return pollerWakeUp.wake()
    const { activity } = context
    if (activity.state !== 'downloading') return
    context.setActivity({ ...activity, percent: event.percent })
    publishStatus(context)
  })

  return {
    async run() {
      publishStatus(context)
      const endless = [
        reconcileForever(),
        pollForever(poller, context, pollerWakeUp),
        reportForever(),
      ]
      try {
        await Promise.race(endless)
      } catch (error) {
        if (!end.signal.aborted) throw error
      } finally {
        end.abort(new Error('stopped'))
        await Promise.allSettled(endless)
        stopListening()
        if (leaves) runner.abandon()
        else await runner.stop(await reconciler.stopMs())
      }
    },
    stop(application) {
      leaves = application === 'left'
      end.abort(new Error('stopped'))
    },
    pollNow: pollerWakeUp.wake,
    status: () => describeStatus(context),
  }
}

function firstActivity({ staged, outcome }: DeviceState): UpdateActivity {
  return staged === null ? (outcome ?? { state: 'idle' }) : waitingActivity(staged)
}
