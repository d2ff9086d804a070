/** Check-ins: what the device says of itself, signed and in order, and what the server answers. */
import type { FetcherReplies, FetcherRequestOf } from '../handover/messages.ts'
import { FetchError } from '../refusals.ts'
import { buildReport, sequenceBeyond } from '../state/reports.ts'
import type { InstallerContext } from './context.ts'
import { changeAndReport, currentVerifiedAt, reportFacts } from './context.ts'
import { createMembership } from './membership.ts'
import { callCheckIn } from './check-in-session.ts'

export interface Reporter {
  /**
   * Delivers what is outstanding, one call after the other, and returns the last reply. Throws
   * `FetchError`.
   */
  readonly checkIn: () => Promise<FetcherReplies['check-in']>
}

/**
 * How often the server may refuse one delivery before the rest waits for the next poll: once
 * because it wants a new statement, and a few times because that statement's number is too low.
 */
const contradictionsMax = 4

export function createReporter(context: InstallerContext): Reporter {
  const { ports, settings, store } = context
  const { config } = settings

  const session = () => ({
    ...ports,
    signer: context.signer,
    server: config.server ?? '',
    now: () => ports.clock.now(),
    clockCheck: context.clockCheck,
  })

  const membership = createMembership(context)

  /**
   * Gives a server whose memory differs from the device's (one of them was restored) a new signed
   * statement.
   */
  const checkInOnce = async (
    body: FetcherRequestOf<'check-in'>['body'],
    tries: { reused: number },
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
        const now = ports.clock.now()
        await changeAndReport(context, context.activity, (state) => ({
          ...state,
          sequence: sequenceBeyond(state.sequence, tries.reused, now),
          outbox: [],
        }))
        tries.reused += 1
      } else throw error
      return undefined
    }
  }

  /** Signed reports, oldest first, until none is outstanding; then, or without any, an idle one. */
  const deliverReports = async (): Promise<FetcherReplies['check-in']> => {
    let contradictions = 0
    const tries = { reused: 0 }
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
      const body = { report, ...(signed === undefined ? {} : { signature: signed.signature }) }
      const reply = await checkInOnce(body, tries)
      if (reply === undefined) {
        if (++contradictions > contradictionsMax) throw new FetchError('not_allowed')
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
  /** Runs one delivery at a time: an older statement must not overtake a newer one. */
  const checkIn = (): Promise<FetcherReplies['check-in']> => {
    const next = delivering.then(deliverReports)
    // The caller gets the error; the next caller only waits for the end.
    delivering = next.catch(() => {})
    return next
  }

  return { checkIn }
}
