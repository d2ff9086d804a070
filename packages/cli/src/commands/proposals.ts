/** `seaworthy proposal …`: what waits for offline signatures. */
import type { Command } from 'commander'
import type { ProposalView } from '@seaworthy/api/proposals'
import { addProposalSignatures, listProposals, rejectProposal } from '@seaworthy/api/proposals'
import { isId } from '@seaworthy/std/ids'
import {
  checkProposal,
  formatProblem,
  formatProposal,
  formatSignatureFile,
  parseSignatureFile,
  proposalBytesMax,
  rebaseProposal,
  withChain,
} from '@seaworthy/trust/tuf'
import type { Context } from '../context.ts'
import { createContext, withContext } from '../context.ts'
import { CliError } from '../failure.ts'
import { createPassphraseSource, readNamedKeys } from '../keys/key-files.ts'
import { formatAgo } from '../output/format.ts'
import { takeOptions } from '../option-use.ts'
import { collect, oneOf } from '../options.ts'
import type { CliPorts } from '../ports.ts'
import { productContent } from '../registry.ts'
import type { Connection } from '../connection.ts'
import { collectPages, requireLog, withConnection } from '../connection.ts'
import { readBounded, requireEmptyFolder, writeDurably } from '../state/files.ts'
import { requireRoot } from '../trust/anchor.ts'
import type { OfflineOptions } from '../trust/offline.ts'
import { namingFile, readOfflineProposal } from '../trust/offline.ts'
import type { ShownContent } from '../trust/proposed-content.ts'
import { describeProposedFiles, layOutContent, packContent } from '../trust/proposed-content.ts'
import { proposalInstead, requireReplaceable, signaturesBeside } from '../trust/proposal-files.ts'
import type { ContentOptions, ProposalOptions } from '../trust/proposing.ts'
import {
  onlineSigning,
  fetchProposal,
  propose,
  sayPublished,
  submitSignatures,
} from '../trust/proposing.ts'
import { changedRoles, publishProposal } from '../trust/publishing.ts'
import { fetchRootHistory, openForRoles } from '../trust/repository-view.ts'
import type { JudgedProposal } from '../trust/signing.ts'
import {
  describeMissing,
  requireSigning,
  showProposalText,
  signWithKeys,
} from '../trust/signing.ts'
import { addContentOptions, addPassphraseOption, addSigningOptions } from './proposal-options.ts'

export function addProposalCommands(program: Command, ports: CliPorts): void {
  const proposal = program.command('proposal').description('what waits for offline signatures')
  proposal
    .command('list')
    .description('list proposals, newest first')
    .option('--state <state>', 'open, applied, rejected or outdated', oneOf(...states))
    .action(withContext(ports, list))
  proposal
    .command('show <id-or-file>')
    .description('what it would change, checked against what was verified here')
    .option('--root <sha256:…>', 'the digest of the root that must vouch for it')
    .option('--content <dir>', contentText, collect)
    .option('--all', 'show every entry of the file trees, however many')
    .action(async (target: string, options: OfflineOptions, command: Command) => {
      if (isId('proposal', target)) {
        takeOptions<OfflineOptions>(command, 'the id of a proposal', ['root', 'all'])
      }
      await show(createContext(ports, command), target, options)
    })
  addPassphraseOption(
    addContentOptions(
      proposal
        .command('sign <id-or-file>')
        .description('sign it; with an exported file this needs no network')
        .requiredOption('--key <key-file>', 'the key to sign with, repeatable', collect)
        .option('--root <sha256:…>', 'the digest of the root that must vouch for it')
        .option('--content <dir>', contentText, collect)
        .option(
          '-o, --output <file>',
          'for a file: where the signatures go (default: FILE.signatures)',
        )
        .option(
          '--second',
          'for a file: sign it though another content of its version was signed here before',
        )
        .option('--no-apply', 'leave publishing to somebody else when every threshold is met'),
    ),
  ).action(async (target: string, options: SignOptions, command: Command) => {
    const both = ['key', 'root', 'all', 'unchecked', 'passphraseFile'] as const
    if (isId('proposal', target)) {
      takeOptions<SignOptions>(command, 'the id of a proposal', [...both, 'apply'])
    } else {
      takeOptions<SignOptions>(command, 'a file', [...both, 'content', 'output', 'second'])
    }
    await sign(createContext(ports, command), target, options)
  })
  proposal
    .command('export <id>')
    .description('write it as one file that carries everything needed to check it')
    .requiredOption('-o, --output <file>', 'the file to write')
    .option(
      '--content-dir <dir>',
      'all content as an OCI layout, for what the file has no room for',
    )
    .action(withContext(ports, exportProposal))
  proposal
    .command('import <signatures-file...>')
    .description('send signatures made elsewhere')
    .option('--no-apply', 'leave publishing to somebody else when every threshold is met')
    .action(withContext(ports, importSignatures))
  addContentOptions(
    addSigningOptions(
      proposal
        .command('rebase <id>')
        .description('make it anew on what is published now; earlier signatures do not count'),
    ),
  ).action(withContext(ports, rebase))
  proposal
    .command('apply <id>')
    .description('publish it, once every threshold is met')
    .action(withContext(ports, apply))
  proposal
    .command('reject <id>')
    .description('close it for good')
    .requiredOption('--reason <text>', 'why; kept in the audit log')
    .action(withContext(ports, reject))
}

