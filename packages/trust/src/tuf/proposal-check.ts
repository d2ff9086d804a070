/**
 * The check that every signer makes on its own, whatever the server says: a proposal against the
 * verified metadata it claims to replace. The repository runs the same check before it publishes.
 */
import { Refusal } from '@seaworthy/std/refusal'
import { parseInstant } from '@seaworthy/std/time'
import { isTrustError } from './codes.ts'
import { canonicalJson } from './json.ts'
import type { JsonObject } from './json.ts'
import { lintLayout } from './layout.ts'
import { lifetimes } from './lifetimes.ts'
import { lintSigned } from './lint.ts'
import type { TargetsSigned } from './metadata.ts'
import { roleKindOf } from './names.ts'
import type { RoleKind } from './names.ts'
import { buildProposal, highestCounter } from './proposal-build.ts'
import { ringAfter, sha256Hex, signedAfter } from './proposal.ts'
import type { CurrentMetadata, Proposal, ProposalDocument, ProposalIntent } from './proposal.ts'
import { channelMarks, parseRelease } from './release.ts'
import { findSigners } from './threshold.ts'
import type { KeyRing } from './threshold.ts'

export type ProblemCode =
  | 'outdated'
  /** The documents are not exactly what the stated intent gives on current metadata. */
  | 'intent_mismatch'
  | 'kind_mismatch'
  | 'version_step'
  | 'profile'
  | 'layout'
  | 'lifetime'
  | 'not_delegated'
  | 'role_missing'
  | 'role_not_resigned'
  | 'release_changed'
  | 'counter_not_increasing'
  | 'floor_lowered'
  | 'marks_lowered'

export interface ProposalProblem {
  readonly code: ProblemCode
  readonly role: string
  readonly message: string
}

/** Everything that is wrong with the proposal on `current`; empty when it may be signed. */
export async function checkProposal(
  proposal: Proposal,
  current: CurrentMetadata,
  now: Date,
): Promise<ProposalProblem[]> {
  const problems: ProposalProblem[] = []
  for (const document of proposal.documents) {
    const add = (code: ProblemCode, message: string) =>
      problems.push({ code, role: document.role, message })
    await checkBase(document, proposal, current, add)
    const kind = roleKindOf(document.role)?.kind
    if (!kind || !documentKinds[proposal.kind].includes(kind)) {
      add('kind_mismatch', `a proposal of kind ${proposal.kind} does not change ${document.role}`)
    }
    for (const { message } of await lintSigned(document.signed)) add('profile', message)
    checkLifetime(document, now, add)
    if (document.signed._type === 'targets') {
      for (const finding of lintLayout(document.role, document.signed)) {
        add('layout', finding.message)
      }
      if (!ringAfter(document.role, proposal.documents, current)) {
        add('not_delegated', `nobody delegates to ${document.role}`)
      }
      if (kind === 'channel') {
        checkReleases(document.role, document.signed, current, add)
        if (!isRestarted(document.role, proposal.intent)) {
          checkMarks(document.role, document.signed, current, add)
        }
      }
    }
    await checkDelegated(document, proposal, current, add)
  }
  if (!problems.some(({ code }) => code === 'outdated')) {
    for (const problem of await checkIntent(proposal, current)) problems.push(problem)
  }
  return problems
}

/**
 * Carries out the intent again and compares the result: nothing that title and intent do not say
 * can hide in the documents, however long they are.
 */
async function checkIntent(
  proposal: Proposal,
  current: CurrentMetadata,
): Promise<ProposalProblem[]> {
  const { id, intent, createdAt, kind, title } = proposal
  const problem = (role: string, message: string): ProposalProblem => ({
    code: 'intent_mismatch',
    role,
    message,
  })
  let expected: Proposal
  try {
    expected = await buildProposal(intent, current, { id, now: parseInstant(createdAt) })
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    return [problem('', error.message)]
  }
  if (kind !== expected.kind || title !== expected.title) {
    return [problem('', 'kind or title do not say what is intended')]
  }
  const roles = new Set([...proposal.documents, ...expected.documents].map(({ role }) => role))
  const contentOf = ({ documents }: Proposal, role: string) => {
    const document = documents.find((candidate) => candidate.role === role)
    return document && canonicalJson(document.signed).toHex()
  }
  return [...roles]
    .filter((role) => contentOf(proposal, role) !== contentOf(expected, role))
    .map((role) => problem(role, `it is not what "${expected.title}" asks for`))
}

type Add = (code: ProblemCode, message: string) => void

/**
 * A proposal that says "publish" and changes keys is refused before anybody reads the small print.
 */
const documentKinds: Record<ProposalIntent['kind'], readonly RoleKind['kind'][]> = {
  'trust-init': ['root', 'targets'],
  'product-create': ['targets', 'product'],
  'channel-create': ['product', 'channel'],
  'product-retire': ['targets'],
  'channel-retire': ['product'],
  publish: ['channel'],
  withdraw: ['channel'],
  rotate: ['root', 'targets', 'product', 'channel'],
  renew: ['root', 'targets', 'product', 'channel'],
}

