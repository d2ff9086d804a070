/**
 * Starts the update to a release that the signed rules allow: fetches and stores it, and hands it
 * to the reconciler, at once or when the server permits the restart. A device without permission
 * keeps the release ready; each time the rules are asked again before anything is started.
 */
import type { Release } from '@seaworthy/trust/tuf'
import { LocalFault } from '../refusals.ts'
import type { Assignment } from '../handover/messages.ts'
import { readSlots } from './stored-releases.ts'
import type { DeviceState, StoredRelease } from '../state/device-state.ts'
import { hasFailed, rememberFailure } from '../state/failed-releases.ts'
import { waitingActivity } from '../state/reports.ts'
import type { InstallerContext } from './context.ts'
import { changeAndReport, publishStatus } from './context.ts'
import { commitRelease } from './transitions.ts'
import { stageRelease } from './stage.ts'
import { listOwnSecrets, readReason } from './output.ts'
import type { RefusedContent } from './verified.ts'
import { isContentRefusal } from './verified.ts'

/**
 * What the server says in addition to the release: when to restart into it, and whether to try once
 * more.
 */
export type UpdateTerms = Pick<Assignment, 'mayRestart' | 'attempt'>

export interface UpdateStarter {
  /**
   * Starts the update; `waiting`: it is ready, and needs permission to restart. Throws what
   * `stageRelease` throws.
   */
  start(signed: Release, terms: UpdateTerms): Promise<'waiting' | 'taken'>
  /**
   * Nothing is assigned: what is ready stays ready, and the status no longer says that it waits.
   */
  waitForNothing(): void
}

/** What ended an attempt before the release was stored. */
type ContentFault = Pick<RefusedContent | LocalFault, 'code' | 'message'>

/** How long a permission to restart holds. */
const permissionLifetimeMs = 60_000

export function createUpdateStarter(
  context: InstallerContext,
  report: () => Promise<void>,
): UpdateStarter {
  const { ports, settings, store } = context
  const { config } = settings

  const start = async (
    signed: Release,
    { mayRestart, attempt = 1 }: UpdateTerms,
  ): Promise<'waiting' | 'taken'> => {
    const release: StoredRelease = {
      targetPath: signed.path,
      version: signed.version,
      sha256: signed.sha256,
      counter: signed.counter,
      floor: signed.floor,
    }
    const { state } = store
    if (state.update !== null || hasFailed(state, release, attempt)) return 'taken'
    // One thing is on trial at a time: otherwise nobody could say what the application is unwell
    // with. A poll follows when variables and secrets have been judged.
    if (state.configuration.trial !== null) return 'taken'
    if (release.sha256 === state.committed?.sha256) {
      if (release.counter === state.committedCounter && release.floor <= state.floor) {
        return 'taken'
      }
      // The content that runs was signed again with a higher counter: nothing has to be started for
      // it.
      await changeAndReport(context, committedActivity(release), (current) =>
        commitRelease(current, release),
      )
      context.wakeReconciler()
      return 'taken'
    }
    const { stored } = await readSlots(ports.disk, settings.layout)
    const beganMs = ports.clock.monotonicMs()
    if (!stored.includes(release.sha256)) await stage(signed, release)
    // A permission holds for a moment only: after a long download, a window may have closed.
    const isPermissionOld = ports.clock.monotonicMs() - beganMs > permissionLifetimeMs
    if (mayRestart === false || (mayRestart === true && isPermissionOld)) {
      await keepReady(release)
      return 'waiting'
    }
    await store.change((current) => ({
      ...current,
      staged: null,
      update: { phase: 'trial', release, starts: 0 },
    }))
    context.wakeReconciler()
    return 'taken'
  }

  const keepReady = async (release: StoredRelease): Promise<void> => {
    const { staged } = store.state
    if (staged?.sha256 !== release.sha256 || staged.counter !== release.counter) {
      // The wait is signed: without a signature the server gives no time and no slot for it.
      await changeAndReport(context, waitingActivity(release), (current) => ({
        ...current,
        staged: release,
      }))
      // Any other release that was kept ready is no longer of use.
      context.wakeReconciler()
      ports.log.info('ready-and-waiting', { targetPath: release.targetPath })
    }
    context.setActivity(waitingActivity(release))
    publishStatus(context)
  }

  const waitForNothing = () => {
    const { staged } = store.state
    if (staged === null || context.activity.state !== 'installing') return
    context.setActivity(store.state.outcome ?? { state: 'idle' })
    publishStatus(context)
  }

  const stage = async (signed: Release, release: StoredRelease) => {
    const { targetPath, sha256 } = release
    const staged = new AbortController()
    void reportMeanwhile(staged.signal)
    try {
      await stageRelease(
        ports,
        {
          layout: settings.layout,
          fetchFolder: settings.layout.fetch,
          incoming: settings.layout.incoming,
          sources: settings.sources,
          platform: config.platform,
          environment: config.environment,
        },
        signed,
        (state) => {
          context.setActivity({ state, targetPath, sha256 })
          publishStatus(context)
          // This report is for people who watch; the update does not wait for a server that does
          // not answer.
          void report().catch(() => {})
        },
      )
    } catch (error) {
      context.setActivity({ state: 'idle' })
      // Sources, network and fetcher may do better next time; a genuine release that this device
      // cannot use will not.
      if (isContentRefusal(error)) await giveUp(release, error)
      else if (error instanceof LocalFault) await tellFailure(release, error)
      throw error
    } finally {
      staged.abort(new Error('staged'))
    }
  }

  /** Reports during a download, which may take days: the device is not silent for so long. */
  const reportMeanwhile = async (signal: AbortSignal) => {
    const everyMs = Math.max(60, config.pollSeconds) * 1000
    for (;;) {
      try {
        await ports.sleep(everyMs, signal)
        await report()
      } catch (error) {
        if (signal.aborted) return
        ports.log.warn('report-failed', { error })
      }
    }
  }

  const giveUp = async (release: StoredRelease, failure: ContentFault) => {
    const { sha256, counter } = release
    const { code } = failure
    await tellFailure(release, failure, (state) =>
      rememberFailure(state, { sha256, counter, code }),
    )
  }

  const tellFailure = async (
    { targetPath, sha256 }: StoredRelease,
    { code, message }: ContentFault,
    failedOf = (state: DeviceState) => state.failed,
  ) => {
    const outcome = { state: 'failed', targetPath, sha256, code } as const
    // No variable or secret is known to content, and the configuration's own are left out.
    const reason = readReason(message, new Set(listOwnSecrets(config)))
    await changeAndReport(context, outcome, (state) => ({
      ...state,
      outcome,
      failure: { sha256, code, ...(reason === undefined ? {} : { reason }) },
      failed: failedOf(state),
    }))
  }

  return { start, waitForNothing }
}

function committedActivity({ targetPath, sha256 }: StoredRelease) {
  return { state: 'committed', targetPath, sha256 } as const
}
