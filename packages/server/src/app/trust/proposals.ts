/**
 * Proposals are stored as submitted, signed elsewhere, and applied in one transaction. Each step
 * verifies again from the anchored chain; what the row says about a proposal is never believed.
 */
import { equalBytes, utf8Encode } from '@seaworthy/std/bytes'
import { isId } from '@seaworthy/std/ids'
import { parseAnyJson } from '@seaworthy/std/json'
import { Refusal, invariant, refusalAs } from '@seaworthy/std/refusal'
import type {
  CurrentMetadata,
  JsonObject,
  PreparedFile,
  Proposal,
  ProposalRefusal,
} from '@seaworthy/trust/tuf'
import {
  formatProposal,
  keepGenuineSignatures,
  listReleases,
  mergeSignatures,
  noMetadata,
  parseProposal,
  parseSignatureFile,
  prepareProposal,
  refuseProblems,
  roleKindOf,
  withChain,
} from '@seaworthy/trust/tuf'
import type { ReadTx, WriteTx } from '../../db/connection.ts'
import { readClock } from '../../db/connection.ts'
import { lockPublication } from '../../db/metadata.ts'
import type { ProposalRow } from '../../db/proposals.ts'
import {
  closeOvertaken,
  closeProposal,
  countOpenProposals,
  deleteClosed,
  getProposal,
  insertProposal,
  lockProposal,
  setProposalDocument,
} from '../../db/proposals.ts'
import { insertSecret } from '../../db/online-secrets.ts'
import type { Actor, Current } from '../access/index.ts'
import { grantOf, requireProduct, requireUnscoped, requireWholeProduct } from '../access/index.ts'
import type { App, TrustState } from '../app.ts'
import { verifyClaims } from '../content/index.ts'
import { onlineRoles, requireOnlineSigner } from './online-keys.ts'
import { publish } from './publication.ts'
import { listEndedRoles, requireNoFollowers } from './retirement.ts'
import type { ServerRefusal } from '../refusals.ts'
import { loadTrustState, sha256 } from './trust-plane.ts'

type Deps = Pick<App, 'contentChecks' | 'db' | 'masterKey' | 'store' | 'trust'>

export interface StoredProposal {
  readonly row: ProposalRow
  readonly proposal: Proposal
}

export function currentOf(state: TrustState | undefined): CurrentMetadata {
  return state === undefined ? noMetadata : { root: state.root, roles: state.roles }
}

/**
 * Stores a proposal that passes every check a signer makes. `submitted` is JSON of unknown origin,
 * the same that `ahead` was found for.
 */
export async function submitProposal(
  app: Deps,
  tx: WriteTx,
  actor: Current,
  submitted: Readonly<Record<string, unknown>>,
  ahead: ReadAhead,
  now: Date,
): Promise<StoredProposal> {
  const proposal = await parseSubmitted(submitted)
  if (!isId('proposal', proposal.id)) {
    throw new Refusal<ProposalRefusal>('proposal_malformed', 'the id is not of the form proposal_…')
  }
  requireReachToChange(actor, proposal)
  const current = currentOf(await loadTrustState(tx, app.masterKey, app.trust.state()))
  if (!isSameMetadata(current, ahead.current)) await refuseProblems(proposal, current, now)
  await checkOnlineKeys(app, tx, proposal)
  await checkContent(app, proposal, current, { known: ahead.content })
  await requireNoFollowers(tx, proposal.intent)
  await requireRoom(tx, actor, proposal)
  const row: ProposalRow = {
    id: proposal.id,
    kind: proposal.kind,
    title: proposal.title,
    state: 'open',
    roles: proposal.documents.map(({ role }) => role),
    document: formatProposal(await keepGenuineSignatures(proposal, current)),
    createdAt: now,
    createdBy: actor.id,
  }
  if (!(await insertProposal(tx, row))) {
    throw new Refusal<ServerRefusal>(
      'proposal_exists',
      'a proposal of that id was submitted before',
    )
  }
  await deleteClosed(tx, actor.id, closedMax)
  return { row, proposal: await readDocument(row) }
}

