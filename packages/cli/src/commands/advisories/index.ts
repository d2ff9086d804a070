/** `seaworthy advisory …`: what the public is told of a flaw, from a draft to its last version. */
import type { Command } from 'commander'
import {
  createAdvisory,
  editAdvisory,
  listAdvisories,
  publishAdvisory,
  reviewAdvisory,
  setPublisher,
  showAdvisory,
  showPublisher,
  withdrawAdvisory,
} from '@seaworthy/api/advisories'
import type { AdvisoryPublisherView, AdvisoryView } from '@seaworthy/api/advisories'
import { collectPages, withConnection } from '../../connection.ts'
import type { Context } from '../../context.ts'
import { withContext } from '../../context.ts'
import { wholeNumber } from '../../options.ts'
import { harmless } from '../../output/format.ts'
import type { CliPorts } from '../../ports.ts'
import { describeAdvisory, describeScore } from './view.ts'
import { exportPages } from './export.ts'
import { addSigningCommands } from './signing.ts'
import { advisoryTemplate, readContent, readPublisher } from './files.ts'

const advisoriesMax = 10_000
const revisionOption = wholeNumber(1, 2_147_483_647)

interface FileOption {
  file?: string
}

export function addAdvisoryCommands(program: Command, ports: CliPorts): void {
  const group = program
    .command('advisory')
    .description('what the public is told of a flaw, for those who are read in to its case')
  group
    .command('list')
    .description('list the advisories of the cases you are read in to')
    .action(withContext(ports, list))
  group
    .command('template')
    .description('print what `create --file` and `edit --file` take, to be filled in')
    .action(
      withContext(ports, (context) =>
        context.show(advisoryTemplate, () => JSON.stringify(advisoryTemplate, null, 2).split('\n')),
      ),
    )
  group
    .command('create')
    .description('draft an advisory, for a case or by hand')
    .option('--case <case>', 'the case of the flaw; without it, one is opened')
    .option('--file <file>', 'a file like that of `advisory template`')
    .action(withContext(ports, create))
  group
    .command('edit <advisory>')
    .description('replace what an advisory says; it is a draft then')
    .requiredOption('--file <file>', 'a file like that of `advisory template`')
    .requiredOption('--revision <number>', 'the revision that you have changed', revisionOption)
    .action(withContext(ports, edit))
  group
    .command('show <advisory>')
    .description('show an advisory as it is edited, and which versions the public has')
    .action(withContext(ports, show))
  group
    .command('review <advisory>')
    .description('say that it is right as it is; another person than its last editor does that')
    .requiredOption('--revision <number>', 'the revision that you have read', revisionOption)
    .action(withContext(ports, review))
  group
    .command('publish <advisory>')
    .description('publish a reviewed advisory, or a correction of what was published')
    .requiredOption('--revision <number>', 'the revision that was reviewed', revisionOption)
    .option('--what <text>', 'what a correction corrects, which the public reads')
    .action(withContext(ports, publish))
  group
    .command('withdraw <advisory>')
    .description('withdraw a published advisory, for good')
    .requiredOption('--reason <text>', 'why it does not count any more, which the public reads')
    .action(withContext(ports, withdraw))
  group
    .command('publisher')
    .description('show or say who publishes advisories here, and what they promise')
    .option('--file <file>', 'a file like what this command prints with --json')
    .action(withContext(ports, publisher))
  addSigningCommands(group, ports)
  group
    .command('export <folder>')
    .description('write all pages for the public as files, for a copy on another host')
    .action(withContext(ports, exportPages))
}

async function list(context: Context): Promise<void> {
  await withConnection(context, async ({ client }) => {
    const items = await collectPages(
      (query) => client.call(listAdvisories, { query }),
      advisoriesMax,
    )
    context.show(items, () =>
      context.table<AdvisoryView>(
        [
          { title: 'advisory', text: ({ id }) => id },
          { title: 'name', text: ({ name }) => name ?? '-' },
          { title: 'title', text: ({ title }) => harmless(title), isShrinkable: true },
          { title: 'state', text: ({ state }) => state },
          { title: 'revision', text: ({ revision }) => `${revision}` },
          { title: 'severity', text: ({ score }) => describeScore(score), isDroppable: true },
          { title: 'case', text: ({ caseId }) => caseId, isDroppable: true },
        ],
        items,
        'The cases you are read in to have no advisories.',
      ),
    )
  })
}

