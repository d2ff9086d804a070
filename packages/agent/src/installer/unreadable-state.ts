/**
 * A device whose state cannot be read. It installs nothing and trusts nothing, for it no longer
 * knows how old is too old. It keeps the release that `current` names running, which was verified
 * when it was installed, and reports to its server until the server acknowledges.
 */
import { hourMs, formatInstant } from '@seaworthy/std/time'
import { createAppRunner } from './app-runner.ts'
import { readBundleManifest } from './bundle-manifest.ts'
import type { InstallerPorts } from '../ports.ts'
import { createClockCheck } from './clock-check.ts'
import { callCheckIn } from './check-in-session.ts'
import { FetchError } from '../refusals.ts'
import { readSlots, releaseFolder } from './stored-releases.ts'
import { openDeviceKey, signReport } from '../state/device-key.ts'
import { emptyState } from '../state/device-state.ts'
import { readIdentity } from '../state/identity.ts'
import { buildReport } from '../state/reports.ts'
import type { InstallerSettings } from './context.ts'

/** The anchor may be what cannot be read. */
type Settings = Omit<InstallerSettings, 'anchor'>

const stopMsDefault = 20_000

/** Runs until the signal is aborted; the application is stopped then. */
export async function runUnreadable(
  ports: InstallerPorts,
  settings: Settings,
  code: string,
  signal: AbortSignal,
): Promise<void> {
  const { layout, config, agentVersion } = settings
  const runner = createAppRunner(ports)
  const stopMs = await keepCurrent(ports, settings, runner).catch((error: unknown) => {
    ports.log.error('application-not-started', { error })
    return stopMsDefault
  })
  ports.gateway.publishStatus({
    agentVersion,
    product: config.product,
    channel: config.channel,
    deviceId: (await readIdentity(ports.disk, layout))?.deviceId ?? null,
    application: runner.kept ?? null,
    lastError: code,
  })
  while (!signal.aborted) {
    await tellServer(ports, settings, code).catch((error: unknown) => {
      if (!(error instanceof FetchError)) ports.log.error('report-failed', { error })
    })
    // A sleep that is cut short is the agent's end, which the loop sees.
    await ports.sleep(Math.min(hourMs, config.pollSeconds * 1000), signal).catch(() => {})
  }
  await runner.stop(stopMs)
}

async function keepCurrent(
  ports: InstallerPorts,
  { layout, config }: Settings,
  runner: ReturnType<typeof createAppRunner>,
): Promise<number> {
  const { current, stored } = await readSlots(ports.disk, layout)
  if (current === undefined || !stored.includes(current)) return stopMsDefault
  const folder = releaseFolder(layout, current)
  const manifest = await readBundleManifest(ports.disk, folder, config.environment)
  if (manifest === undefined) return stopMsDefault
  const running = await ports.processes.find(config.product)
  await runner.keep(
    {
      product: config.product,
      sha256: current,
      folder,
      dataFolder: layout.appData,
      configFolder: layout.appConfig,
      command: manifest.start,
      environment: config.environment,
    },
    running.find(({ sha256 }) => sha256 === current),
  )
  return manifest.stopSeconds * 1000
}

/**
 * Tells the server, signed where the key still exists. The sequence is lost too; seconds since 1970
 * lie beyond any that was used.
 */
async function tellServer(ports: InstallerPorts, settings: Settings, code: string): Promise<void> {
  const { layout, config, agentVersion } = settings
  const identity = await readIdentity(ports.disk, layout)
  if (config.server === undefined || identity === undefined) return
  const { deviceId, keyFile } = identity
  const signer = await openDeviceKey(ports.disk, `${layout.trust}/${keyFile}`, false)
  const now = ports.clock.now()
  const report = buildReport(
    { ...emptyState, refusals: [{ code, at: formatInstant(now) }] },
    {
      product: config.product,
      agentVersion,
      platform: config.platform,
      bootId: ports.bootId,
      activity: { state: 'idle' },
    },
    now,
    Math.floor(now.getTime() / 1000),
  )
  const session = {
    ...ports,
    signer,
    server: config.server,
    now: () => ports.clock.now(),
    clockCheck: createClockCheck(ports.clock),
  }
  await callCheckIn(session, deviceId, { report, signature: await signReport(signer, report) })
}