const states = ['open', 'applied', 'rejected', 'outdated'] as const
type State = (typeof states)[number]

const contentText =
  'for a file that does not carry the content: an exported release or OCI layout, repeatable'

interface SignOptions extends OfflineOptions, ContentOptions {
  key: string[]
  output?: string
  passphraseFile?: string[]
  apply: boolean
  second?: boolean
}

async function list(context: Context, { state }: { state?: State }): Promise<void> {
  await withConnection(context, async ({ client }) => {
    const proposals = await collectPages((query) =>
      client.call(listProposals, {
        query: { ...query, ...(state === undefined ? {} : { state }) },
      }),
    )
    const now = context.ports.clock.now()
    context.show(proposals, () =>
      context.table<ProposalView>(
        [
          { title: 'id', text: (p) => p.id },
          { title: 'title', text: (p) => p.title, isShrinkable: true },
          { title: 'state', text: (p) => p.state },
          { title: 'signatures', text: describeSignatures, isShrinkable: true },
          { title: 'created', text: (p) => formatAgo(p.createdAt, now), isDroppable: true },
        ],
        proposals,
        state === undefined ? 'No proposals yet.' : `No proposal is ${state}.`,
      ),
    )
  })
}

function describeSignatures({ roles }: ProposalView): string {
  return roles.map((r) => `${r.role} ${r.signedKeyIds.length}/${r.threshold}`).join(' ')
}

/** A proposal of the server, with what we verified ourselves to judge it by. */
async function judgeOnline(
  context: Context,
  connection: Connection,
  proposalId: string,
  { all, root }: Pick<OfflineOptions, 'all' | 'root'>,
): Promise<JudgedProposal & { view: ProposalView; content: ShownContent }> {
  await requireRoot(context, connection, root)
  const { view, proposal } = await fetchProposal(connection, proposalId)
  const { current } = await openForRoles(context, connection, changedRoles(proposal))
  const content = await describeProposedFiles(
    context,
    { proposal, current },
    (product) => productContent(connection, product),
    { all, mayMiss: false },
  )
  return { view, proposal, current, content }
}

async function show(context: Context, target: string, options: OfflineOptions): Promise<void> {
  if (!isId('proposal', target)) {
    const judged = await readOfflineProposal(context, target, options)
    return await showJudged(context, judged, judged.content)
  }
  await withConnection(
    context,
    async (connection) => {
      const judged = await judgeOnline(context, connection, target, options)
      await showJudged(context, judged, judged.content, judged.view)
    },
    { mayLackLog: true },
  )
}

