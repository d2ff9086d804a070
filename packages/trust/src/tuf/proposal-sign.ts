/** Signs a proposal, gathers signatures, and decides that it may be published. */
import { Refusal, refusalAs } from '@seaworthy/std/refusal'
import { readForeignKey, isSignedBy } from '../keys/public-key.ts'
import type { Signer } from '../keys/signer.ts'
import { canonicalJson, isJsonObject, wireJson } from './json.ts'
import type { RootSigned, TargetsSigned, TufSignature } from './metadata.ts'
import { checkProposal } from './proposal-check.ts'
import type { ProposalProblem } from './proposal-check.ts'
import { malformedProposal, parseFile } from './proposal-file.ts'
import { ringAfter, sha256Hex, signedAfter } from './proposal.ts'
import type { CurrentMetadata, Proposal, ProposalDocument, ProposalRefusal } from './proposal.ts'
import { formatMetadata } from './repository.ts'
import { findSigners } from './threshold.ts'
import type { KeyRing } from './threshold.ts'

export const signaturesFormat = 'seaworthy-signatures-v1'

/** The file that a signing machine sends back. */
export interface SignatureFile {
  readonly format: typeof signaturesFormat
  /** Id of the proposal. */
  readonly proposal: string
  readonly signatures: readonly DocumentSignature[]
}

export interface DocumentSignature extends TufSignature {
  readonly role: string
  /** SHA-256 of what was signed: tells a signature for another version from a broken one. */
  readonly sha256: string
}

interface LabelledRing {
  readonly label: 'old keys' | 'new keys' | 'keys'
  readonly ring: KeyRing
}

/**
 * The key rings whose thresholds a document must meet: the old and the new root keys for a root,
 * otherwise one ring.
 */
function ringsOf(
  role: string,
  documents: readonly ProposalDocument[],
  current: CurrentMetadata,
): LabelledRing[] {
  if (role !== 'root') {
    const ring = ringAfter(role, documents, current)
    return ring ? [{ label: 'keys', ring }] : []
  }
  const before = current.root?.signed
  const after = signedAfter(documents, current).root
  const rings: LabelledRing[] = []
  if (before)
    rings.push({ label: 'old keys', ring: { keys: before.keys, role: before.roles.root } })
  if (after) rings.push({ label: 'new keys', ring: { keys: after.keys, role: after.roles.root } })
  return rings
}

/**
 * Signs every document of the proposal that the key may sign. Throws `proposal_outdated` or
 * `proposal_refused` when `checkProposal` finds anything, whatever anybody else says, and
 * `key_not_authorised` when the key speaks for none of the documents.
 */
export async function signProposal(
  proposal: Proposal,
  current: CurrentMetadata,
  signer: Signer,
  now: Date,
): Promise<SignatureFile> {
  await refuseProblems(proposal, current, now)
  const signatures: DocumentSignature[] = []
  for (const { role, signed } of proposal.documents) {
    const isAuthorised = ringsOf(role, proposal.documents, current).some(({ ring }) =>
      ring.role.keyids.includes(signer.keyId),
    )
    if (!isAuthorised) continue
    const bytes = canonicalJson(signed)
    signatures.push({
      role,
      sha256: await sha256Hex(bytes),
      keyid: signer.keyId,
      sig: await signer.sign(bytes),
    })
  }
  if (signatures.length === 0) {
    throw new Refusal<ProposalRefusal>(
      'key_not_authorised',
      `the key ${signer.keyId} speaks for none of the roles of this proposal`,
    )
  }
  return { format: signaturesFormat, proposal: proposal.id, signatures }
}

export function formatSignatureFile(file: SignatureFile): Uint8Array<ArrayBuffer> {
  return wireJson(file)
}

/** Reads a signature file of unknown origin. Throws `proposal_malformed`. */
export function parseSignatureFile(bytes: Uint8Array): SignatureFile {
  const json = parseFile(bytes)
  const { format, proposal, signatures } = json
  if (format !== signaturesFormat || typeof proposal !== 'string' || !Array.isArray(signatures)) {
    throw malformedProposal('not a file of signatures')
  }
  return {
    format: signaturesFormat,
    proposal,
    signatures: signatures.map((item) => {
      if (!isJsonObject(item)) throw malformedProposal('a signature')
      const { role, sha256, keyid, sig } = item
      if (
        typeof role !== 'string' ||
        typeof sha256 !== 'string' ||
        typeof keyid !== 'string' ||
        typeof sig !== 'string'
      ) {
        throw malformedProposal('a signature')
      }
      return { role, sha256, keyid, sig }
    }),
  }
}

/** What every signature of a document is compared with, worked out once for all of them. */
interface MergedDocument extends Omit<ProposalDocument, 'signatures'> {
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly sha256: string
  readonly rings: readonly KeyRing[]
  readonly signatures: Map<string, TufSignature>
}

/**
 * The proposal with the signatures of `file` added. Each must be valid and by a key that speaks for
 * its document, otherwise `signature_invalid` or `key_not_authorised`: a bad signature is named as
 * soon as it comes in.
 */
