/** `seaworthy approval …`: what waits for another person, and what needs one. */
import type { Command } from 'commander'
import {
  listApprovals,
  rejectRequest,
  showApproval,
  showApprovalPolicy,
  withdrawRequest,
} from '@seaworthy/api/approvals'
import type { ApprovalView } from '@seaworthy/api/approvals'
import { awaitDecision, describeRequest, pageOf } from '../approval.ts'
import type { Context } from '../context.ts'
import { withContext } from '../context.ts'
import { formatAgo, formatCount, harmless } from '../output/format.ts'
import type { CliPorts } from '../ports.ts'
import { collectPages, withConnection } from '../connection.ts'

const itemsMax = 1000

export function addApprovalCommands(program: Command, ports: CliPorts): void {
  const approval = program
    .command('approval')
    .description('what is done only once another person has approved it')
  approval
    .command('list')
    .description('list your requests, and those that you could decide about')
    .option('--all', 'closed ones too')
    .action(
      withContext(ports, (context, options: { all?: boolean }) =>
        list(context, options.all === true),
      ),
    )
  approval
    .command('show <approval>')
    .description('show what would happen, who asks for it, and how it stands')
    .option('--wait', 'wait until it is approved')
    .action(
      withContext(ports, (context, id: string, options: { wait?: boolean }) =>
        show(context, id, options.wait === true),
      ),
    )
  approval
    .command('approve <approval>')
    .description('show what would happen, and wait until you have approved it with your passkey')
    .action(withContext(ports, approve))
  approval
    .command('reject <approval>')
    .description('reject what another person asks for')
    .requiredOption('--reason <text>', 'why, for whoever asked and for the log')
    .action(withContext(ports, reject))
  approval
    .command('withdraw <approval>')
    .description('take back your own request')
    .action(withContext(ports, withdraw))
  approval
    .command('policy')
    .description('show what needs an approval; owners change it in the browser')
    .action(withContext(ports, policy))
}

async function list(context: Context, isAll: boolean): Promise<void> {
  await withConnection(context, async ({ client }) => {
    const wanted = isAll ? {} : ({ state: 'open' } as const)
    const items = await collectPages(
      (query) => client.call(listApprovals, { query: { ...query, ...wanted } }),
      itemsMax,
    )
    const now = context.ports.clock.now()
    context.show(items, () =>
      context.table<ApprovalView>(
        [
          { title: 'id', text: (a) => a.id },
          { title: 'state', text: (a) => a.state },
          { title: 'action', text: (a) => a.action },
          { title: 'about', text: (a) => a.subject, isShrinkable: true },
          {
            title: 'asked by',
            text: (a) => (a.isOwn ? 'you' : (a.requestedBy.name ?? a.requestedBy.id)),
            isShrinkable: true,
          },
          { title: 'ends', text: (a) => formatAgo(a.expiresAt, now), isDroppable: true },
          { title: 'you may decide', text: (a) => (a.mayDecide ? 'yes' : 'no'), isDroppable: true },
        ],
        items,
        isAll ? 'Nobody has asked for an approval.' : 'Nothing waits for an approval.',
      ),
    )
  })
}

async function show(context: Context, approvalId: string, waits: boolean): Promise<void> {
  await withConnection(context, async ({ client }) => {
    const view = waits
      ? await awaitDecision(context, client, approvalId)
      : await client.call(showApproval, { params: { approvalId } })
    context.show(view, () => describeRequest(context, view))
  })
}

/** A token can be copied, so it cannot approve anything: only the passkey in the browser can. */
async function approve(context: Context, approvalId: string): Promise<void> {
  await withConnection(context, async ({ client, server }) => {
    const before = await client.call(showApproval, { params: { approvalId } })
    for (const line of describeRequest(context, before)) context.say(line)
    context.warn(`Approve it with your passkey at ${pageOf(server.url)}`)
    const view = await awaitDecision(context, client, approvalId)
    context.show(view, () => [
      `${harmless(view.decidedBy?.name ?? 'Somebody')} has approved it. It is carried out when whoever asked runs their command again.`,
    ])
  })
}

async function reject(
  context: Context,
  approvalId: string,
  { reason }: { reason: string },
): Promise<void> {
  await withConnection(context, async ({ client }) => {
    const view = await client.call(rejectRequest, { params: { approvalId }, body: { reason } })
    context.show(view, () => [`Rejected ${view.id}: it is not carried out.`])
  })
}

async function withdraw(context: Context, approvalId: string): Promise<void> {
  await withConnection(context, async ({ client }) => {
    const view = await client.call(withdrawRequest, { params: { approvalId } })
    context.show(view, () => [`Withdrew ${view.id}.`])
  })
}

async function policy(context: Context): Promise<void> {
  await withConnection(context, async ({ client, server }) => {
    const view = await client.call(showApprovalPolicy, {})
    const { releaseDevicesAbove: above, deviceRemoval, credentialLease } = view.rules
    context.show(view, () => [
      ...context.fields([
        [
          'another release',
          above === null
            ? 'no'
            : `for more than ${formatCount(above, 'device')} by one person within 24 hours`,
        ],
        ['removal of a device', deviceRemoval ? 'yes' : 'no'],
        ['lease of a credential', credentialLease ? 'yes' : 'no'],
        ['these rules', view.since === null ? 'no' : 'yes'],
        ['since', view.since ?? undefined],
      ]),
      `Owners change this in the browser: ${pageOf(server.url)}`,
    ])
  })
}
