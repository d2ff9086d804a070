/** `seaworthy case …`: reported flaws, for those who are read in. */
import type { Command } from 'commander'
import type { CaseClockView, CaseDetails, CaseEntryView, CaseView } from '@seaworthy/api/cases'
import {
  answerCase,
  assignCase,
  caseEvent,
  listCaseEntries,
  listCases,
  moveCaseBy,
  noteInCase,
  openCase,
  readIntoCase,
  readOutOfCase,
  showCase,
} from '@seaworthy/api/cases'
import type { ApiClient } from '@seaworthy/api/client'
import { utf8Decode } from '@seaworthy/std/bytes'
import type { Context } from '../context.ts'
import { withContext } from '../context.ts'
import { CliError } from '../failure.ts'
import { oneOf } from '../options.ts'
import { formatAgo, harmless } from '../output/format.ts'
import type { CliPorts } from '../ports.ts'
import { collectPages, withConnection } from '../connection.ts'
import { readFileOrInput } from '../state/files.ts'

const textBytesMax = 80_000
const casesMax = 10_000

interface TextOptions {
  file?: string
}

interface ListOptions {
  state?: 'open' | 'closed'
  due?: boolean
}

export function addCaseCommands(program: Command, ports: CliPorts): void {
  const group = program
    .command('case')
    .description('reports of flaws and what becomes of them, for those who are read in')
  group
    .command('list')
    .description('list the cases you are read in to, and those that nobody has taken')
    .option('--state <state>', 'only those that are open, or closed', oneOf('open', 'closed'))
    .option('--due', 'only those in which something is owed soon, or was not done in time')
    .action(withContext(ports, list))
  group
    .command('clock')
    .description('list what is owed in open cases and when, the most urgent first')
    .action(withContext(ports, clock))
  group
    .command('show <case>')
    .description('show a case: how it stands, who is read in, and all that was written')
    .action(withContext(ports, show))
  addTextOption(group.command('open'))
    .description('open a case of a flaw that nobody outside has reported')
    .requiredOption('--title <text>', 'what is wrong, in one line')
    .action(withContext(ports, open))
  addTextOption(group.command('note <case>'))
    .description('write a note, for those who are read in')
    .action(withContext(ports, note))
  addTextOption(group.command('answer <case>'))
    .description('write to the reporter, who reads it behind the private link')
    .option('--detailed', 'it says what was found and what will happen; it stops the 48 hours')
    .action(withContext(ports, answer))
  group
    .command('state <case> <event>')
    .description('say what has happened, such as validate, accept, fix-ready or close')
    .option('--until <instant>', 'for propose-embargo: when it ends, such as 2026-03-01T12:00:00Z')
    .action(
      withContext(ports, (context, id: string, event: string, options: { until?: string }) =>
        move(context, { id, event, until: options.until }),
      ),
    )
  group
    .command('assign <case>')
    .description('take a case, or give it to another handler, who is read in by that')
    .option('--to <person>', 'the id of the person; without it, you')
    .action(withContext(ports, assign))
  group
    .command('read-in <case> <person>')
    .description('read a person in to a case: they see all of it from then on')
    .action(withContext(ports, readIn))
  group
    .command('read-out <case> <reader>')
    .description('end that somebody is read in to a case')
    .action(withContext(ports, readOut))
}

function addTextOption(command: Command): Command {
  return command.option('--file <file>', 'read the text from a file; else from standard input')
}

/** The text is never an argument, which others on this machine could read. */
async function readText({ ports }: Context, { file }: TextOptions): Promise<string> {
  const bytes = await readFileOrInput(ports, file, textBytesMax)
  let text: string
  try {
    text = utf8Decode(bytes).trim()
  } catch (cause) {
    throw new CliError('usage', 'the text is not UTF-8', { cause })
  }
  if (text !== '') return text
  throw new CliError('usage', 'there is no text: give --file, or write it to standard input')
}