/** How many of one token's rejected and overtaken proposals are kept: the newest ones. */
const closedMax = { count: 256, bytes: 64 * 1024 * 1024 }

/**
 * The most open proposals: those of one token, and those for one product, or for one of the
 * top-level roles.
 */
const openMax = { actor: 64, product: 256 }

/**
 * Throws `proposals_too_many` where more already wait than anybody could judge. Concurrent
 * submissions may exceed the limit by their number.
 */
async function requireRoom(tx: WriteTx, actor: Actor, { documents }: Proposal): Promise<void> {
  const products = [...new Set(documents.map(({ role }) => role.split('.')[0]!))]
  const counts = await countOpenProposals(tx, actor.id, products)
  if (counts.ofActor >= openMax.actor) {
    throw tooMany(`${openMax.actor} proposals of this token are open`)
  }
  const full = counts.products.find(({ count }) => count >= openMax.product)
  if (full !== undefined) {
    throw tooMany(`${openMax.product} proposals for ${full.product} are open`)
  }
}

const tooMany = refusalAs<ServerRefusal>('proposals_too_many')

/** The size limit of a stored proposal's evidence, which is a short text for people. */
const evidenceBytesMax = 16 * 1024

/**
 * Reads what was submitted. Throws `proposal_malformed`, and `proposal_too_large` before it reads
 * evidence that only a file for a machine without network has a use for.
 */
async function parseSubmitted(submitted: Readonly<Record<string, unknown>>): Promise<Proposal> {
  const { chain: _chain, ...kept } = submitted
  const bytes = utf8Encode(JSON.stringify(kept['evidence'] ?? {})).length
  if (bytes > evidenceBytesMax) {
    throw new Refusal<ServerRefusal>(
      'proposal_too_large',
      `the evidence has ${bytes} bytes, more than ${evidenceBytesMax}`,
    )
  }
  return parseProposal(utf8Encode(JSON.stringify(kept)))
}

/** Throws `proposal_not_found`, `out_of_scope`. */
export async function findProposal(tx: ReadTx, actor: Actor, id: string): Promise<StoredProposal> {
  const stored = await openRow(await getProposal(tx, id))
  requireReachToRead(actor, stored.proposal)
  return stored
}

/** Exports a proposal as JSON, with the chain by which a machine without network verifies it. */
export function exportProposal(
  { proposal }: StoredProposal,
  state: TrustState | undefined,
): JsonObject {
  const whole = state === undefined ? proposal : withChain(proposal, state.roots, state.roles)
  return parseAnyJson(formatProposal(whole)) as JsonObject
}

/**
 * Adds signatures, each of which is verified before it counts. Throws what `mergeSignatures`
 * throws.
 */
export async function addSignatures(
  app: Pick<App, 'masterKey' | 'trust'>,
  tx: WriteTx,
  actor: Current,
  id: string,
  file: unknown,
): Promise<StoredProposal & { signedBy: string[] }> {
  const stored = await lockOpen(tx, actor, id)
  const parsed = parseSignatureFile(utf8Encode(JSON.stringify(file)))
  const current = currentOf(await loadTrustState(tx, app.masterKey, app.trust.state()))
  const proposal = await mergeSignatures(stored.proposal, parsed, current)
  const document = formatProposal(proposal)
  await setProposalDocument(tx, id, document)
  const signedBy = [...new Set(parsed.signatures.map((signature) => signature.keyid))]
  return { row: { ...stored.row, document }, proposal, signedBy }
}

export interface AppliedProposal extends StoredProposal {
  readonly files: readonly PreparedFile[]
}

/**
 * Publishes a complete proposal. Throws `proposal_incomplete`, `proposal_outdated`,
 * `proposal_refused`, `release_content_missing`, `online_keys_not_named`, `fleets_remain`; nothing
 * has changed then.
 */