async function showJudged(
  context: Context,
  judged: JudgedProposal,
  content: ShownContent,
  view?: ProposalView,
): Promise<void> {
  const { proposal, current } = judged
  const isOpen = view === undefined || view.state === 'open'
  const problems = isOpen ? await checkProposal(proposal, current, context.ports.clock.now()) : []
  if (context.options.json) {
    return context.show({ view: view ?? null, proposal, problems, content }, () => [])
  }
  await showProposalText(context, judged, content)
  if (view !== undefined) context.say(`State, as the server says: ${view.state}`)
  for (const problem of problems)
    context.say(context.paint.red(`Refused: ${formatProblem(problem)}`))
  if (isOpen && problems.length === 0) {
    for (const line of await describeMissing(judged)) context.say(line)
  }
}

async function sign(context: Context, target: string, options: SignOptions): Promise<void> {
  const keys = await readNamedKeys(options.key)
  requireSigning(keys)
  const passphrases = createPassphraseSource(context.ports, options.passphraseFile)
  const signing = { passphrases, isStrict: true, acceptUnchecked: options.unchecked }
  if (!isId('proposal', target)) {
    const path = options.output ?? signaturesBeside(target)
    await requireReplaceable(path, 'signatures')
    const judged = await readOfflineProposal(context, target, options)
    await showProposalText(context, judged, judged.content)
    const { files } = await signWithKeys(context, judged, keys, {
      ...signing,
      content: judged.content,
      roots: judged.roots,
      acceptSecond: options.second === true,
    })
    const file = { ...files[0]!, signatures: files.flatMap(({ signatures }) => signatures) }
    await writeDurably(path, formatSignatureFile(file), {
      random: context.ports.random,
      mode: 0o644,
    })
    return context.show({ file: path, ...file }, () => [
      `Signatures are in ${path}. Carry it back, and run \`seaworthy proposal import ${path}\` there.`,
    ])
  }
  await withConnection(
    context,
    async (connection) => {
      const judged = await judgeOnline(context, connection, target, options)
      requireOpen(judged.view)
      await showProposalText(context, judged, judged.content)
      const signed = await signWithKeys(context, judged, keys, {
        ...signing,
        content: judged.content,
        ...onlineSigning(connection),
      })
      await submitSignatures(context, connection, signed, {
        view: judged.view,
        leaveOpen: !options.apply,
      })
    },
    { mayLackLog: true },
  )
}

/**
 * Refuses a proposal that has ended; otherwise the error would give the wrong reason, that its
 * metadata is no longer the newest.
 */
function requireOpen({ id, state }: ProposalView): void {
  if (state !== 'applied' && state !== 'rejected') return
  throw new CliError('refused', `${id} is ${state} already: there is nothing left to sign`, {
    wayOut: 'See `seaworthy proposal list` for what still waits.',
  })
}

interface ExportOptions {
  output: string
  contentDir?: string | undefined
}

async function exportProposal(
  context: Context,
  id: string,
  { output, contentDir }: ExportOptions,
): Promise<void> {
  await requireReplaceable(output, 'proposal')
  if (contentDir !== undefined) await requireEmptyFolder(contentDir)
  await withConnection(
    context,
    async (connection) => {
      const { proposal } = await fetchProposal(connection, id)
      const view = await openForRoles(context, connection, changedRoles(proposal))
      const { current } = view
      const open = (product: string) => productContent(connection, product)
      if (contentDir !== undefined) {
        await layOutContent(context, { proposal, current }, open, contentDir)
      }
      const proven =
        view.anchor === undefined
          ? proposal
          : withChain(proposal, await fetchRootHistory(connection, view), current.roles)
      const content = await packContent(proven, current, open)
      const whole = { ...proven, evidence: { ...proven.evidence, ...content.evidence } }
      const bytes = formatProposal(whole)
      await writeDurably(output, bytes, { random: context.ports.random, mode: 0o644 })
      const root = view.anchor === undefined ? '' : ` --root sha256:${view.anchor.digest}`
      const { left } = content
      const carried = contentDir ?? (left.length === 0 ? undefined : 'DIR')
      const shown = { file: output, proposal: id, bytes: bytes.length, left }
      context.show({ ...shown, contentDir: contentDir ?? null }, () => [
        ...describeCarried({ id, output, contentDir, left }),
        `  seaworthy proposal sign ${output} --key FILE${root}${carried === undefined ? '' : ` --content ${carried}`}`,
        'Whoever signs compares the digest after --root with their own notes: this screen proves nothing.',
      ])
    },
    { mayLackLog: true },
  )
}