async function checkBase(
  { role, signed }: ProposalDocument,
  { base }: Proposal,
  current: CurrentMetadata,
  add: Add,
): Promise<void> {
  const replaced = role === 'root' ? current.root : current.roles.get(role)
  const claimed = Object.hasOwn(base, role) ? base[role] : undefined
  if (!replaced) {
    if (claimed) add('outdated', `it replaces a version of ${role} that is not known here`)
    if (signed.version !== 1) add('version_step', `a new role starts with version 1`)
    return
  }
  const { version } = replaced.signed
  const digest = await sha256Hex(replaced.bytes)
  if (claimed?.version !== version || claimed.sha256 !== digest) {
    add('outdated', `it is not based on the current version ${version} of ${role}`)
  }
  if (signed.version !== version + 1) {
    add('version_step', `version ${signed.version} where ${version + 1} must follow`)
  }
  if (signed._type !== replaced.signed._type) add('profile', 'another type of role')
}

function checkLifetime({ role, signed }: ProposalDocument, now: Date, add: Add): void {
  const kind = roleKindOf(role)?.kind
  if (!kind) return
  const leftMs = parseInstant(signed.expires).getTime() - now.getTime()
  if (leftMs <= 0) add('lifetime', `it has expired at ${signed.expires}`)
  if (leftMs > lifetimes[kind].maxMs) {
    add(
      'lifetime',
      `it would be valid until ${signed.expires}, which is too long for a ${kind} role`,
    )
  }
}

/** Releases never change under their name; counters and floors only rise. */
function checkReleases(role: string, signed: TargetsSigned, current: CurrentMetadata, add: Add) {
  const kind = roleKindOf(role)
  if (kind?.kind !== 'channel') return
  const before = current.roles.get(role)?.signed
  const marksBefore = before ? channelMarks(before) : { counterHighest: 0, floorHighest: 0 }
  const highest = highestCounter(kind.product, current)
  for (const { name } of current.roles.get(kind.product)?.signed.delegations?.roles ?? []) {
    // A channel left out of the chain would hide its counters.
    if (!current.roles.has(name)) add('role_missing', `the counters of ${name} cannot be seen`)
  }
  for (const [path, target] of Object.entries(signed.targets)) {
    const old = before && Object.hasOwn(before.targets, path) ? before.targets[path] : undefined
    if (old) {
      if (canonicalJson(old).toHex() !== canonicalJson(target).toHex()) {
        add('release_changed', `${path} is published already with other content`)
      }
      continue
    }
    const release = readRelease(path, target)
    // A malformed one was reported with the layout.
    if (!release) continue
    if (release.counter <= highest) {
      add('counter_not_increasing', `${path} has counter ${release.counter} after ${highest}`)
    }
    if (release.floor < marksBefore.floorHighest) {
      add('floor_lowered', `${path} has floor ${release.floor} after ${marksBefore.floorHighest}`)
    }
  }
}

/** Whether the channel's owners restart its marks; `checkIntent` compares with what they state. */
function isRestarted(role: string, intent: ProposalIntent): boolean {
  return intent.kind === 'rotate' && intent.role === role && intent.restart !== undefined
}

function checkMarks(role: string, signed: TargetsSigned, current: CurrentMetadata, add: Add) {
  const before = current.roles.get(role)?.signed
  if (!before) return
  const [marksBefore, marks] = [channelMarks(before), channelMarks(signed)]
  if (
    marks.counterHighest < marksBefore.counterHighest ||
    marks.floorHighest < marksBefore.floorHighest
  ) {
    add('marks_lowered', `${role} forgets its highest counter or floor`)
  }
}

function readRelease(path: string, target: TargetsSigned['targets'][string]) {
  try {
    return parseRelease(path, target)
  } catch (error) {
    if (!isTrustError(error, 'release_malformed')) throw error
    return undefined
  }
}

/** Whether the documents leave keys and threshold of a role of the current root as they are. */
function hasSameRing(
  role: string,
  documents: readonly ProposalDocument[],
  current: CurrentMetadata,
): boolean {
  const [before, after] = [ringAfter(role, [], current), ringAfter(role, documents, current)]
  const describe = (ring: KeyRing) =>
    canonicalJson({
      threshold: ring.role.threshold,
      keys: ring.role.keyids.map((id) => ({ id, key: { ...ring.keys[id] } as JsonObject })),
    }).toHex()
  return before !== undefined && after !== undefined && describe(before) === describe(after)
}

/**
 * A role that gets other keys must still be signed well enough by them, or be signed anew in the
 * same proposal; a newly delegated role must come into being with it.
 */
async function checkDelegated(
  { role, signed }: ProposalDocument,
  { documents }: Proposal,
  current: CurrentMetadata,
  add: Add,
): Promise<void> {
  const children =
    signed._type === 'root'
      ? ['targets']
      : (signed.delegations?.roles ?? []).map((delegated) => delegated.name)
  const knownBefore = signedAfter([], current).role(role)?.delegations?.roles ?? []
  for (const child of children) {
    if (documents.some((document) => document.role === child)) continue
    const metadata = current.roles.get(child)
    if (!metadata) {
      // A signer who sees only the roots cannot look at it, and need not where nothing changes for
      // it.
      const isKnown =
        knownBefore.some((delegated) => delegated.name === child) ||
        (role === 'root' && hasSameRing(child, documents, current))
      if (!isKnown) add('role_missing', `${child} does not exist and is not in the proposal`)
      continue
    }
    const ring = ringAfter(child, documents, current)
    const { signedBytes, signatures } = metadata
    const signers = ring ? await findSigners(ring, signedBytes, signatures) : []
    if (!ring || signers.length < ring.role.threshold) {
      add('role_not_resigned', `${child} would no longer have the signatures it needs`)
    }
  }
}
