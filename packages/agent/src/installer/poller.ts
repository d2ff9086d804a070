/**
 * One poll: tell the server what runs and hear what should, refresh the metadata, decide by the signed rules alone, fetch, verify
 * and store. What is stored is then the reconciler's. A server that is silent, wrong or hostile costs nothing but time.
 */
import { Refusal, TrustError } from '@seaworthy/std/refusal'
import type { DeviceFacts, Release as SignedRelease } from '@seaworthy/trust/tuf'
import { chooseRelease, findRelease, listReleases, trustError } from '@seaworthy/trust/tuf'
import type { Assignment, FetcherReplies } from '../handover/messages.ts'
import { FetchError, LocalFault, refusalCode } from '../refusals.ts'
import { callCheckIn } from './session.ts'
import { buildReport } from '../state/reports.ts'
import { createMembership } from './membership.ts'
import { createTaker } from './taker.ts'
import { isContentRefusal } from './verified.ts'
import type { InstallerContext } from './context.ts'
import {
  changeAndReport,
  currentVerifiedAt,
  publishStatus,
  recordRefusals,
  reportFacts,
} from './context.ts'

export interface Poller {
  /** Resolves with the seconds until the next poll, as the server or the configuration wants it. Throws `FetchError` when the server cannot be reached. */
  poll(): Promise<number>
  /** Delivers reports alone. */
  report(): Promise<void>
}

const sequenceJump = 1000
/** However long the server wants to be left alone. */
const pollSecondsMax = 24 * 3600