export async function mergeSignatures(
  proposal: Proposal,
  file: SignatureFile,
  current: CurrentMetadata,
): Promise<Proposal> {
  if (file.proposal !== proposal.id) {
    throw invalid(`the signatures are for proposal ${JSON.stringify(file.proposal)}`)
  }
  const merged = new Map<string, MergedDocument>()
  for (const document of proposal.documents) {
    const bytes = canonicalJson(document.signed)
    merged.set(document.role, {
      ...document,
      bytes,
      sha256: await sha256Hex(bytes),
      rings: ringsOf(document.role, proposal.documents, current).map(({ ring }) => ring),
      signatures: new Map(document.signatures.map((signature) => [signature.keyid, signature])),
    })
  }
  for (const { role, sha256, keyid, sig } of file.signatures) {
    const document = merged.get(role)
    if (!document) throw invalid(`the proposal does not change ${JSON.stringify(role)}`)
    const { bytes } = document
    if (sha256 !== document.sha256) {
      throw invalid(`${role}: another content was signed than the proposal has now`)
    }
    const ring = document.rings.find((candidate) => candidate.role.keyids.includes(keyid))
    const key = ring && Object.hasOwn(ring.keys, keyid) ? ring.keys[keyid] : undefined
    if (!key) {
      throw new Refusal<ProposalRefusal>(
        'key_not_authorised',
        `the key ${JSON.stringify(keyid)} does not speak for ${role}`,
      )
    }
    const verifying = await readForeignKey(key)
    if (!verifying || !(await isSignedBy(verifying, bytes, sig))) {
      throw invalid(`${role}: the signature by ${keyid} is not valid`)
    }
    document.signatures.set(keyid, { keyid, sig })
  }
  return {
    ...proposal,
    documents: [...merged.values()].map(({ role, signed, signatures }) => ({
      role,
      signed,
      signatures: [...signatures.values()].toSorted((a, b) => (a.keyid < b.keyid ? -1 : 1)),
    })),
  }
}

const invalid = refusalAs<ProposalRefusal>('signature_invalid')

export interface ThresholdProgress {
  readonly role: string
  readonly label: LabelledRing['label']
  readonly threshold: number
  /** All keys that may sign. */
  readonly keyids: readonly string[]
  /** The key ids whose valid signatures are there. */
  readonly signedBy: readonly string[]
  readonly isMet: boolean
}

/** Every threshold that the proposal has to meet, and how many signatures it has. */
export async function proposalProgress(
  proposal: Proposal,
  current: CurrentMetadata,
): Promise<ThresholdProgress[]> {
  const progress: ThresholdProgress[] = []
  for (const { role, signed, signatures } of proposal.documents) {
    const bytes = canonicalJson(signed)
    for (const { label, ring } of ringsOf(role, proposal.documents, current)) {
      const signedBy = await findSigners(ring, bytes, signatures)
      const { threshold, keyids } = ring.role
      progress.push({
        role,
        label,
        threshold,
        keyids,
        signedBy,
        isMet: threshold >= 1 && signedBy.length >= threshold,
      })
    }
  }
  return progress
}

/** Whether all thresholds are met. It may still be refused by `prepareProposal`. */
export async function isProposalComplete(
  proposal: Proposal,
  current: CurrentMetadata,
): Promise<boolean> {
  const progress = await proposalProgress(proposal, current)
  return proposal.documents.every(({ role }) => {
    const own = progress.filter((entry) => entry.role === role)
    return own.length > 0 && own.every(({ isMet }) => isMet)
  })
}

/** One file to publish. */
export interface PreparedFile {
  readonly role: string
  readonly version: number
  readonly signed: RootSigned | TargetsSigned
  readonly bytes: Uint8Array<ArrayBuffer>
}

/**
 * Verifies a proposal for publication, and returns the files in the order of the documents. Throws
 * `proposal_outdated` (rebase it), `proposal_refused` or `proposal_incomplete`. Signatures that do
 * not count are left out of the files.
 */
export async function prepareProposal(
  proposal: Proposal,
  current: CurrentMetadata,
  now: Date,
): Promise<PreparedFile[]> {
  await refuseProblems(proposal, current, now)
  if (!(await isProposalComplete(proposal, current))) {
    throw new Refusal<ProposalRefusal>('proposal_incomplete', 'signatures are missing')
  }
  const { documents } = await keepGenuineSignatures(proposal, current)
  return documents.map(({ role, signed, signatures }) => ({
    role,
    version: signed.version,
    signed,
    bytes: formatMetadata({ signed, signatures }),
  }))
}

/** The proposal without the signatures that do not count. */
export async function keepGenuineSignatures(
  proposal: Proposal,
  current: CurrentMetadata,
): Promise<Proposal> {
  const progress = await proposalProgress(proposal, current)
  return {
    ...proposal,
    documents: proposal.documents.map((document) => {
      const genuine = new Set(
        progress.filter(({ role }) => role === document.role).flatMap(({ signedBy }) => signedBy),
      )
      const signatures = document.signatures.filter(({ keyid }) => genuine.has(keyid))
      return { ...document, signatures }
    }),
  }
}

/** Throws `proposal_outdated` or `proposal_refused`. */
export async function refuseProblems(
  proposal: Proposal,
  current: CurrentMetadata,
  now: Date,
): Promise<void> {
  const problems = await checkProposal(proposal, current, now)
  if (problems.length === 0) return
  const isOutdated = problems.some(({ code }) => code === 'outdated')
  throw new Refusal<ProposalRefusal>(
    isOutdated ? 'proposal_outdated' : 'proposal_refused',
    problems.map(formatProblem).join('; '),
  )
}

export function formatProblem({ code, role, message }: ProposalProblem): string {
  return `${role}: ${message} (${code})`
}
