/** Calls that another person must approve first: the request is shown, and waited for if wanted. */
import type { ApprovalView } from '@seaworthy/api/approvals'
import { showApproval } from '@seaworthy/api/approvals'
import type { ApiClient, CallInput } from '@seaworthy/api/client'
import { ProblemError } from '@seaworthy/api/problems'
import type { ReplyOf, Route } from '@seaworthy/api/route'
import type { Context } from './context.ts'
import { CliError } from './failure.ts'
import { formatAgo, formatCount, harmless } from './output/format.ts'

const pollMs = 3000

/**
 * A client that, with `--await-approval`, waits where another person must approve a call, and then
 * makes the same call again.
 */
export function askingApproval(context: Context, client: ApiClient, url: string): ApiClient {
  return {
    async call<R extends Route>(route: R, input: CallInput<R>): Promise<ReplyOf<R>> {
      for (;;) {
        try {
          return await client.call(route, input)
        } catch (error) {
          const id = requestOf(error)
          if (id === undefined) throw error
          const asked = await client.call(showApproval, { params: { approvalId: id } })
          for (const line of describeRequest(context, asked)) context.warn(line)
          context.warn(`Another person decides at ${pageOf(url)}`)
          if (!context.options.awaitApproval) throw error
          await awaitDecision(context, client, id)
        }
      }
    },
  }
}

/** The request that a refusal names. */
function requestOf(error: unknown): string | undefined {
  return error instanceof ProblemError && error.code === 'approval_required'
    ? error.problem.approval
    : undefined
}

/** Where people decide. */
export function pageOf(url: string): string {
  return `${url}/approvals`
}

/** Waits until the request is approved. Throws when it ends in any other way. */
export async function awaitDecision(
  { ports }: Context,
  client: ApiClient,
  approvalId: string,
): Promise<ApprovalView> {
  for (;;) {
    const view = await client.call(showApproval, { params: { approvalId } })
    if (view.state === 'approved') return view
    if (view.state !== 'pending') {
      const why = view.reason === null ? '' : `: ${harmless(view.reason)}`
      throw new CliError('refused', `${approvalId} is ${view.state}${why}`, {
        wayOut: 'Nothing was done. Run the command again to make a new request.',
      })
    }
    await ports.sleep(pollMs, ports.signal)
  }
}

/** What would happen, who asks, and how it stands. */
export function describeRequest(context: Context, view: ApprovalView): string[] {
  const now = context.ports.clock.now()
  const decided =
    view.decidedBy === null
      ? undefined
      : `${harmless(view.decidedBy.name ?? view.decidedBy.id)}, ${formatAgo(view.decidedAt, now)}`
  return [
    ...context.fields([
      ['request', view.id],
      ['state', view.state],
      ['action', `${view.action} ${harmless(view.subject)}`],
      ['asked by', harmless(view.requestedBy.name ?? view.requestedBy.id)],
      ['asked', formatAgo(view.requestedAt, now)],
      ['ends', formatAgo(view.expiresAt, now)],
      ['decided by', decided],
      ['reason', view.reason === null ? undefined : harmless(view.reason)],
      [
        'reaches',
        view.devicesMax === null ? undefined : `at most ${formatCount(view.devicesMax, 'device')}`,
      ],
    ]),
    '',
    ...view.effect.map(harmless),
    '',
  ]
}