export async function applyProposal(
  app: Deps,
  tx: WriteTx,
  actor: Current,
  id: string,
  ahead: PreparedAhead,
): Promise<AppliedProposal> {
  await lockPublication(tx)
  const stored = await lockOpen(tx, actor, id)
  const now = await tx.now()
  const state = await loadTrustState(tx, app.masterKey, app.trust.state())
  const current = currentOf(state)
  const isAsPrepared =
    isSameMetadata(current, ahead.current) && equalBytes(stored.row.document, ahead.document)
  // It is done under the lock only where somebody has published in the meantime.
  const files = isAsPrepared ? ahead.files : await prepareProposal(stored.proposal, current, now)
  await checkOnlineKeys(app, tx, stored.proposal)
  await checkContent(app, stored.proposal, current, { known: ahead.content })
  await requireNoFollowers(tx, stored.proposal.intent)
  if (state === undefined) await sealAnchor(app, tx, files, now)
  await publish(tx, app, state, { documents: files, actor: actor.id, now })
  await closeProposal(tx, id, { state: 'applied', at: now, reason: null })
  // From now on, open proposals for the same roles could only be refused.
  const published = files.map(({ role }) => role)
  const ended = listEndedRoles(stored.proposal.intent, state)
  await closeOvertaken(tx, [...published, ...ended], now)
  return { row: { ...stored.row, state: 'applied' }, proposal: stored.proposal, files }
}

/** Closes an open proposal for good. */
export async function rejectProposal(
  tx: WriteTx,
  actor: Current,
  id: string,
  reason: string,
  now: Date,
): Promise<StoredProposal> {
  const stored = await lockOpen(tx, actor, id)
  await closeProposal(tx, id, { state: 'rejected', at: now, reason })
  return { row: { ...stored.row, state: 'rejected' }, proposal: stored.proposal }
}

/**
 * Seals the hash of the first root, the anchor of everything, so that no database row can replace
 * it.
 */
async function sealAnchor(
  app: Pick<App, 'masterKey' | 'trust'>,
  tx: WriteTx,
  files: readonly PreparedFile[],
  now: Date,
): Promise<void> {
  const root = files.find((file) => file.role === 'root')
  invariant(root !== undefined, 'the first proposal brings the root')
  const sealed = app.masterKey.seal('trust-anchor', 1, sha256(root.bytes))
  await insertSecret(tx, { name: 'trust-anchor', version: 1, sealed, createdAt: now })
}

/**
 * Throws unless a proposed root names this server's keys; otherwise no snapshot or timestamp of
 * ours could follow it.
 */
async function checkOnlineKeys(
  app: Pick<App, 'masterKey' | 'trust'>,
  tx: ReadTx,
  proposal: Proposal,
): Promise<void> {
  const root = proposal.documents.find(({ role }) => role === 'root')?.signed
  if (root?._type !== 'root') return
  for (const role of onlineRoles) await requireOnlineSigner(tx, app.masterKey, role, root)
}

/** What was found before the transaction, so that nobody waits for it under the lock. */
export interface ReadAhead {
  /** The metadata on which every rule was checked. */
  readonly current: CurrentMetadata
  /** The claims about releases that were found to be true. */
  readonly content: ReadonlySet<string>
}

/** What was found in the same way for a proposal that is to be published. */
export interface PreparedAhead extends ReadAhead {
  /** The document that was verified, with its signatures. */
  readonly document: Uint8Array
  readonly files: readonly PreparedFile[]
}

/** Whether what proposals are checked against is the same, byte for byte. */
function isSameMetadata(one: CurrentMetadata, other: CurrentMetadata): boolean {
  if (one.roles.size !== other.roles.size) return false
  const pairs = [[one.root, other.root]]
  const roles = [...one.roles].map(([role, metadata]) => [metadata, other.roles.get(role)])
  return [...pairs, ...roles].every(([a, b]) =>
    a === undefined || b === undefined ? a === b : equalBytes(a.bytes, b.bytes),
  )
}

/**
 * Checks that the content of every newly listed release is whole in the store, and is what the
 * proposal claims.
 */
