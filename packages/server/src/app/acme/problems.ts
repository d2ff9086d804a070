/** The refusals of an ACME authority, as sentences that name the cause and the way out. */
import { quoted } from '@seaworthy/std/printable'
import { secondMs } from '@seaworthy/std/time'
import type { ChallengeKind } from '../../config/config.ts'

export class AcmeError extends Error {
  override readonly name = 'AcmeError'
  /** How long the authority wants to be left alone. */
  readonly retryAfterMs: number | undefined
  /** Whether the authority does not want the account any more. */
  readonly isAccountRefused: boolean

  constructor(
    message: string,
    options: {
      cause?: unknown
      retryAfterMs?: number | undefined
      isAccountRefused?: boolean
    } = {},
  ) {
    super(message, options)
    this.retryAfterMs = options.retryAfterMs
    this.isAccountRefused = options.isAccountRefused === true
  }
}

const prefix = 'urn:ietf:params:acme:error:'

const elsewhere = (who: string, { port }: Door) =>
  `the authority found something else than this server’s proof on port ${port} of ${who}: let the name, and port ${port}, lead to this server alone`

/** Where the authority looks for the proof. */
interface Door {
  readonly port: 80 | 443
  readonly option: '--http-listen' | '--listen'
}

/** `who` is the name of the server that it is about, or the order as a whole. */
const sentences: Readonly<Record<string, (who: string, door: Door) => string>> = {
  connection: (who, { port, option }) =>
    `the authority could not reach ${who} on port ${port}: let the name lead to this server, and let port ${port} through to ${option}`,
  dns: (who) => `the authority found no address for ${who}: make its record in the DNS`,
  unauthorized: elsewhere,
  incorrectResponse: elsewhere,
  tls: elsewhere,
  caa: (who) =>
    `a CAA record forbids the authority to issue for ${who}: add one for this authority, or choose another authority`,
  rateLimited: () =>
    'the authority has a limit for how many certificates it makes or how often it is asked, and it is reached: it is asked again when it allows',
  rejectedIdentifier: (who) =>
    `the authority makes no certificate for ${who}: take it out with \`seaworthy server name remove\`, or choose another authority`,
  externalAccountRequired: () =>
    'the authority wants an account that was made with it before (external account binding): give what it has shown there with --acme-binding-id and --acme-binding-key',
  userActionRequired: () =>
    'the authority has changed its terms, and wants a person to agree: read them on its pages',
  badCSR: () => 'the authority does not take the key or the names of the request',
}

/** The error for a problem document (RFC 7807) of the authority, which is foreign text. */
export function explainProblem(
  problem: Readonly<Record<string, unknown>>,
  about: {
    name?: string | undefined
    kind?: ChallengeKind
    retryAfterMs?: number | undefined
    status?: number
    /** Whether the question was about the account. */
    isAccount?: boolean
  },
): AcmeError {
  const { name, kind, retryAfterMs, status, isAccount } = about
  const door: Door =
    kind === 'tls-alpn-01'
      ? { port: 443, option: '--listen' }
      : { port: 80, option: '--http-listen' }
  const { type, detail } = innermost(problem)
  const code = typeof type === 'string' && type.startsWith(prefix) ? type.slice(prefix.length) : ''
  const isAccountRefused =
    isAccount === true && ['unauthorized', 'accountDoesNotExist'].includes(code)
  const sentence = isAccountRefused
    ? 'the authority refuses the account of this server: the next order makes another one'
    : Object.hasOwn(sentences, code) && sentences[code] !== undefined
      ? sentences[code](name ?? nameIn(problem) ?? 'one of the names', door)
      : `the authority refused${status === undefined ? '' : ` (status ${status})`}`
  const said = typeof detail === 'string' && detail !== '' ? `. It said: ${quoted(detail)}` : ''
  return new AcmeError(`${sentence}${said}`, {
    ...{ retryAfterMs: boundWait(retryAfterMs), isAccountRefused },
  })
}

/** A problem of several names holds one for each. */
function innermost(problem: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  if (problem['type'] !== `${prefix}compound`) return problem
  const [first] = Array.isArray(problem['subproblems']) ? (problem['subproblems'] as unknown[]) : []
  return typeof first === 'object' && first !== null ? { ...first } : problem
}

function nameIn(problem: Readonly<Record<string, unknown>>): string | undefined {
  const all = Array.isArray(problem['subproblems']) ? (problem['subproblems'] as unknown[]) : []
  for (const one of all) {
    if (typeof one !== 'object' || one === null || !('identifier' in one)) continue
    const { identifier } = one
    if (typeof identifier !== 'object' || identifier === null || !('value' in identifier)) continue
    if (typeof identifier.value === 'string' && /^[a-z0-9.-]{1,253}$/.test(identifier.value)) {
      return identifier.value
    }
  }
  return undefined
}

const waitMaxMs = 7 * 24 * 3600 * secondMs

function boundWait(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : Math.min(ms, waitMaxMs)
}
