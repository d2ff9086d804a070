/** What went wrong, in a sentence for the person in front of the page, with the way out. */
import { MalformedReplyError } from '@seaworthy/api/client'
import { ProblemError } from '@seaworthy/api/problems'
import { TransportError } from '@seaworthy/std/http'
import { PasskeyError } from './passkeys.ts'

/** The person was asked to confirm and did not; nothing has changed. */
export class NotConfirmedError extends Error {
  override readonly name = 'NotConfirmedError'
}

export interface Explanation {
  /** How a page shows it: refusals for lack of a permission are a state of their own. */
  readonly kind: 'refused' | 'not_permitted' | 'signed_out' | 'unreachable' | 'fault'
  readonly title: string
  readonly sentence: string
  /** The stable code for programs and reports; absent for faults of the network. */
  readonly code: string | undefined
}

/** One sentence with a capital and a full stop, as the server's sentences are completed. */
export function completeSentence(text: string): string {
  const trimmed = text.trim()
  if (trimmed === '') return ''
  const begun = trimmed[0]!.toUpperCase() + trimmed.slice(1)
  return /[.!?…”]$/.test(begun) ? begun : `${begun}.`
}

export function explain(error: unknown): Explanation {
  if (error instanceof ProblemError) return explainProblem(error)
  if (error instanceof PasskeyError) {
    const { code, message } = error
    return { kind: 'refused', title: 'The passkey was not used', sentence: message, code }
  }
  if (error instanceof NotConfirmedError) {
    return {
      kind: 'refused',
      title: 'Nothing was changed',
      sentence: 'This needs a confirmation with your passkey. Try again when you have it at hand.',
      code: undefined,
    }
  }
  if (error instanceof TransportError) {
    return {
      kind: 'unreachable',
      title: 'The server cannot be reached',
      sentence: 'Check the network, and that “seaworthy up” runs; then try again.',
      code: undefined,
    }
  }
  if (error instanceof MalformedReplyError) {
    return {
      kind: 'fault',
      title: 'The answer was not understood',
      sentence:
        'Page and server seem to be of different versions. Reload the page; if that does not help, look into the server’s log.',
      code: undefined,
    }
  }
  return {
    kind: 'fault',
    title: 'The page failed',
    sentence: 'This is a fault of the page. Reload it, and report what you did if it comes back.',
    code: undefined,
  }
}

function explainProblem(error: ProblemError): Explanation {
  const { problem, status, code, retryAfterSeconds } = error
  const issues = (problem.issues ?? []).map(({ path, message }) => `${path}: ${message}`)
  const wait =
    retryAfterSeconds === undefined ? [] : [`Try again in ${describeSeconds(retryAfterSeconds)}`]
  const sentence = [problem.detail, ...issues, ...wait].map(completeSentence).join(' ')
  const kind =
    status === 401
      ? 'signed_out'
      : code === 'permission_denied' || code === 'out_of_scope'
        ? 'not_permitted'
        : status >= 500
          ? 'fault'
          : 'refused'
  return { kind, title: problem.title, sentence, code }
}

function describeSeconds(seconds: number): string {
  if (seconds < 90) return seconds === 1 ? '1 second' : `${seconds} seconds`
  return `${Math.ceil(seconds / 60)} minutes`
}
