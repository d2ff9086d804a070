/**
 * Showing a proposal, checking it against what was verified here, and signing it with the keys that
 * were named.
 */
import { hash } from 'node:crypto'
import type { Signer } from '@seaworthy/trust/keys'
import { Refusal } from '@seaworthy/std/refusal'
import type {
  CurrentMetadata,
  Proposal,
  ProposalRefusal,
  SignatureFile,
} from '@seaworthy/trust/tuf'
import {
  canonicalJson,
  checkProposal,
  describeProposal,
  formatProblem,
  mergeSignatures,
  proposalProgress,
  signProposal,
} from '@seaworthy/trust/tuf'
import type { Context } from '../context.ts'
import { CliError } from '../failure.ts'
import type { NamedKey, PassphraseSource } from '../keys/key-files.ts'
import { openSigner } from '../keys/key-files.ts'
import { formatCount } from '../output/format.ts'
import { configFolder } from '../state/servers.ts'
import type { RememberedDocument } from '../state/signed-documents.ts'
import { findRivals, readSignedDocuments, rememberSigned } from '../state/signed-documents.ts'
import type { ShownContent } from './proposed-content.ts'

/** A proposal, and the verified metadata it is judged by. */
export interface JudgedProposal {
  proposal: Proposal
  current: CurrentMetadata
}

/**
 * Prints what a person has to judge. It is always shown before signing; with `--json`, on the error
 * stream.
 */
export async function showProposalText(
  context: Context,
  { proposal, current }: JudgedProposal,
  { lines }: Pick<ShownContent, 'lines'>,
): Promise<void> {
  const write = context.options.json ? context.warn : context.say
  for (const line of await describeProposal(proposal, current)) write(line)
  if (lines.length > 0) write('')
  for (const line of lines) write(line)
}

/** Throws `proposal_outdated` or `proposal_refused` when our own checks find anything. */
export async function requireSound(
  context: Context,
  { proposal, current }: JudgedProposal,
): Promise<void> {
  const problems = await checkProposal(proposal, current, context.ports.clock.now())
  if (problems.length === 0) return
  const code = problems.some((problem) => problem.code === 'outdated')
    ? 'proposal_outdated'
    : 'proposal_refused'
  throw new Refusal<'proposal_outdated' | 'proposal_refused'>(
    code,
    problems.map(formatProblem).join('; '),
  )
}

/**
 * Refuses content that was not looked at, so that nobody signs it by habit: `--yes` does not accept
 * it.
 */
function requireChecked(unchecked: readonly string[], isAccepted: boolean | undefined): void {
  if (unchecked.length === 0 || isAccepted === true) return
  throw new CliError('refused', `NOT CHECKED: ${unchecked.join('; ')}`, {
    wayOut:
      'Bring the content along (--content DIR, the folder that `seaworthy proposal export … --content-dir DIR` writes), or say that you sign it all the same: --unchecked.',
  })
}

/**
 * What a long list left out is not passed over: the signer may look at it first, and the question
 * says if they did not. Where nobody is asked it is printed, so that the record of a signature
 * holds everything that was signed.
 */
async function offerLeftOut(
  context: Context,
  { leftOut }: Pick<ShownContent, 'leftOut'>,
): Promise<string> {
  const { lines, kinds } = leftOut
  if (lines.length === 0) return ''
  const write = context.options.json ? context.warn : context.say
  const count = formatCount(lines.length, 'entry', 'entries')
  const wantsAll = await context.ask(`${count} not shown: ${kinds.join('; ')}. Show them now?`)
  if (!wantsAll) return `, with ${count} of the file tree unseen`
  write('')
  write(`${count} that the list left out:`)
  for (const line of lines) write(`  ${line}`)
  write('')
  return ''
}

/**
 * Refuses a second content of a version that was signed here, and an older version: holders who
 * sign two of them let whoever serves metadata choose. `--yes` does not accept it.
 */
function requireFirstOfVersion(
  signed: readonly RememberedDocument[],
  documents: readonly RememberedDocument[],
): void {
  const [rival] = findRivals(signed, documents)
  if (rival === undefined) return
  const { role, version } = rival.document
  const { before } = rival
  const what =
    before.version === version
      ? `another content of ${role} ${version}`
      : `${role} ${before.version}, which is newer than the ${version} of this file,`
  throw new CliError('refused', `${what} was signed on this machine before`, {
    wayOut:
      'Ask who sent you the file what became of it, by telephone or in person. If it is given up for good, or this is what you want all the same: --second.',
  })
}

function baseFolder({ ports, options }: Context): string {
  return configFolder(ports, options.configDir)
}

/** What the signatures are over, as this machine remembers it. Nothing for a first root. */
function documentsOf({ documents }: Proposal, roots: readonly string[]): RememberedDocument[] {
  if (roots.length === 0) return []
  return documents.map(({ role, signed }) => {
    const sha256 = hash('sha256', canonicalJson(signed), 'hex')
    return { roots, role, version: signed.version, sha256 }
  })
}

export interface SignedProposal extends JudgedProposal {
  files: SignatureFile[]
}