async function create(
  context: Context,
  { case: caseId, file }: FileOption & { case?: string },
): Promise<void> {
  const content =
    caseId !== undefined && file === undefined ? undefined : await readContent(context, file)
  await withConnection(context, async ({ client }) => {
    const view = await client.call(createAdvisory, {
      body: {
        ...(caseId === undefined ? {} : { caseId }),
        ...(content === undefined ? {} : { content }),
      },
    })
    context.show(view, () => [
      `Drafted ${view.id}, revision ${view.revision}, for ${view.caseId}.`,
      `Whoever is to see it is read in to the case: \`seaworthy case read-in ${view.caseId} PERSON\`.`,
    ])
  })
}

async function edit(
  context: Context,
  advisoryId: string,
  { file, revision }: { file: string; revision: number },
): Promise<void> {
  const content = await readContent(context, file)
  await withConnection(context, async ({ client }) => {
    const view = await client.call(editAdvisory, {
      ...{ params: { advisoryId }, body: { revision, content } },
    })
    context.show(view, () => [
      `${view.id} is a draft at revision ${view.revision}: another person reviews it.`,
    ])
  })
}

async function show(context: Context, advisoryId: string): Promise<void> {
  await withConnection(context, async ({ client }) => {
    const view = await client.call(showAdvisory, { params: { advisoryId } })
    context.show(view, () => describeAdvisory(context, view))
  })
}

async function review(
  context: Context,
  advisoryId: string,
  { revision }: { revision: number },
): Promise<void> {
  await withConnection(context, async ({ client }) => {
    const view = await client.call(reviewAdvisory, { params: { advisoryId }, body: { revision } })
    context.show(view, () => [`Reviewed ${view.id}, revision ${view.revision}.`])
  })
}

async function publish(
  context: Context,
  advisoryId: string,
  { revision, what }: { revision: number; what?: string },
): Promise<void> {
  await withConnection(context, async ({ client }) => {
    const view = await client.call(publishAdvisory, {
      params: { advisoryId },
      body: { revision, ...(what === undefined ? {} : { what }) },
    })
    context.show(view, () => [
      `${view.name} is public, in version ${view.versions.length}: at /advisories/ and in all feeds within a minute.`,
    ])
  })
}

async function withdraw(
  context: Context,
  advisoryId: string,
  { reason }: { reason: string },
): Promise<void> {
  await withConnection(context, async ({ client }) => {
    const view = await client.call(withdrawAdvisory, { params: { advisoryId }, body: { reason } })
    context.show(view, () => [`${view.name} is withdrawn, in version ${view.versions.length}.`])
  })
}

async function publisher(context: Context, { file }: FileOption): Promise<void> {
  const body = file === undefined ? undefined : await readPublisher(context, file)
  await withConnection(context, async ({ client }) => {
    const view =
      body === undefined
        ? await client.call(showPublisher, {})
        : await client.call(setPublisher, { body })
    context.show(view, () => describePublisher(context, view))
  })
}

function describePublisher(context: Context, view: AdvisoryPublisherView): string[] {
  return context.fields([
    ['name', harmless(view.name)],
    ['namespace', harmless(view.namespace)],
    ['pages at', harmless(view.baseUrl)],
    ['contact', harmless(view.contact)],
    ['names begin with', view.prefix],
    ['in scope', harmless(view.scopeIn)],
    ['out of scope', harmless(view.scopeOut)],
    ...view.supported.map(({ product, versions, until }): [string, string] => [
      'gets fixes',
      `${product} ${harmless(versions)}, until ${until ?? 'further notice'}`,
    ]),
    ['OpenPGP key', view.openPgpFingerprint ?? 'none'],
    ['set', `${view.setAt}, by ${view.setBy}`],
  ])
}
