/**
 * `seaworthy log list`: entries of the audit log that options leave, the newest first. Each entry
 * is proved to be under the signed checkpoint before it is shown.
 */
import type { Command } from 'commander'
import { listPeople } from '@seaworthy/api/people'
import { ProblemError } from '@seaworthy/api/problems'
import { listTokens } from '@seaworthy/api/tokens'
import { utf8Decode } from '@seaworthy/std/bytes'
import { parseAnyJsonText } from '@seaworthy/std/json'
import { formatInstant, minuteMs } from '@seaworthy/std/time'
import type { LogEntry } from '@seaworthy/trust/tlog'
import { verifyEntries } from '@seaworthy/trust/tlog'
import type { Connection } from '../connection.ts'
import { collectPages, logSettings, withConnection } from '../connection.ts'
import type { Context } from '../context.ts'
import { withContext } from '../context.ts'
import { CliError } from '../failure.ts'
import { durationOption, oneOf, wholeNumber } from '../options.ts'
import type { CliPorts } from '../ports.ts'
import { checkLog } from '../state/audit-log.ts'

export function addEntriesCommand(log: Command, ports: CliPorts): void {
  log
    .command('list')
    .description('list entries, the newest first, each checked against the signed checkpoint')
    .option('--within <duration>', 'of the last so long, such as 2d', durationOption)
    .option('--before <duration>', 'older than so long, such as 1h', durationOption)
    .option('--actor <name>', 'by whoever has this id or name')
    .option('--action <name>', 'of this action, such as fleet.set, or whose name begins so')
    .option('--subject <text>', 'about what has this in its id or name')
    .option('--outcome <outcome>', 'that ended so', oneOf('done', 'refused', 'alarm'))
    .option('--text <text>', 'with this anywhere, in letters of either case')
    .option('--limit <count>', 'at most this many', wholeNumber(1, 100_000), 50)
    .action(withContext(ports, list))
}

interface ListOptions {
  within?: number
  before?: number
  actor?: string
  action?: string
  subject?: string
  outcome?: 'done' | 'refused' | 'alarm'
  text?: string
  limit: number
}

interface ShownEntry {
  readonly index: number
  readonly at: string
  readonly actor: string
  /** The name of the actor today; null where nobody knows it, or the caller may not. */
  readonly actorName: string | null
  readonly action: string
  readonly subject: string
  readonly outcome: string
  readonly detail: unknown
}

/** An entry as the server wrote it; what it should have and has not is empty. */
function readEntry({ index, bytes }: LogEntry, names: ReadonlyMap<string, string>): ShownEntry {
  const members = new Map(Object.entries(parseAnyJsonText(utf8Decode(bytes)) ?? {}))
  const text = (name: string) => {
    const value: unknown = members.get(name)
    return typeof value === 'string' ? value : ''
  }
  const actor = text('actor')
  return {
    ...{ index, at: text('at'), actor, actorName: names.get(actor) ?? null },
    ...{ action: text('action'), subject: text('subject'), outcome: text('outcome') },
    detail: members.get('detail') ?? {},
  }
}

async function list(context: Context, options: ListOptions): Promise<void> {
  await withConnection(context, async (connection) => {
    const checked = await checkLog(logSettings(context, connection))
    if (checked === undefined) {
      throw new CliError('notFound', 'the server has no audit log yet', {
        wayOut: 'Its first entry makes it: try again in a moment.',
      })
    }
    const names = await findNames(connection)
    const isMeant = filterOf(options, names, context.ports.clock.now())
    const since = sinceOf(options, context.ports.clock.now())
    const { size } = checked.checkpoint
    let found: ShownEntry[] = []
    // The end of the log is read first, and more of it until there is enough.
    for (let count = firstCount; ; count *= 4) {
      const first = Math.max(0, size - count)
      found = []
      let oldest: string | undefined
      for await (const proved of verifyEntries(checked.contact, first)) {
        const entry = readEntry(proved, names)
        oldest ??= entry.at
        if (isMeant(entry)) found.push(entry)
      }
      const isPast = since !== undefined && oldest !== undefined && oldest < since
      if (first === 0 || found.length >= options.limit || isPast) break
    }
    const shown = found.toReversed().slice(0, options.limit)
    context.show(shown, () =>
      context.table<ShownEntry>(
        [
          { title: 'entry', text: (e) => String(e.index), align: 'right' },
          { title: 'at', text: (e) => e.at },
          { title: 'by', text: describeActor, isShrinkable: true },
          { title: 'action', text: (e) => e.action },
          { title: 'about', text: (e) => e.subject, isShrinkable: true },
          { title: 'outcome', text: (e) => e.outcome },
        ],
        shown,
        'No entry matches.',
      ),
    )
    if (found.length > shown.length) {
      context.warn(`These are the newest ${shown.length}: see --limit.`)
    }
  })
}

const firstCount = 1024

function describeActor({ actor, actorName }: ShownEntry): string {
  return actorName === null ? actor : `${actorName} (${actor})`
}

/**
 * Transactions that overlap become entries in another order than that of their times, so that
 * reading goes on a little further.
 */
function sinceOf({ within }: ListOptions, now: Date): string | undefined {
  if (within === undefined) return undefined
  return formatInstant(new Date(now.getTime() - within - 10 * minuteMs))
}

function filterOf(
  { within, before, actor, action, subject, outcome, text }: ListOptions,
  names: ReadonlyMap<string, string>,
  now: Date,
): (entry: ShownEntry) => boolean {
  const ago = (ms: number) => formatInstant(new Date(now.getTime() - ms))
  const [from, to] = [within && ago(within), before && ago(before)]
  const isActor = (id: string) => id === actor || names.get(id) === actor
  const wanted = text?.toLowerCase()
  return (entry) =>
    (from === undefined || entry.at >= from) &&
    (to === undefined || entry.at < to) &&
    (actor === undefined || isActor(entry.actor)) &&
    (action === undefined || entry.action.startsWith(action)) &&
    (subject === undefined || entry.subject.includes(subject)) &&
    (outcome === undefined || entry.outcome === outcome) &&
    (wanted === undefined || JSON.stringify(entry).toLowerCase().includes(wanted))
}

/** The names of the tokens and people that there are, by id, as far as the caller may see them. */
async function findNames({ client }: Connection): Promise<ReadonlyMap<string, string>> {
  const [tokens, people] = await Promise.all([
    ifAllowed(() => collectPages((query) => client.call(listTokens, { query }))),
    ifAllowed(() => collectPages((query) => client.call(listPeople, { query }))),
  ])
  return new Map([...tokens, ...people].map(({ id, name }) => [id, name]))
}

async function ifAllowed<T>(read: () => Promise<T[]>): Promise<T[]> {
  try {
    return await read()
  } catch (error) {
    if (error instanceof ProblemError && error.status === 403) return []
    throw error
  }
}
