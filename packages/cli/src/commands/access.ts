/** `seaworthy access …`: who may do what, and what is different since somebody reviewed it. */
import type { Command } from 'commander'
import { listGrants } from '@seaworthy/api/grants'
import type { GrantEntry } from '@seaworthy/api/grants'
import { createAccessReview, showAccessChanges } from '@seaworthy/api/access-reviews'
import type { GrantChangeView } from '@seaworthy/api/access-reviews'
import { formatGrantsCsv } from '@seaworthy/api/grants-csv'
import type { ReplyOf } from '@seaworthy/api/route'
import type { Context } from '../context.ts'
import { createContext, withContext } from '../context.ts'
import { takeOptions } from '../option-use.ts'
import { formatAgo, formatCount } from '../output/format.ts'
import { describeRoles } from '../output/roles.ts'
import type { CliPorts } from '../ports.ts'
import { harmlessCsv } from '../output/harmless.ts'
import { collectPages, withConnection } from '../connection.ts'

interface ReportOptions {
  csv?: boolean
  changes?: boolean
}

export function addAccessCommands(program: Command, ports: CliPorts): void {
  const access = program.command('access').description('who may do what')
  access
    .command('report')
    .description('say who may do what, where, since when, by whom, and when they last did')
    .option('--csv', 'as a table for a spreadsheet, with every single right')
    .option('--changes', 'say instead what is different since the last review')
    .action(async (options: ReportOptions, command: Command) => {
      const context = createContext(ports, command)
      if (options.changes === true) {
        takeOptions<ReportOptions>(command, '--changes', ['changes'])
        await reportChanges(context)
      } else {
        await report(context, options)
      }
    })
  access
    .command('review')
    .description('show what is different since the last review, and mark it as reviewed')
    .action(withContext(ports, review))
}

async function report(context: Context, { csv = false }: ReportOptions): Promise<void> {
  await withConnection(context, async ({ client }) => {
    const grants = await collectPages((query) => client.call(listGrants, { query }))
    if (csv && !context.options.json) {
      context.ports.out.write(harmlessCsv(formatGrantsCsv(grants)))
      return
    }
    const now = context.ports.clock.now()
    const { review, changesCount } = await client.call(showAccessChanges, {})
    context.show(grants, () => [
      ...context.table<GrantEntry>(
        [
          { title: 'kind', text: (g) => g.kind },
          { title: 'who', text: nameOf, isShrinkable: true },
          { title: 'role', text: describeRole },
          { title: 'denied', text: describeDenied, isShrinkable: true, isDroppable: true },
          { title: 'limited to', text: describeLimits, isShrinkable: true },
          { title: 'since', text: (g) => formatAgo(g.since, now) },
          {
            title: 'by',
            text: ({ grantedBy: by }) => by.name ?? by.id,
            isShrinkable: true,
          },
          { title: 'used', text: (g) => describeUse(g, now), isDroppable: true },
        ],
        grants,
        'Nobody may do anything.',
      ),
      review === null
        ? 'Nobody has reviewed this yet: `seaworthy access review`.'
        : `${formatCount(changesCount, 'change')} since the review of ${review.at} by ${review.reviewer.name ?? review.reviewer.id}: \`seaworthy access report --changes\`.`,
    ])
  })
}

type AccessChanges = ReplyOf<typeof showAccessChanges>

async function reportChanges(context: Context): Promise<void> {
  await withConnection(context, async ({ client }) => {
    const changes = await client.call(showAccessChanges, {})
    context.show(changes, () => describeChanges(changes))
  })
}

async function review(context: Context): Promise<void> {
  await withConnection(context, async ({ client }) => {
    const changes = await client.call(showAccessChanges, {})
    for (const line of describeChanges(changes)) context.say(line)
    await context.confirm('Mark all that `seaworthy access report` shows as reviewed by you?')
    const { grantsSha256 } = changes
    const made = await client.call(createAccessReview, { body: { grantsSha256 } })
    context.show(made, () => [`Reviewed: ${formatCount(made.grantsCount, 'grant')}.`])
  })
}

function describeChanges({ review, changes, changesCount }: AccessChanges): string[] {
  const since =
    review === null
      ? 'Nobody has reviewed this yet: everything counts as added.'
      : `The last review was at ${review.at} by ${review.reviewer.name ?? review.reviewer.id}.`
  const rest = changesCount - changes.length
  return [
    since,
    ...(changesCount === 0 ? ['Nothing is different since.'] : changes.map(describeChange)),
    ...(rest === 0 ? [] : [`and ${formatCount(rest, 'more change', 'more changes')}`]),
  ]
}

function describeChange({ kind, before, now }: GrantChangeView): string {
  const { kind: thing, id, name } = (now ?? before)!
  const what = `${kind.padEnd(7)}  ${thing} ${name ?? ''} (${id})`
  if (before === null || now === null) return `${what}: ${describeSeen((now ?? before)!)}`
  return `${what}: ${describeDifference(before, now)}`
}

type SeenGrant = NonNullable<GrantChangeView['now']>

function describeSeen({ role, deniedBy, products, fleets, networks }: SeenGrant): string {
  const scope = describeScope({ products, fleets, networks })
  return `${role === null ? 'a key' : describeRoles({ role, deniedBy })}, ${scope}`
}

function describeDifference(before: SeenGrant, now: SeenGrant): string {
  const lost = before.permissions.filter((one) => !now.permissions.includes(one))
  const gained = now.permissions.filter((one) => !before.permissions.includes(one))
  const [was, is] = [describeSeen(before), describeSeen(now)]
  return [
    ...(was === is ? [is] : [`${was} → ${is}`]),
    ...(gained.length === 0 ? [] : [`may now ${gained.join(', ')}`]),
    ...(lost.length === 0 ? [] : [`may no longer ${lost.join(', ')}`]),
    ...(before.isEnabled === now.isEnabled ? [] : [now.isEnabled ? 'enabled' : 'disabled']),
  ].join('; ')
}

function nameOf({ kind, id, name, holder }: GrantEntry): string {
  if (kind === 'person') return name ?? id
  return `${name ?? id} of ${holder.name ?? holder.id}`
}

function describeRole({ role, deniedBy, isEnabled }: GrantEntry): string {
  if (!isEnabled) return 'disabled'
  return role === null ? '-' : describeRoles({ role, deniedBy })
}

/** What its role would allow, with the role that denies it. */
function describeDenied({ denied }: GrantEntry): string {
  const each = denied.map(({ permission, by }) => `${permission} by ${by.join(' and ')}`)
  return each.length === 0 ? '-' : each.join(', ')
}

type Limits = Pick<GrantEntry, 'products' | 'fleets' | 'networks'>

function describeScope(limits: Limits): string {
  const text = describeLimits(limits)
  return text === '-' ? 'everything' : text
}

function describeLimits({ products, fleets, networks }: Limits): string {
  const limits = [
    ...(products ?? []),
    ...(fleets ?? []).map((fleet) => `fleet ${fleet}`),
    ...(networks ?? []).map((network) => `from ${network}`),
  ]
  return limits.length === 0 ? '-' : limits.join(', ')
}

function describeUse({ kind, lastUsedAt }: GrantEntry, now: Date): string {
  return kind === 'person' || kind === 'token' ? formatAgo(lastUsedAt, now) : '-'
}
