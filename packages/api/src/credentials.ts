/**
 * The form of credentials that are shown once (A3): `PREFIX_ID_SECRET`, so that scanners find the
 * ones that leak, and nothing but the secret is secret. The last eight digits are the CRC-32 of all
 * before them: a cut or mistyped one is told apart from a wrong one.
 */
import { z } from 'zod'
import { crc32, utf8Encode } from '@seaworthy/std/bytes'

/**
 * `token`: people and services; `provisioning`: keys of new devices; `device`: a device that speaks
 * another system's protocol; `gateway`: a gateway of such devices; `fleetlock`: FleetLock clients
 * of a fleet; `session`: the cookie of a session; `pairing`: a command line that waits for its
 * token.
 */
const prefixes = {
  token: 'sw',
  provisioning: 'swp',
  device: 'swd',
  gateway: 'swg',
  fleetlock: 'swf',
  session: 'sws',
  pairing: 'swc',
} as const
export type CredentialKind = keyof typeof prefixes

const kinds = Object.keys(prefixes) as CredentialKind[]
const kindsByPrefix = new Map<string, CredentialKind>(kinds.map((kind) => [prefixes[kind], kind]))
/** Credentials of earlier versions have no checksum. */
const form = /^(sw[a-z]?)_([0-9a-hjkmnp-tv-z]{26})_([0-9a-f]{64})([0-9a-f]{8})?$/
/** Text that looks like a credential, whether it is whole or not. */
const resembles = /^(?:sw[a-z]?)_[0-9a-z]{20,32}_[0-9a-zA-Z]*$/

const checksumOf = (text: string) => crc32(utf8Encode(text)).toString(16).padStart(8, '0')

/** The text of a credential for `id`, which begins with its kind; the secret is 64 hex digits. */
export function formatCredential(kind: CredentialKind, id: string, secret: string): string {
  const text = `${prefixes[kind]}_${id.slice(kind.length + 1)}_${secret}`
  return `${text}${checksumOf(text)}`
}

/** A credential in a reply: people paste it into a shell, so no other text is allowed. */
export const credentialField = z.string().regex(form, 'a credential')

export interface CredentialText {
  readonly kind: CredentialKind
  /** Id of what the credential is for, which is no secret. */
  readonly id: string
  readonly secret: string
}

/** Reads a credential. `damaged`: it looks like one, and is cut or mistyped. */
export function readCredential(text: string): CredentialText | 'damaged' | 'unknown' {
  const match = form.exec(text)
  const kind = kindsByPrefix.get(match?.[1] ?? '')
  if (match === null || kind === undefined) return resembles.test(text) ? 'damaged' : 'unknown'
  const [, , id, secret, checksum] = match
  if (checksum !== undefined && checksum !== checksumOf(text.slice(0, -8))) return 'damaged'
  return { kind, id: `${kind}_${id}`, secret: secret! }
}