async function checkContent(
  app: Pick<App, 'contentChecks' | 'store'>,
  proposal: Proposal,
  current: CurrentMetadata,
  { known, leaving }: { known?: ReadonlySet<string>; leaving?: AbortSignal | undefined },
): Promise<ReadonlySet<string>> {
  const verified = new Set<string>()
  for (const { role, signed } of proposal.documents) {
    if (signed._type !== 'targets' || roleKindOf(role)?.kind !== 'channel') continue
    const listed = current.roles.get(role)?.signed.targets ?? {}
    for (const release of listReleases(signed).releases) {
      const isListed =
        Object.hasOwn(listed, release.path) &&
        listed[release.path]!.hashes['sha256'] === release.sha256
      if (isListed) continue
      const claims = JSON.stringify(release)
      if (known?.has(claims) !== true) await verifyClaims(app, release, leaving)
      verified.add(claims)
    }
  }
  return verified
}

/**
 * Checks a proposal and the content that it is about while nothing is locked, for `submitProposal`.
 */
export async function verifySubmitted(
  app: Deps,
  actor: Actor,
  submitted: Readonly<Record<string, unknown>>,
  leaving: AbortSignal | undefined,
): Promise<ReadAhead> {
  const proposal = await parseSubmitted(submitted)
  requireReachToChange(actor, proposal)
  const current = currentOf(await app.trust.freshState())
  await refuseProblems(proposal, current, await readClock(app.db.reader))
  return { current, content: await checkContent(app, proposal, current, { leaving }) }
}

/** Does the same, and verifies the signatures, for `applyProposal`. */
export async function verifyStored(
  app: Deps,
  actor: Actor,
  id: string,
  leaving: AbortSignal | undefined,
): Promise<PreparedAhead> {
  const { row, proposal } = await openRow(await getProposal(app.db.reader, id))
  requireReachToChange(actor, proposal)
  requireOpen(row)
  const current = currentOf(await app.trust.freshState())
  const files = await prepareProposal(proposal, current, await readClock(app.db.reader))
  const content = await checkContent(app, proposal, current, { leaving })
  return { current, content, document: row.document, files }
}

/** The product of a product's or channel's role; `undefined` for the top-level ones. */
function productOfRole(role: string): string | undefined {
  const kind = roleKindOf(role)
  return kind?.kind === 'channel' || kind?.kind === 'product' ? kind.product : undefined
}

/** A token for some products sees what concerns those products; the top-level roles concern all. */
export function requireReachToRead(actor: Actor, proposal: Proposal): void {
  for (const { role } of proposal.documents) {
    const product = productOfRole(role)
    if (product !== undefined) requireProduct(actor, product)
    else if (grantOf(actor).products !== null) requireUnscoped(actor, `${role} is of`)
  }
}

/**
 * What is published reaches every fleet of its product, and the top-level roles reach everything.
 */
function requireReachToChange(actor: Actor, proposal: Proposal): void {
  for (const { role } of proposal.documents) {
    const product = productOfRole(role)
    if (product === undefined) requireUnscoped(actor, `${role} is of`)
    else requireWholeProduct(actor, product)
  }
}

async function openRow(row: ProposalRow | undefined): Promise<StoredProposal> {
  if (row === undefined) {
    throw new Refusal<ServerRefusal>('proposal_not_found', 'there is no such proposal')
  }
  return { row, proposal: await readDocument(row) }
}

/** An open proposal that the actor may change, locked. */
async function lockOpen(tx: WriteTx, actor: Actor, id: string): Promise<StoredProposal> {
  const stored = await openRow(await lockProposal(tx, id))
  requireReachToChange(actor, stored.proposal)
  requireOpen(stored.row)
  return stored
}

export function readDocument(row: ProposalRow): Promise<Proposal> {
  return parseProposal(row.document)
}

function requireOpen(row: ProposalRow): void {
  if (row.state === 'open') return
  if (row.state === 'outdated') {
    throw new Refusal<ProposalRefusal>('proposal_outdated', 'newer metadata was published since')
  }
  throw new Refusal<ServerRefusal>('proposal_closed', `${row.id} is ${row.state} already`)
}
