/**
 * Reading an exported proposal without network: everything is verified from a root that the signer
 * knows.
 */
import { Refusal } from '@seaworthy/std/refusal'
import {
  noMetadata,
  parseProposal,
  proposalBytesMax,
  readClientState,
  verifyChain,
  wireJson,
} from '@seaworthy/trust/tuf'
import type {
  CurrentMetadata,
  KnownMetadata,
  Proposal,
  ProposalChain,
  ProposalRefusal,
  VerifiedChain,
} from '@seaworthy/trust/tuf'
import type { Context } from '../context.ts'
import { CliError } from '../failure.ts'
import { configFolder, chooseServer, readConfig, serverFolder } from '../state/servers.ts'
import { readBounded } from '../state/files.ts'
import { parseRootOption, readAnchor, rootDigestOf } from './anchor.ts'
import { trustStore, usingTrustState } from './state-store.ts'
import type { ShownContent } from './proposed-content.ts'
import { carriedContent, describeProposedFiles } from './proposed-content.ts'
import type { JudgedProposal } from './signing.ts'

export interface OfflineOptions {
  root?: string
  /** Folders with content that the file does not carry. */
  content?: string[]
  all?: boolean
}

/**
 * The proposal of a file, with the metadata that its chain proves from the anchor: `--root`, else
 * the root this program is anchored at. Nothing counts that is older than what this machine has
 * verified; where it has verified nothing of this repository, the chain may be old, and that is
 * said.
 */
export async function readOfflineProposal(
  context: Context,
  path: string,
  options: OfflineOptions,
): Promise<JudgedProposal & { content: ShownContent; roots: readonly string[] }> {
  const proposal = await readProposalFile(path)
  const current =
    proposal.chain === undefined
      ? requireFirst(context, proposal, options.root)
      : await verifyProposalChain(context, proposal.chain, options.root)
  const source = await carriedContent(context, proposal, options.content ?? [])
  const content = await describeProposedFiles(context, { proposal, current }, () => source, {
    all: options.all,
    mayMiss: true,
  })
  const roots = proposal.chain?.roots.map((root) => rootDigestOf(wireJson(root))) ?? []
  return { proposal, current, content, roots }
}

/**
 * What is typed in place of a proposal may be a file or a misspelt id: both errors say what is
 * accepted.
 */
async function readProposalFile(path: string): Promise<Proposal> {
  let bytes: Uint8Array
  try {
    bytes = await readBounded(path, proposalBytesMax)
  } catch (cause) {
    if (!(cause instanceof Error && 'code' in cause && cause.code === 'ENOENT')) throw cause
    throw new CliError('notFound', `${path} is neither the id of a proposal nor a file`, {
      wayOut:
        'See `seaworthy proposal list` for ids, or name the file that `seaworthy proposal export` has written.',
      cause,
    })
  }
  try {
    return await parseProposal(bytes)
  } catch (cause) {
    throw namingFile(path, cause)
  }
}

/** A refusal of a file's content that names the file. */
export function namingFile(path: string, error: unknown): unknown {
  if (!(error instanceof Refusal) || error.code !== 'proposal_malformed') return error
  return new Refusal<ProposalRefusal>('proposal_malformed', `${path}: ${error.message}`, {
    cause: error,
  })
}

/** Only the proposal that makes the first root has nothing that could vouch for it. */
function requireFirst(context: Context, proposal: Proposal, rootOption: string | undefined) {
  if (proposal.kind !== 'trust-init') {
    throw new CliError('refused', 'the file carries nothing that it could be checked with', {
      wayOut: 'Export it again with `seaworthy proposal export`.',
    })
  }
  if (rootOption !== undefined) {
    throw new CliError('refused', 'the file makes a first root: --root cannot vouch for it', {
      wayOut:
        'If you know a root already, this is a file of another repository. Without --root it is shown, for you to compare every key.',
    })
  }
  context.warn(
    context.paint.yellow(
      'WARNING: this makes the first root. Nothing vouches for it: compare every key id below with its holder.',
    ),
  )
  return noMetadata
}

async function verifyProposalChain(
  context: Context,
  chain: ProposalChain,
  rootOption: string | undefined,
): Promise<CurrentMetadata> {
  const { current, notes } = await verifyOffline(context, chain, { what: 'file', rootOption })
  for (const note of notes) context.warn(context.paint.yellow(note))
  return current
}

/**
 * Verifies a chain that somebody brought, without network: from the anchor, and held to whatever
 * this machine has verified of the same repository, with any server. The notes are for people.
 */
export async function verifyOffline(
  context: Context,
  chain: ProposalChain,
  { what, rootOption }: { what: 'file' | 'folder'; rootOption: string | undefined },
): Promise<{ anchor: Uint8Array; current: VerifiedChain; notes: string[] }> {
  const roots = chain.roots.map((root) => wireJson(root))
  const anchor = await findAnchorAmong(context, roots, rootOption)
  const current = await verifyChain(anchor, chain, await readKnown(context))
  const { root, roles, isKnown, newer } = current
  if (!isKnown) {
    const { version, expires } = root.signed
    const note = `Note: checked against what this ${what} brings only. Its newest root is version ${version}, valid until ${expires}: ask the holders of the root keys whether there is a newer one.`
    return { anchor, current, notes: [note] }
  }
  const versionOf = (role: string) => (role === 'root' ? root : roles.get(role)!).signed.version
  const named = newer.map((role) => `${role} ${versionOf(role)}`).join(', ')
  const note = `Note: this machine has verified newer metadata than the ${what} brings, and judges by that: ${named}`
  return { anchor, current, notes: newer.length === 0 ? [] : [note] }
}

/** What this machine has verified of each repository that it is anchored in. */
async function readKnown(context: Context): Promise<KnownMetadata[]> {
  const base = configFolder(context.ports, context.options.configDir)
  const { servers } = await readConfig(base)
  const known: KnownMetadata[] = []
  for (const [name, { rootDigest }] of Object.entries(servers)) {
    if (rootDigest === undefined) continue
    const folder = serverFolder(base, name)
    const read = () => readClientState(trustStore(folder, context))
    known.push((await usingTrustState(folder, read)).state)
  }
  return known
}

/**
 * The root that vouches for a file: the one of the roots in it that has the digest named, else the
 * one remembered here.
 */
async function findAnchorAmong(
  context: Context,
  roots: readonly Uint8Array[],
  rootOption: string | undefined,
): Promise<Uint8Array> {
  const digest = rootOption === undefined ? undefined : parseRootOption(rootOption)
  if (digest === undefined) return await readRememberedAnchor(context)
  const anchor = roots.find((bytes) => rootDigestOf(bytes) === digest)
  if (anchor !== undefined) return anchor
  throw new CliError('refused', `the root sha256:${digest} is not in what was given`, {
    wayOut: 'It is of another repository, or the digest is not the one you noted.',
  })
}

async function readRememberedAnchor(context: Context): Promise<Uint8Array> {
  const base = configFolder(context.ports, context.options.configDir)
  const config = await readConfig(base)
  const isPaired = context.options.server !== undefined || config.current !== undefined
  if (isPaired) {
    const { name, server } = chooseServer(config, context.options.server)
    const anchor = await readAnchor({ server, folder: serverFolder(base, name) })
    if (anchor !== undefined) return anchor.bytes
  }
  throw new CliError('usage', 'no root is known here that could vouch for the file', {
    wayOut: 'Give the digest you noted when the root was made: --root sha256:….',
  })
}
