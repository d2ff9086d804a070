/**
 * Signed notes (C2SP signed-note): text with signature lines under it, by Ed25519 keys and by
 * witnesses. Nothing of a note may be used before `verifyNote` has returned it.
 */
import {
  base64Decode,
  base64Encode,
  concatBytes,
  equalBytes,
  hexEncode,
  utf8Decode,
  utf8Encode,
} from '@seaworthy/std/bytes'
import { invariant } from '@seaworthy/std/refusal'
import { LogError } from './codes.ts'

/**
 * Signature type bytes: a plain Ed25519 signature, or a witness's cosignature that carries its
 * time.
 */
export type NoteKeyType = 'ed25519' | 'cosignature'

const typeBytes: Record<NoteKeyType, number> = { ed25519: 0x01, cosignature: 0x04 }

/** The key that may sign a note. Name and id together name the key. */
export interface NoteKey {
  readonly name: string
  /**
   * The first four bytes of a hash, as 8 hexadecimal digits: a name to look up a key by, not a
   * fingerprint.
   */
  readonly id: string
  readonly type: NoteKeyType
  /** 32 bytes. */
  readonly publicKey: Uint8Array
}

/**
 * Signs under one name. `sign` gets the message's bytes and gives 64 bytes back; the private key
 * stays behind it.
 */
export interface NoteSigner {
  readonly key: NoteKey
  sign(message: Uint8Array): Promise<Uint8Array>
}

/** A signature that was verified. `signedAt` is what a witness says, in whole seconds. */
export interface NoteSignature {
  readonly key: NoteKey
  readonly signedAt?: Date
}

export interface VerifiedNote {
  /** The signed text with its last newline, without the blank line and the signatures. */
  readonly text: string
  /** The verified signatures: at least one, of known keys only, each key once. */
  readonly signatures: readonly NoteSignature[]
}

export const noteBytesMax = 256 * 1024
const signaturesMax = 100
const signatureLinePattern = /^— (\S+) ([A-Za-z0-9+/]+={0,2})$/u
/** Key names are not empty and have neither spaces (of any script) nor plus signs. */
const namePattern = /^[^\s\p{White_Space}\p{Cc}+]+$/u

/** Builds a key from its parts. Throws `log_key_malformed` for a bad name or length. */
export async function createNoteKey(
  name: string,
  type: NoteKeyType,
  publicKey: Uint8Array,
): Promise<NoteKey> {
  if (!namePattern.test(name)) {
    throw new LogError('log_key_malformed', 'a key name has no spaces and no plus sign')
  }
  if (publicKey.length !== 32) {
    throw new LogError('log_key_malformed', 'an Ed25519 key has 32 bytes')
  }
  const named = concatBytes(utf8Encode(`${name}\n`), Uint8Array.of(typeBytes[type]), publicKey)
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', named))
  return { name, id: hexEncode(digest.subarray(0, 4)), type, publicKey }
}

/** The one-line text form that people compare and configure: `name+id+base64(type || key)`. */
export function formatNoteKey(key: NoteKey): string {
  const typed = concatBytes(Uint8Array.of(typeBytes[key.type]), key.publicKey)
  return `${key.name}+${key.id}+${base64Encode(typed)}`
}

/**
 * The inverse of `formatNoteKey`. Throws `log_key_malformed`, also when the id is not the key's.
 */
export async function parseNoteKey(text: string): Promise<NoteKey> {
  const match = /^([^+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/]+={0,2})$/.exec(text)
  if (!match) throw new LogError('log_key_malformed', 'not of the form name+id+key')
  const typed = decodeBase64(match[3]!)
  const type = (['ed25519', 'cosignature'] as const).find((t) => typeBytes[t] === typed?.[0])
  if (!typed || !type) throw new LogError('log_key_malformed', 'a key of an unknown kind')
  const key = await createNoteKey(match[1]!, type, typed.slice(1))
  if (key.id !== match[2]) throw new LogError('log_key_malformed', 'the id is not this key’s')
  return key
}

/**
 * Puts a signature line under the text for each signer. It is a bug to sign text that no reader
 * would accept.
 */
export async function signNote(text: string, signers: readonly NoteSigner[]): Promise<string> {
  invariant(isNoteText(text) && signers.length > 0, 'a note has text, a last newline and a signer')
  const lines: string[] = []
  for (const signer of signers) {
    invariant(signer.key.type === 'ed25519', 'a witness cosigns, it does not sign notes')
    lines.push(formatSignatureLine(signer.key, await signer.sign(utf8Encode(text))))
  }
  return `${text}\n${lines.join('')}`
}

/** A witness's line for a note whose text it has verified; the caller appends it to the note. */
export async function formatCosignature(
  text: string,
  signer: NoteSigner,
  now: Date,
): Promise<string> {
  invariant(signer.key.type === 'cosignature', 'the key is a witness key')
  const seconds = Math.floor(now.getTime() / 1000)
  const signature = await signer.sign(cosignedMessage(text, BigInt(seconds)))
  const time = new Uint8Array(8)
  new DataView(time.buffer).setBigUint64(0, BigInt(seconds))
  return formatSignatureLine(signer.key, concatBytes(time, signature))
}

