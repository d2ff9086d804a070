/**
 * Checkpoints (C2SP tlog-checkpoint): what a log says about itself, signed, and what its witnesses
 * confirm.
 */
import { base64Decode, base64Encode } from '@seaworthy/std/bytes'
import { invariant } from '@seaworthy/std/refusal'
import { LogError } from './codes.ts'
import { hashLength } from './merkle.ts'
import { type NoteKey, type NoteSigner, signNote, verifyNote } from './note.ts'

/** A tree of a log: its identity, its number of leaves and their root. */
export interface TreeHead {
  readonly origin: string
  readonly size: number
  readonly root: Uint8Array
}

/** A witness's word that it saw this tree at that time, and no other tree of that size. */
export interface Cosignature {
  readonly name: string
  readonly signedAt: Date
}

/** A tree head that the log's key signed. */
export interface Checkpoint extends TreeHead {
  readonly cosignatures: readonly Cosignature[]
}

/**
 * The policy for which checkpoints count. The log may have several keys while one replaces another:
 * any of them is enough.
 */
export interface LogPolicy {
  readonly origin: string
  readonly logKeys: readonly NoteKey[]
  readonly witnesses: readonly NoteKey[]
  /** How many different witness keys must have cosigned; 0 asks for none. */
  readonly witnessesMin: number
}

/** The text of a checkpoint. It has no extension lines: nobody could audit them. */
export function formatTreeHead({ origin, size, root }: TreeHead): string {
  invariant(origin !== '' && !/[\n\r]/.test(origin), 'the origin is one line')
  invariant(Number.isSafeInteger(size) && size >= 0, 'the size is a whole number')
  invariant(root.length === hashLength, 'the root is a hash')
  return `${origin}\n${size}\n${base64Encode(root)}\n`
}

/** Throws `checkpoint_malformed`. Extension lines are allowed and mean nothing. */
export function parseTreeHead(text: string): TreeHead {
  const lines = text.split('\n')
  const [origin, size, root] = lines
  // A whole text ends in a newline, so the last piece is empty, and no other may be.
  if (lines.length < 4 || lines.pop() !== '' || lines.includes('')) {
    throw new LogError('checkpoint_malformed', 'a checkpoint has an origin, a size and a root')
  }
  if (!/^(?:0|[1-9]\d{0,15})$/.test(size!) || !Number.isSafeInteger(Number(size))) {
    throw new LogError('checkpoint_malformed', 'the size is no whole number up to 2^53 - 1')
  }
  return { origin: origin!, size: Number(size), root: parseRoot(root!) }
}

function parseRoot(text: string): Uint8Array {
  try {
    const root = base64Decode(text)
    if (root.length === hashLength) return root
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
  }
  throw new LogError('checkpoint_malformed', 'the root is no hash in base64')
}

/**
 * The checkpoint as a signed note. A log must never sign two that contradict each other: store the
 * tiles and the new size first, sign then, and publish last.
 */
export function signCheckpoint(head: TreeHead, signers: readonly NoteSigner[]): Promise<string> {
  return signNote(formatTreeHead(head), signers)
}

/**
 * The checkpoint, if it is one of the policy's log, signed by a log key and cosigned by enough
 * witnesses. Throws `note_malformed`, `checkpoint_signature`, `checkpoint_malformed`,
 * `checkpoint_origin`, `witness_quorum`.
 */
export async function verifyCheckpoint(note: Uint8Array, policy: LogPolicy): Promise<Checkpoint> {
  invariant(
    policy.logKeys.every((k) => k.type === 'ed25519') &&
      policy.witnesses.every((k) => k.type === 'cosignature'),
    'log keys sign and witness keys cosign',
  )
  const { text, signatures } = await verifyNote(note, [...policy.logKeys, ...policy.witnesses])
  if (!signatures.some((s) => policy.logKeys.includes(s.key))) {
    throw new LogError('checkpoint_signature', 'the log’s own key has not signed')
  }
  const head = parseTreeHead(text)
  if (head.origin !== policy.origin) {
    throw new LogError('checkpoint_origin', 'a checkpoint of another log')
  }
  const cosignatures = signatures.flatMap(({ key, signedAt }) =>
    signedAt ? [{ name: key.name, signedAt }] : [],
  )
  const witnessKeys = new Set(
    signatures.filter((s) => s.signedAt).map((s) => s.key.publicKey.toHex()),
  )
  if (witnessKeys.size < policy.witnessesMin) {
    throw new LogError(
      'witness_quorum',
      `${witnessKeys.size} of ${policy.witnessesMin} witnesses have cosigned`,
    )
  }
  return { ...head, cosignatures }
}
