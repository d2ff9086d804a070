/** `seaworthy access report`: who may do what, for a review of access. */
import type { Command } from 'commander'
import { listGrants } from '@seaworthy/api/grants'
import type { GrantEntry } from '@seaworthy/api/grants'
import { formatGrantsCsv } from '@seaworthy/api/grants-csv'
import type { Context } from '../context.ts'
import { createContext } from '../context.ts'
import { formatAgo } from '../output/format.ts'
import { describeRoles } from '../output/roles.ts'
import type { CliPorts } from '../ports.ts'
import { harmlessCsv } from '../output/harmless.ts'
import { collectPages, withSession } from '../session.ts'

interface ReportOptions {
  csv?: boolean
}

export function addAccessCommands(program: Command, ports: CliPorts): void {
  const access = program.command('access').description('who may do what')
  access
    .command('report')
    .description('say who may do what, where, since when, by whom, and when they last did')
    .option('--csv', 'as a table for a spreadsheet, with every single right')
    .action(async (options: ReportOptions, command: Command) =>
      report(createContext(ports, command), options),
    )
}

async function report(context: Context, { csv = false }: ReportOptions): Promise<void> {
  await withSession(context, async ({ client }) => {
    const grants = await collectPages((query) => client.call(listGrants, { query }))
    if (csv && !context.options.json) {
      context.ports.out.write(harmlessCsv(formatGrantsCsv(grants)))
      return
    }
    const now = context.ports.clock.now()
    context.show(grants, () =>
      context.table<GrantEntry>(
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
    )
  })
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

function describeLimits({ products, fleets, networks }: GrantEntry): string {
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
