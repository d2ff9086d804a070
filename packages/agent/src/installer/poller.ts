/**
 * One poll: tell the server what runs and hear what should, refresh the metadata, decide only by
 * the signed rules, fetch, verify and store. The reconciler does the rest with what is stored. A
 * server that is silent, wrong or hostile costs nothing but time.
 */
import { Refusal, TrustError } from '@seaworthy/std/refusal'
import type { FetcherReplies } from '../handover/messages.ts'
import { FetchError, LocalFault, refusalCode } from '../refusals.ts'
import { createChoice } from './release-choice.ts'
import type { AppSettings } from './app-settings.ts'
import type { FoundRefusal, InstallerContext } from './context.ts'
import { publishStatus, recordRefusals } from './context.ts'
import { listOwnSecrets, readReason } from './output.ts'
import { createReporter } from './reporter.ts'
import { createUpdateStarter } from './start-update.ts'
import { isContentRefusal } from './verified.ts'

export interface Poller {
  /**
   * Resolves with the seconds until the next poll, as the server or the configuration wants it.
   * Throws `FetchError` when the server cannot be reached.
   */
  poll(): Promise<number>
  /** Only delivers reports. */
  report(): Promise<void>
}

/** The longest time that the server may ask to be left alone. */
const pollSecondsMax = 24 * 3600

export function createPoller(
  context: InstallerContext,
  appSettings: Pick<AppSettings, 'follow'>,
): Poller {
  const { ports, settings, store, trust } = context
  const { config } = settings
  const { checkIn } = createReporter(context)
  const refusalOf = ({ code, message }: TrustError): FoundRefusal => {
    const reason = readReason(message, new Set(listOwnSecrets(config)))
    return { code, ...(reason === undefined ? {} : { reason }) }
  }
  const choice = createChoice(context)

  const metadataVersions = (): Record<string, number> | undefined => {
    const { roles } = trust.client.status()
    if (roles.length === 0) return undefined
    return Object.fromEntries(
      roles.filter(({ role }) => role !== 'timestamp').map(({ role, version }) => [role, version]),
    )
  }

  /**
   * Decides and takes the release; once it is ready and needs permission, asks for it at once.
   * Returns the last reply.
   */
  const follow = async (
    first: FetcherReplies['check-in'] | undefined,
  ): Promise<FetcherReplies['check-in'] | undefined> => {
    let reply = first
    for (let hasAsked = false; ; hasAsked = true) {
      const assignment = config.server === undefined ? 'by-itself' : (reply?.assignment ?? null)
      const release = await choice.decide(assignment)
      if (release === undefined) {
        if (reply !== undefined) starter.waitForNothing()
        return reply
      }
      const terms = typeof assignment === 'object' && assignment !== null ? assignment : {}
      if ((await starter.start(release, terms)) === 'taken' || hasAsked) return reply
      reply = await checkIn()
    }
  }

  const report = async (): Promise<void> => {
    if (config.server !== undefined) await checkIn()
  }

  const starter = createUpdateStarter(context, report)

  return {
    report,
    async poll() {
      let unreachable: Error | undefined
      const found: FoundRefusal[] = []
      let reply: FetcherReplies['check-in'] | undefined
      if (config.server !== undefined) {
        try {
          reply = await checkIn()
        } catch (error) {
          if (!isExpected(error)) throw error
          unreachable = error
          if (error instanceof TrustError) found.push(refusalOf(error))
        }
      }
      if (reply !== undefined) {
        try {
          await appSettings.follow(reply.configVersion)
        } catch (error) {
          if (!isExpected(error)) throw error
          if (error instanceof TrustError) found.push(refusalOf(error))
          ports.log.warn('configuration-refused', { code: expectedCode(error) })
        }
      }
      try {
        reply = await follow(reply)
        context.setLastError(undefined)
      } catch (error) {
        if (!isExpected(error)) throw error
        const refusal = error instanceof TrustError ? refusalOf(error) : undefined
        if (refusal !== undefined) {
          found.push({
            ...refusal,
            ...(reply?.assignment ? { subject: reply.assignment.targetPath } : {}),
          })
        }
        context.setLastError(refusal?.code ?? expectedCode(error))
        ports.log.warn('poll-failed', { error })
      }
      await recordRefusals(context, found, metadataVersions())
      publishStatus(context)
      if (unreachable !== undefined) throw unreachable
      if (config.server !== undefined && store.state.outbox.length > 0) reply = await checkIn()
      return Math.min(reply?.pollSeconds ?? config.pollSeconds, pollSecondsMax)
    },
  }
}

function isExpected(error: unknown): error is Error {
  return (
    error instanceof FetchError ||
    error instanceof LocalFault ||
    isContentRefusal(error) ||
    error instanceof Refusal ||
    error instanceof TrustError
  )
}

function expectedCode(error: unknown): string {
  if (error instanceof FetchError) return error.word
  if (error instanceof LocalFault || isContentRefusal(error)) return error.code
  return refusalCode(error) ?? 'failed'
}