export function createPoller(context: InstallerContext): Poller {
  const { ports, settings, store, trust } = context
  const { config } = settings

  const session = () => ({
    ...ports,
    signer: context.signer,
    server: config.server ?? '',
    now: () => ports.clock.now(),
    clockCheck: context.clockCheck,
  })

  const membership = createMembership(context)

  /** A server that has another memory than this device (restored, or the device was) gets a new signed statement. */
  const checkInOnce = async (
    body: Readonly<Record<string, unknown>>,
  ): Promise<FetcherReplies['check-in'] | undefined> => {
    try {
      const deviceId = await membership.ensure()
      const reply = await callCheckIn(session(), deviceId, body)
      await membership.confirm()
      return reply
    } catch (error) {
      if (!(error instanceof FetchError)) throw error
      if (error.problem !== undefined && (await membership.onRefused(error.problem))) {
        return undefined
      }
      if (error.problem === 'report_signature_missing') {
        await changeAndReport(context, context.activity, (state) => state)
      } else if (error.problem === 'report_sequence_reused') {
        await changeAndReport(context, context.activity, (state) => ({
          ...state,
          sequence: state.sequence + sequenceJump,
          outbox: [],
        }))
      } else throw error
      return undefined
    }
  }

  /** Signed reports, oldest first, until none is outstanding; then, or without any, an idle one. */
  const deliverReports = async (): Promise<FetcherReplies['check-in']> => {
    let contradictions = 0
    for (;;) {
      const [signed] = store.state.outbox
      const { state } = store
      const report =
        signed?.report ??
        buildReport(
          { ...state, timestampVerifiedAt: currentVerifiedAt(context) },
          reportFacts(context),
          ports.clock.now(),
          state.sequence,
        )
      const reply = await checkInOnce({
        report,
        ...(signed === undefined ? {} : { signature: signed.signature }),
      })
      if (reply === undefined) {
        if (++contradictions > 3) throw new FetchError('not_allowed')
        continue
      }
      const acknowledged = Math.min(reply.acknowledgedSequence ?? -1, state.sequence)
      if (signed === undefined || acknowledged < signed.sequence) return reply
      await store.change((current) => ({
        ...current,
        outbox: current.outbox.filter(({ sequence }) => sequence > acknowledged),
      }))
      if (store.state.outbox.length === 0) return reply
    }
  }

  let delivering: Promise<unknown> = Promise.resolve()
  /** One at a time: an older statement must not overtake a newer one. */
  const checkIn = (): Promise<FetcherReplies['check-in']> => {
    const next = delivering.then(deliverReports)
    // the caller gets the error; who comes next only waits for the end
    delivering = next.catch(() => {})
    return next
  }

  const channelKey = `${config.product}/${config.channel}`

  /** Whatever becomes of the metadata that says so: it is not asked for again. */
  const rememberFloor = async (floor: number) => {
    await store.change((state) =>
      floor <= (state.channelFloors[channelKey] ?? 0)
        ? state
        : { ...state, channelFloors: { ...state.channelFloors, [channelKey]: floor } },
    )
  }

  const deviceFacts = (): DeviceFacts => ({
    product: config.product,
    channel: config.channel,
    platform: config.platform,
    committedCounter: store.state.committedCounter,
    floor: Math.max(store.state.floor, store.state.channelFloors[channelKey] ?? 0),
    ...(config.hardware === undefined ? {} : { hardware: config.hardware }),
  })

  /** What the signed metadata lets this device run next. Throws `TrustError`, `FetchError`. */
  const decide = async (
    assignment: Assignment | null | 'by-itself',
  ): Promise<SignedRelease | undefined> => {
    await trust.refresh().then((notices) => {
      for (const notice of notices) ports.log.warn('trust-notice', { ...notice })
    })
    const channel = await trust.withSources(() =>
      trust.client.loadChannel(config.product, config.channel),
    )
    const listing = listReleases(channel.signed)
    await rememberFloor(listing.floor)
    if (assignment === null) return undefined
    if (assignment === 'by-itself') return chooseRelease(listing, deviceFacts())
    checkAssignedChannel(assignment.targetPath)
    const release = findRelease(listing, assignment.targetPath, deviceFacts())
    if (release.sha256 !== assignment.sha256) {
      throw trustError('wrong_hash', 'the assignment names other content than the signed target')
    }
    return release
  }

  /** The path alone says whose it is: a clearer refusal than that our channel does not list it. */
  const checkAssignedChannel = (targetPath: string) => {
    const [product, channel] = targetPath.split('/')
    if (product !== config.product) throw trustError('wrong_product', 'assigned to another product')
    if (channel !== config.channel) throw trustError('wrong_channel', 'assigned to another channel')
  }

  const metadataVersions = (): Record<string, number> | undefined => {
    const { roles } = trust.client.status()
    if (roles.length === 0) return undefined
    return Object.fromEntries(
      roles.filter(({ role }) => role !== 'timestamp').map(({ role, version }) => [role, version]),
    )
  }

  /** Decides and takes; once it is ready and needs leave, asks for it at once. Answers the last reply. */
  const follow = async (
    first: FetcherReplies['check-in'] | undefined,
  ): Promise<FetcherReplies['check-in'] | undefined> => {
    let reply = first
    for (let hasAsked = false; ; hasAsked = true) {
      const assignment = config.server === undefined ? 'by-itself' : (reply?.assignment ?? null)
      const release = await decide(assignment)
      if (release === undefined) {
        if (reply !== undefined) taker.waitForNothing()
        return reply
      }
      const leave = typeof assignment === 'object' && assignment !== null ? assignment : {}
      if ((await taker.take(release, leave)) === 'taken' || hasAsked) return reply
      reply = await checkIn()
    }
  }

  const report = async (): Promise<void> => {
    if (config.server !== undefined) await checkIn()
  }

  const taker = createTaker(context, report)

  return {
    report,
    async poll() {
      let unreachable: Error | undefined
      const found: { code: string; subject?: string }[] = []
      let reply: FetcherReplies['check-in'] | undefined
      if (config.server !== undefined) {
        try {
          reply = await checkIn()
        } catch (error) {
          if (!isExpected(error)) throw error
          unreachable = error
          if (error instanceof TrustError) found.push({ code: error.code })
        }
      }
      try {
        reply = await follow(reply)
        context.lastError = undefined
      } catch (error) {
        if (!isExpected(error)) throw error
        const code = error instanceof TrustError ? error.code : undefined
        if (code !== undefined) {
          found.push({
            code,
            ...(reply?.assignment ? { subject: reply.assignment.targetPath } : {}),
          })
        }
        context.lastError = code ?? expectedCode(error)
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
  if (error instanceof FetchError || error instanceof LocalFault || isContentRefusal(error)) {
    return error.code
  }
  return refusalCode(error) ?? 'failed'
}