/** Describes what to hand to a signer without network, down to the command that they run. */
function describeCarried({
  id,
  output,
  contentDir,
  left,
}: ExportOptions & { id: string; left: readonly string[] }): string[] {
  if (contentDir !== undefined) {
    return [
      `${output} holds the proposal, and ${contentDir} all of its content. Carry both. Without network:`,
    ]
  }
  if (left.length === 0) {
    return [`${output} holds the proposal with everything needed to check it. Without network:`]
  }
  return [
    `${output} holds the proposal, but not all of its content, which is too large for one file:`,
    ...left.map((digest) => `  left out: ${digest}`),
    'Write it into a folder, and carry both: without it what changes on devices is NOT CHECKED.',
    `  seaworthy proposal export ${id} -o ${output} --content-dir DIR`,
    'Without network:',
  ]
}

async function importSignatures(
  context: Context,
  paths: readonly string[],
  options: { apply: boolean },
): Promise<void> {
  const parsed = await Promise.all(
    paths.map(async (path) => {
      const bytes = await readBounded(path, proposalBytesMax)
      try {
        return parseSignatureFile(bytes)
      } catch (cause) {
        throw (await proposalInstead(path, bytes)) ?? namingFile(path, cause)
      }
    }),
  )
  await withConnection(
    context,
    async (connection) => {
      for (const file of parsed) {
        const { view, proposal } = await fetchProposal(connection, file.proposal)
        const { current } = await openForRoles(context, connection, changedRoles(proposal))
        const latest = await connection.client.call(addProposalSignatures, {
          params: { proposalId: file.proposal },
          body: { signatures: { ...file } },
        })
        const merged = await fetchProposal(connection, file.proposal)
        await submitSignatures(
          context,
          connection,
          { proposal: { ...proposal, documents: merged.proposal.documents }, current, files: [] },
          { view: { ...view, ...latest }, leaveOpen: !options.apply },
        )
      }
    },
    { mayLackLog: true },
  )
}

/** Makes a new proposal of the same intent, whose content nobody has signed yet. */
async function rebase(
  context: Context,
  id: string,
  options: ProposalOptions & ContentOptions,
): Promise<void> {
  const signers = await readNamedKeys(options.signWith ?? [])
  requireSigning(signers)
  await withConnection(
    context,
    async (connection) => {
      const { view, proposal } = await fetchProposal(connection, id)
      const { current } = await openForRoles(context, connection, changedRoles(proposal))
      const renewed = await rebaseProposal(proposal, current, context.ports.clock.now())
      await propose(context, connection, {
        intent: proposal.intent,
        current,
        keys: signers,
        isStrict: true,
        passphraseFiles: options.passphraseFile,
        evidence: proposal.evidence,
        content: await describeProposedFiles(
          context,
          { proposal: renewed, current },
          (product) => productContent(connection, product),
          { all: options.all, mayMiss: false },
        ),
        acceptUnchecked: options.unchecked,
        leaveOpen: !options.apply,
      })
      if (view.state === 'open') {
        await connection.client.call(rejectProposal, {
          params: { proposalId: id },
          body: { reason: 'made anew on newer metadata' },
        })
      }
    },
    { mayLackLog: true },
  )
}

async function apply(context: Context, id: string): Promise<void> {
  await withConnection(
    context,
    async (connection) => {
      const { proposal } = await fetchProposal(connection, id)
      if (changedRoles(proposal).some((role) => role !== 'root')) requireLog(connection)
      const view = await publishProposal(context, connection, proposal)
      context.show(view, () => [context.paint.green(sayPublished(proposal.title))])
    },
    { mayLackLog: true },
  )
}

async function reject(
  context: Context,
  proposalId: string,
  { reason }: { reason: string },
): Promise<void> {
  await context.confirm(`Reject ${proposalId} for good?`)
  await withConnection(context, async ({ client }) => {
    const view = await client.call(rejectProposal, { params: { proposalId }, body: { reason } })
    context.show(view, () => [`Rejected ${proposalId}.`])
  })
}
