/**
 * Takes an intent to a published change: builds on verified metadata, shows, signs, submits, and
 * applies once every threshold is met.
 */
import { TrustError } from '@seaworthy/std/refusal'
import type { ProposalView } from '@seaworthy/api/proposals'
import {
  addProposalSignatures,
  applyProposal,
  createProposal,
  showProposal,
} from '@seaworthy/api/proposals'
import { newId } from '@seaworthy/std/ids'
import { equalBytes, utf8Encode } from '@seaworthy/std/bytes'
import type { CurrentMetadata, JsonObject, Proposal, ProposalIntent } from '@seaworthy/trust/tuf'
import {
  buildProposal,
  canonicalJson,
  defaultTufLimits,
  parseMetadata,
  parseProposal,
} from '@seaworthy/trust/tuf'
import type { Context } from '../context.ts'
import { CliError, doNotTrust } from '../failure.ts'
import type { NamedKey, PassphraseSource } from '../keys/key-files.ts'
import { createPassphraseSource } from '../keys/key-files.ts'
import type { Session } from '../session.ts'
import { ensureAnchor, rootDigestOf } from './anchor.ts'
import { createMetadataFetch, openForRoles } from './repository-view.ts'
import type { ShownContent } from './proposed-content.ts'
import { noContent } from './proposed-content.ts'
import type { SignedProposal } from './signing.ts'
import { describeMissing, requireSound, showProposalText, signWithKeys } from './signing.ts'
import { refuseSecond } from './waiting.ts'

export interface ProposeInput {
  intent: ProposalIntent
  current: CurrentMetadata
  /** Keys to sign with right away. */
  keys: readonly NamedKey[]
  /** Whether a key that speaks for nothing here is an error. */
  isStrict: boolean
  passphraseFiles: readonly string[] | undefined
  evidence?: JsonObject
  /** The view of the content that a person is shown. */
  content?: ShownContent
  acceptUnchecked?: boolean | undefined
  /** Whether signatures are submitted, but publishing is left to somebody else. */
  leaveOpen?: boolean
}

/** Options of every command that makes a proposal. */
export interface ProposalOptions {
  signWith?: string[]
  passphraseFile?: string[]
  apply: boolean
}

/** Options of commands that show content. */
export interface ContentOptions {
  all?: boolean
  unchecked?: boolean
}

/** Carries out an intent as far as the keys at hand go, and says what is left. */
export async function propose(
  context: Context,
  session: Session,
  input: ProposeInput,
): Promise<ProposalView> {
  const { current } = input
  const now = context.ports.clock.now()
  const proposal = await buildProposal(input.intent, current, {
    id: newId('proposal', now, context.ports.random),
    now,
    ...(input.evidence === undefined ? {} : { evidence: input.evidence }),
  })
  await refuseSecond(session, proposal)
  const judged = { proposal, current }
  await requireSound(context, judged)
  const content = input.content ?? noContent
  await showProposalText(context, judged, content)
  const passphrases: PassphraseSource = createPassphraseSource(context.ports, input.passphraseFiles)
  const signed = await signWithKeys(context, judged, input.keys, {
    passphrases,
    isStrict: input.isStrict,
    content,
    acceptUnchecked: input.acceptUnchecked,
  })
  const created = await session.client.call(createProposal, {
    body: { proposal: { ...proposal } },
  })
  return submitSignatures(context, session, signed, { view: created, leaveOpen: input.leaveOpen })
}

/** Sends signatures, publishes when nothing is missing any more, and reports. */
export async function submitSignatures(
  context: Context,
  session: Session,
  signed: SignedProposal,
  options: { view: ProposalView; leaveOpen?: boolean | undefined },
): Promise<ProposalView> {
  const { proposal, files } = signed
  let { view } = options
  for (const file of files) {
    view = await session.client.call(addProposalSignatures, {
      params: { proposalId: proposal.id },
      body: { signatures: { ...file } },
    })
  }
  if (view.complete && view.state === 'open' && options.leaveOpen !== true) {
    view = await publishProposal(context, session, proposal)
  }
  context.show(view, () => [])
  if (view.state === 'applied') {
    context.say(context.paint.green(`Published: ${proposal.title}.`))
  } else if (view.complete) {
    context.say(
      `Every threshold is met. Publish it with \`seaworthy proposal apply ${proposal.id}\`.`,
    )
  } else for (const line of await describeMissing(signed)) context.say(line)
  return view
}

