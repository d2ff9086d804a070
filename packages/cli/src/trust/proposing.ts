/**
 * Takes an intent to a proposal with signatures: builds on verified metadata, shows, signs and
 * submits it, and has it published once every threshold is met.
 */
import type { ProposalView } from '@seaworthy/api/proposals'
import { addProposalSignatures, createProposal, showProposal } from '@seaworthy/api/proposals'
import { newId } from '@seaworthy/std/ids'
import { utf8Encode } from '@seaworthy/std/bytes'
import type { CurrentMetadata, JsonObject, Proposal, ProposalIntent } from '@seaworthy/trust/tuf'
import { buildProposal, parseProposal } from '@seaworthy/trust/tuf'
import type { Context } from '../context.ts'
import { CliError, doNotTrust } from '../failure.ts'
import type { NamedKey, PassphraseSource } from '../keys/key-files.ts'
import { createPassphraseSource } from '../keys/key-files.ts'
import type { Connection } from '../connection.ts'
import type { ShownContent } from './proposed-content.ts'
import { noContent } from './proposed-content.ts'
import type { SignedProposal } from './signing.ts'
import { describeMissing, requireSound, showProposalText, signWithKeys } from './signing.ts'
import { refuseSecond } from './open-proposals.ts'
import { publishProposal } from './publishing.ts'

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
  connection: Connection,
  input: ProposeInput,
): Promise<ProposalView> {
  const { current } = input
  const now = context.ports.clock.now()
  const proposal = await buildProposal(input.intent, current, {
    id: newId('proposal', now, context.ports.random),
    now,
    ...(input.evidence === undefined ? {} : { evidence: input.evidence }),
  })
  await refuseSecond(connection, proposal)
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
    ...onlineSigning(connection),
  })
  const created = await connection.client.call(createProposal, {
    body: { proposal: { ...proposal } },
  })
  return submitSignatures(context, connection, signed, {
    view: created,
    leaveOpen: input.leaveOpen,
  })
}

/**
 * What is signed beside a server is remembered, and held to what was verified of it at this contact
 * rather than to what was signed before: a rejected proposal is often made anew.
 */
export function onlineSigning({ server }: Connection): { roots: string[]; acceptSecond: boolean } {
  return { roots: server.rootDigest === undefined ? [] : [server.rootDigest], acceptSecond: true }
}

/** Sends signatures, publishes when nothing is missing any more, and reports. */
export async function submitSignatures(
  context: Context,
  connection: Connection,
  signed: SignedProposal,
  options: { view: ProposalView; leaveOpen?: boolean | undefined },
): Promise<ProposalView> {
  const { proposal, files } = signed
  let { view } = options
  for (const file of files) {
    view = await connection.client.call(addProposalSignatures, {
      params: { proposalId: proposal.id },
      body: { signatures: { ...file } },
    })
  }
  if (view.complete && view.state === 'open' && options.leaveOpen !== true) {
    view = await publishProposal(context, connection, proposal)
  }
  context.show(view, () => [])
  if (view.state === 'applied') {
    context.say(context.paint.green(sayPublished(proposal.title)))
  } else if (view.complete) {
    context.say(
      `Every threshold is met. Publish it with \`seaworthy proposal apply ${proposal.id}\`.`,
    )
  } else for (const line of await describeMissing(signed)) context.say(line)
  return view
}

/** A proposal as the server holds it; nothing in it is believed before it has been checked. */
export async function fetchProposal(
  connection: Connection,
  proposalId: string,
): Promise<{ view: ProposalView; proposal: Proposal }> {
  const reply = await connection.client.call(showProposal, { params: { proposalId } })
  const proposal = await parseProposal(utf8Encode(JSON.stringify(reply.proposal)))
  if (proposal.id !== proposalId) {
    throw new CliError('refused', `the server answered with another proposal, ${proposal.id}`, {
      wayOut: doNotTrust,
    })
  }
  return { view: reply.view, proposal }
}

/** A title says what is asked for, such as `Publish web 2.0 on stable`. */
export function sayPublished(title: string): string {
  return title.startsWith('Publish ') ? `Published ${title.slice(8)}.` : `Published: ${title}.`
}