async function list(context: Context, { state, due }: ListOptions): Promise<void> {
  if (due === true && state === 'closed') {
    throw new CliError(
      'usage',
      'nothing is owed in cases that are closed: leave out --due or --state',
    )
  }
  await withConnection(context, async ({ client }) => {
    const all = await collectCases(client, due === true ? 'open' : state)
    const items = due === true ? all.filter(({ clocks }) => clocks.some(isPressing)) : all
    context.show(items, () => {
      const now = context.ports.clock.now()
      return context.table<CaseView>(
        [
          { title: 'case', text: (c) => c.id },
          { title: 'title', text: describeTitle, isShrinkable: true },
          { title: 'report', text: (c) => c.report },
          { title: 'embargo', text: (c) => c.embargo },
          { title: 'known', text: (c) => c.knowledge },
          { title: 'next clock', text: (c) => describeNext(c, now) },
          { title: 'reporter waits', text: (c) => describeWaiting(c, now), isDroppable: true },
          { title: 'handler', text: (c) => c.handler ?? '-', isShrinkable: true },
        ],
        items,
        due === true
          ? 'Nothing is owed soon in the cases you are read in to, and none waits to be taken.'
          : 'You are read in to no case, and none waits to be taken.',
      )
    })
  })
}

function collectCases(client: ApiClient, state: 'open' | 'closed' | undefined) {
  return collectPages(
    (query) =>
      client.call(listCases, { query: { ...query, ...(state === undefined ? {} : { state }) } }),
    casesMax,
  )
}

const describeTitle = ({ title }: CaseView) =>
  title === null ? '(nobody has taken it)' : harmless(title)
const describeWaiting = ({ waitingSince }: CaseView, now: Date) =>
  waitingSince === null ? '-' : formatAgo(waitingSince, now)
const isPressing = ({ state }: CaseClockView) => state === 'soon' || state === 'broken'
const isOwed = ({ state }: CaseClockView) =>
  state === 'running' || state === 'soon' || state === 'broken'

function describeNext({ clocks, closedAt }: CaseView, now: Date): string {
  const next = closedAt === null ? clocks.find(isOwed) : undefined
  return next === undefined ? '-' : describeClock(next, now)
}

function describeClock({ name, state, dueAt }: CaseClockView, now: Date): string {
  const word = state === 'broken' ? ' BROKEN,' : state === 'soon' ? ' SOON,' : ''
  return `${name}:${word} ${formatAgo(dueAt, now)}`
}

async function clock(context: Context): Promise<void> {
  await withConnection(context, async ({ client }) => {
    const open = await collectCases(client, 'open')
    const owed = open
      .flatMap(({ id, title, clocks }) =>
        clocks.filter(isOwed).map((one) => ({ id, title, ...one })),
      )
      .toSorted((a, b) => Date.parse(a.dueAt) - Date.parse(b.dueAt))
    context.show(owed, () => {
      const now = context.ports.clock.now()
      return context.table<(typeof owed)[number]>(
        [
          { title: 'due', text: (c) => c.dueAt },
          { title: 'clock', text: (c) => describeClock(c, now) },
          { title: 'case', text: (c) => c.id },
          {
            title: 'title',
            text: ({ title }) => (title === null ? '(nobody has taken it)' : harmless(title)),
            isShrinkable: true,
          },
        ],
        owed,
        'Nothing is owed in the cases you are read in to, and none waits to be taken.',
      )
    })
  })
}

async function show(context: Context, caseId: string): Promise<void> {
  await withConnection(context, async ({ client }) => {
    const params = { caseId }
    const details = await client.call(showCase, { params })
    const entries = await collectPages(
      (query) => client.call(listCaseEntries, { params, query }),
      casesMax,
    )
    context.show({ ...details, entries }, () => [
      ...describeCase(context, details),
      ...entries.flatMap(describeEntry),
    ])
  })
}