/**
 * Signs with each key after one confirmation. A key that speaks for none of the roles is an error
 * when `isStrict`, and is passed over otherwise. Refuses what our own checks refuse, whatever the
 * server says.
 */
export async function signWithKeys(
  context: Context,
  judged: JudgedProposal,
  keys: readonly NamedKey[],
  options: {
    passphrases: PassphraseSource
    isStrict: boolean
    /** The view of the content that was shown. */
    content: ShownContent
    acceptUnchecked?: boolean | undefined
    /** SHA-256 of roots of the repository that it is for. */
    roots: readonly string[]
    /** What is signed is held to what was signed here before, unless that is accepted. */
    acceptSecond: boolean
  },
): Promise<SignedProposal> {
  const { current } = judged
  let { proposal } = judged
  await requireSound(context, judged)
  const authorised = await authorisedKeyIds(judged)
  const useful = keys.filter((key) => options.isStrict || authorised.has(key.keyId))
  const files: SignatureFile[] = []
  if (useful.length === 0) return { proposal, current, files }
  for (const key of useful) {
    if (!(await hasSigned(judged, key))) continue
    context.warn(`${key.path} has signed this proposal already: signing again changes nothing.`)
  }
  requireChecked(options.content.unchecked, options.acceptUnchecked)
  const documents = documentsOf(proposal, options.roots)
  const requireFirst = (before: readonly RememberedDocument[]) => {
    if (!options.acceptSecond) requireFirstOfVersion(before, documents)
  }
  // Nobody is asked to confirm what is refused afterwards.
  requireFirst(await readSignedDocuments(baseFolder(context)))
  const unseen = await offerLeftOut(context, options.content)
  await context.confirm(
    `Sign "${proposal.title}" with ${useful.map((key) => key.path).join(', ')}${unseen}?`,
  )
  const signers: Signer[] = []
  for (const key of useful) {
    if (!authorised.has(key.keyId)) {
      throw new Refusal<ProposalRefusal>(
        'key_not_authorised',
        `${key.path} (${key.keyId.slice(0, 12)}…) speaks for none of the roles of this proposal. These do: ${[...authorised].map((id) => id.slice(0, 12)).join(', ')}`,
      )
    }
    signers.push(await openSigner(key, options.passphrases))
  }
  // What was confirmed may no longer be the first: another command can have signed meanwhile.
  await rememberSigned(context.ports, baseFolder(context), documents, requireFirst)
  for (const signer of signers) {
    const file = await signProposal(proposal, current, signer, context.ports.clock.now())
    proposal = await mergeSignatures(proposal, file, current)
    files.push(file)
  }
  return { proposal, current, files }
}

/** Whether a key has signed every document for which it counts. */
async function hasSigned({ proposal, current }: JudgedProposal, key: NamedKey): Promise<boolean> {
  const asked = (await proposalProgress(proposal, current)).filter(({ keyids }) =>
    keyids.includes(key.keyId),
  )
  return asked.length > 0 && asked.every(({ signedBy }) => signedBy.includes(key.keyId))
}

async function authorisedKeyIds({ proposal, current }: JudgedProposal): Promise<Set<string>> {
  const progress = await proposalProgress(proposal, current)
  return new Set(progress.flatMap(({ keyids }) => keyids))
}

/** Describes who has yet to sign, and how they do it. It is empty when every threshold is met. */
export async function describeMissing({ proposal, current }: JudgedProposal): Promise<string[]> {
  const open = (await proposalProgress(proposal, current)).filter(({ isMet }) => !isMet)
  if (open.length === 0) return []
  const { id } = proposal
  return [
    `Proposal ${id} waits for signatures:`,
    ...open.map(({ role, label, threshold, signedBy, keyids }) => {
      const others = keyids.filter((keyId) => !signedBy.includes(keyId))
      return `  ${role} (${label}): ${threshold - signedBy.length} more of ${others.map((keyId) => keyId.slice(0, 12)).join(', ')}`
    }),
    'Each of these signers runs:',
    `  seaworthy proposal sign ${id} --key FILE`,
    'or, with keys on a machine without network:',
    `  seaworthy proposal export ${id} -o proposal.json`,
    `  seaworthy proposal sign proposal.json --key FILE -o signatures.json   (there)`,
    `  seaworthy proposal import signatures.json`,
  ]
}

/** The keys of several options as one list, each once; only those whose files can sign. */
export function signingKeys(...groups: readonly (readonly NamedKey[])[]): NamedKey[] {
  const byId = new Map<string, NamedKey>()
  for (const key of groups.flat()) if (key.canSign && !byId.has(key.keyId)) byId.set(key.keyId, key)
  return [...byId.values()]
}

/** Throws where a key of a command that must sign (`--sign-with`, `--key`) is a public one. */
export function requireSigning(keys: readonly NamedKey[]): void {
  for (const key of keys) {
    if (key.canSign) continue
    throw new CliError('usage', `${key.path} holds a public key; it cannot sign`, {
      wayOut: 'Name the key file that `seaworthy key create` made.',
    })
  }
}