/** How long processes and caches of a server may take until all of them show what was published. */
const visibleMsMax = 15_000
const visiblePollMs = 200

/**
 * Has the server publish, then verifies from our own anchor that what it serves is what was signed.
 */
export async function publishProposal(
  context: Context,
  session: Session,
  proposal: Proposal,
): Promise<ProposalView> {
  const view = await session.client.call(applyProposal, { params: { proposalId: proposal.id } })
  if (view.state !== 'applied') return view
  const { clock, sleep, signal } = context.ports
  const startedMs = clock.monotonicMs()
  const isOver = () => clock.monotonicMs() - startedMs > visibleMsMax
  if (proposal.kind === 'trust-init') {
    while (!(await anchorFirstRoot(context, session, proposal))) {
      if (isOver())
        throw new CliError('refused', 'the server does not serve the first root', {
          wayOut: doNotTrust,
        })
      await sleep(visiblePollMs, signal)
    }
  }
  for (;;) {
    let missing: string | undefined
    try {
      missing = await findUnpublished(context, session, proposal)
    } catch (error) {
      // The server may be between two states, and serve a new root beside what an older one signed.
      if (!(error instanceof TrustError) || isOver()) throw error
      missing = proposal.title
    }
    if (missing === undefined) return view
    if (isOver()) {
      throw new CliError(
        'refused',
        `the server says it published ${missing}, but does not serve it`,
        { wayOut: doNotTrust },
      )
    }
    await sleep(visiblePollMs, signal)
  }
}

/**
 * Finds a role of the proposal that is still served in an older version. Throws when something else
 * is served in its place.
 */
async function findUnpublished(
  context: Context,
  session: Session,
  proposal: Proposal,
): Promise<string | undefined> {
  const { documents } = proposal
  const { current } = await openForRoles(context, session, changedRoles(proposal))
  for (const { role, signed } of documents) {
    const served = role === 'root' ? current.root?.signed : current.roles.get(role)?.signed
    if (served === undefined || served.version < signed.version) return role
    if (served.version > signed.version) continue
    if (equalBytes(canonicalJson(served), canonicalJson(signed))) continue
    throw new CliError(
      'refused',
      `the server serves another ${role} than the one it was given to publish`,
      { wayOut: doNotTrust },
    )
  }
  return undefined
}

/**
 * Anchors trust in the first root without trust on first use: it must be the one of the proposal
 * that was looked at. Returns false while it is not served.
 */
async function anchorFirstRoot(
  context: Context,
  session: Session,
  proposal: Proposal,
): Promise<boolean> {
  if (session.server.rootDigest !== undefined) return true
  const bytes = await createMetadataFetch(session)('1.root.json', defaultTufLimits.rootBytesMax)
  if (bytes === undefined) return false
  const served = await parseMetadata('root', bytes, 'strict')
  const root = proposal.documents.find(({ role }) => role === 'root')
  const isSame =
    root !== undefined && equalBytes(canonicalJson(served.signed), canonicalJson(root.signed))
  if (!isSame)
    throw new CliError('refused', 'the first root that is served is not the one signed', {
      wayOut: doNotTrust,
    })
  await ensureAnchor(context, session, rootDigestOf(served.bytes))
  context.say(
    `Trust is anchored at root sha256:${rootDigestOf(served.bytes)}. Give this digest to the others (seaworthy login … --root).`,
  )
  return true
}

export function changedRoles({ documents }: Proposal): string[] {
  return documents.map(({ role }) => role)
}

/** A proposal as the server holds it; nothing of it is believed before it was checked. */
export async function fetchProposal(
  session: Session,
  proposalId: string,
): Promise<{ view: ProposalView; proposal: Proposal }> {
  const reply = await session.client.call(showProposal, { params: { proposalId } })
  const proposal = await parseProposal(utf8Encode(JSON.stringify(reply.proposal)))
  if (proposal.id !== proposalId) {
    throw new CliError('refused', `the server answered with another proposal, ${proposal.id}`, {
      wayOut: doNotTrust,
    })
  }
  return { view: reply.view, proposal }
}