function describeCase(context: Context, details: CaseDetails): string[] {
  const now = context.ports.clock.now()
  const { id, report, embargo, embargoUntil, knowledge, handler, openedAt, closedAt } = details
  return context.fields([
    ['case', id],
    ['title', describeTitle(details)],
    ['report', report],
    [
      'embargo',
      `${embargo}${embargoUntil === null ? '' : `, until ${embargoUntil} (${formatAgo(embargoUntil, now)})`}`,
    ],
    ['known', knowledge],
    ['handler', handler ?? 'nobody has taken it'],
    ['opened', `${openedAt}${details.isReported ? ', by a report' : ''}`],
    ['closed', closedAt ?? undefined],
    ['reporter waits', details.waitingSince === null ? undefined : describeWaiting(details, now)],
    ...details.clocks.map((one): [string, string] => [
      `clock ${one.name}`,
      `${one.state}, due ${one.dueAt} (${formatAgo(one.dueAt, now)})`,
    ]),
    ...details.readers.map(({ id: reader, name, readInAt }): [string, string] => [
      'read in',
      `${reader}${name === null ? '' : `, ${harmless(name)}`}, ${formatAgo(readInAt, now)}`,
    ]),
    ['may follow', details.legalEvents.join(', ')],
  ])
}

/** The lines of a text are made harmless one by one, and none can pass for the head of another. */
function describeEntry({ at, by, kind, text }: CaseEntryView): string[] {
  return ['', `${kind}, ${at}, by ${by}:`, ...text.split('\n').map((line) => `  ${harmless(line)}`)]
}

async function open(context: Context, options: TextOptions & { title: string }): Promise<void> {
  const { title } = options
  const text = await readText(context, options)
  await withConnection(context, async ({ client }) => {
    const view = await client.call(openCase, { body: { title, text } })
    context.show(view, () => [
      `Opened ${view.id}. Only you are read in: \`seaworthy case read-in ${view.id} PERSON\`.`,
    ])
  })
}

async function note(context: Context, caseId: string, options: TextOptions): Promise<void> {
  const text = await readText(context, options)
  await withConnection(context, async ({ client }) => {
    const view = await client.call(noteInCase, { params: { caseId }, body: { text } })
    context.show(view, () => [`Noted in ${caseId}.`])
  })
}

async function answer(
  context: Context,
  caseId: string,
  options: TextOptions & { detailed?: boolean },
): Promise<void> {
  const isDetailed = options.detailed === true
  const text = await readText(context, options)
  await withConnection(context, async ({ client }) => {
    const body = { text, isDetailed }
    const view = await client.call(answerCase, { params: { caseId }, body })
    context.show(view, () => [`The reporter of ${caseId} finds it behind the private link.`])
  })
}

async function move(
  context: Context,
  { id, event, until }: { id: string; event: string; until: string | undefined },
): Promise<void> {
  const known = caseEvent.safeParse(event)
  if (!known.success) {
    throw new CliError('usage', `${harmless(event)} is nothing that happens to a case`, {
      wayOut: `It is one of ${caseEvent.options.join(', ')}.`,
    })
  }
  await withConnection(context, async ({ client }) => {
    const view = await client.call(moveCaseBy, {
      params: { caseId: id },
      body: { event: known.data, ...(until === undefined ? {} : { embargoUntil: until }) },
    })
    context.show(view, () => [
      `${view.id}: the report is ${view.report}, the embargo ${view.embargo}, known is ${view.knowledge}.`,
    ])
  })
}

async function assign(context: Context, caseId: string, { to }: { to?: string }): Promise<void> {
  await withConnection(context, async ({ client }) => {
    const body = to === undefined ? {} : { to }
    const view = await client.call(assignCase, { params: { caseId }, body })
    context.show(view, () => [`${view.handler} answers for ${view.id}: ${describeTitle(view)}`])
  })
}

async function readIn(context: Context, caseId: string, personId: string): Promise<void> {
  await withConnection(context, async ({ client }) => {
    const view = await client.call(readIntoCase, { params: { caseId, personId } })
    context.show(view, () => [`${personId} is read in to ${view.id}.`])
  })
}

async function readOut(context: Context, caseId: string, reader: string): Promise<void> {
  await withConnection(context, async ({ client }) => {
    const view = await client.call(readOutOfCase, { params: { caseId, reader } })
    context.show(view, () => [
      `${reader} is not read in to ${view.id} any more. What they have seen, they know.`,
    ])
  })
}