/**
 * The text of a note that at least one of `keys` signed. Throws `note_malformed`, and
 * `checkpoint_signature` when a signature of a known key is wrong or there is none. Signatures of
 * unknown keys are passed over.
 */
export async function verifyNote(
  note: Uint8Array,
  keys: readonly NoteKey[],
): Promise<VerifiedNote> {
  const { text, signatures } = parseNote(note)
  const verified: NoteSignature[] = []
  for (const { name, id, bytes } of signatures) {
    const key = keys.find((k) => k.name === name && k.id === id)
    if (!key) continue
    const signature = await verifySignature(text, key, bytes)
    if (!verified.some((v) => v.key === key)) verified.push(signature)
  }
  if (verified.length === 0) {
    throw new LogError('checkpoint_signature', 'no known key has signed')
  }
  return { text, signatures: verified }
}

interface ParsedNote {
  text: string
  signatures: { name: string; id: string; bytes: Uint8Array }[]
}

function parseNote(note: Uint8Array): ParsedNote {
  if (note.length > noteBytesMax) {
    throw new LogError('note_malformed', `a note has at most ${noteBytesMax} bytes`)
  }
  const whole = decodeText(note)
  const textEnd = whole.lastIndexOf('\n\n')
  if (textEnd < 0 || !whole.endsWith('\n')) {
    throw new LogError('note_malformed', 'no blank line and signatures behind the text')
  }
  const text = whole.slice(0, textEnd + 1)
  if (!isNoteText(text)) throw new LogError('note_malformed', 'no text, or control characters')
  const lines = whole.slice(textEnd + 2, -1).split('\n')
  if (lines.length > signaturesMax) {
    throw new LogError('note_malformed', `a note has at most ${signaturesMax} signatures`)
  }
  const signatures = lines.map((line) => {
    const match = signatureLinePattern.exec(line)
    const bytes = match ? decodeBase64(match[2]!) : undefined
    if (!match || !bytes || bytes.length < 5 || !namePattern.test(match[1]!)) {
      throw new LogError('note_malformed', 'a signature line of the wrong form')
    }
    return { name: match[1]!, id: hexEncode(bytes.subarray(0, 4)), bytes: bytes.slice(4) }
  })
  return { text, signatures }
}

async function verifySignature(
  text: string,
  key: NoteKey,
  bytes: Uint8Array,
): Promise<NoteSignature> {
  const wrong = () => new LogError('checkpoint_signature', `the signature of ${key.name} is wrong`)
  if (key.type === 'ed25519') {
    if (!(await isEd25519(key.publicKey, bytes, utf8Encode(text)))) throw wrong()
    return { key }
  }
  if (bytes.length !== 8 + 64) throw wrong()
  const seconds = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0)
  // The last instant a `Date` can hold; the format's own limit, 2^63 - 1 seconds, is beyond it.
  if (seconds > 8_640_000_000_000n) throw wrong()
  const message = cosignedMessage(text, seconds)
  if (!(await isEd25519(key.publicKey, bytes.slice(8), message))) throw wrong()
  return { key, signedAt: new Date(Number(seconds) * 1000) }
}

function cosignedMessage(text: string, seconds: bigint): Uint8Array<ArrayBuffer> {
  return utf8Encode(`cosignature/v1\ntime ${seconds}\n${text}`)
}

async function isEd25519(
  publicKey: Uint8Array,
  signature: Uint8Array,
  message: Uint8Array<ArrayBuffer>,
): Promise<boolean> {
  if (signature.length !== 64) return false
  const raw = new Uint8Array(publicKey)
  const key = await crypto.subtle.importKey('raw', raw, 'Ed25519', false, ['verify'])
  return crypto.subtle.verify('Ed25519', key, new Uint8Array(signature), message)
}

function formatSignatureLine(key: NoteKey, signature: Uint8Array): string {
  const named = concatBytes(Uint8Array.fromHex(key.id), signature)
  return `— ${key.name} ${base64Encode(named)}\n`
}

/**
 * Whether the text ends in a newline, is more than that, and has no other control characters; those
 * above ASCII are allowed.
 */
function isNoteText(text: string): boolean {
  if (text.length < 2 || !text.endsWith('\n') || !text.isWellFormed()) return false
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit < 0x20 && unit !== 0x0a) return false
  }
  return true
}

function decodeText(bytes: Uint8Array): string {
  try {
    return utf8Decode(bytes)
  } catch (cause) {
    throw new LogError('note_malformed', 'not UTF-8', { cause })
  }
}

/** The bytes, or `undefined` unless the text is their one canonical form. */
function decodeBase64(text: string): Uint8Array | undefined {
  try {
    const bytes = base64Decode(text)
    return equalBytes(utf8Encode(base64Encode(bytes)), utf8Encode(text)) ? bytes : undefined
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}
