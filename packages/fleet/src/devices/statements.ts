/**
 * Which statements of a device count. A device signs what is new about it, and repeats that
 * unsigned while nothing changes; what it says without its signature is the word of its fetcher, or
 * of whoever has its token. So an unsigned report may repeat what was signed, and add what does no
 * harm: times, progress, which boot it is, which agent. Pure; no signature is verified here.
 */

import { isNewer } from '../releases/order.ts'
import { isEnd } from '../rollouts/update-ends.ts'

declare const signedBrand: unique symbol

/**
 * The sequence number of the signed statement that said how an update ended. A failure without one
 * does not count, and nothing but the functions of this file makes one.
 */
export type SignedSequence = number & { readonly [signedBrand]: true }

/** What is compared of a report. */
export interface Statement {
  readonly sequence: number
  readonly running: {
    readonly product: string
    readonly version: string
    readonly sha256: string
    readonly counter: number
  } | null
  readonly committedCounter: number
  readonly floor: number
  readonly update: {
    readonly state: string
    readonly targetPath?: string | undefined
    readonly sha256?: string | undefined
    readonly code?: string | undefined
  }
  readonly refusals: readonly {
    readonly code: string
    readonly at: string
    readonly subject?: string | undefined
  }[]
  readonly platform: string
}

export type Judgement =
  | {
      readonly kind: 'accepted'
      /** The statement that said how the update ended, where the report tells of an end. */
      readonly saidSequence: SignedSequence
    }
  /** The report says what the device has not signed. */
  | { readonly kind: 'signature_missing' }
  /** The report was signed before another one that is stored: an old one, shown again. */
  | { readonly kind: 'overtaken' }

/** How many of the newest signed statements an unsigned report may repeat the outcome of. */
export const repeatableMax = 32

/** Judges a report whose signature is good. `newest` is the highest sequence that is stored. */
export function judgeSigned(sequence: number, newest: number | null): Judgement {
  if (newest !== null && sequence < newest) return { kind: 'overtaken' }
  return { kind: 'accepted', saidSequence: asSignedSequence(sequence) }
}

/**
 * Judges a report without signature by the newest signed statements, the newest first. A device
 * that starts again in the middle of an attempt tells of the update before, which an older one of
 * them said: it is not asked to sign that anew, because that would look like the end of this
 * attempt.
 */
export function judgeUnsigned(report: Statement, signed: readonly Statement[]): Judgement {
  const newest = signed[0] ?? unsaid(report)
  if (!repeats(report, newest)) return { kind: 'signature_missing' }
  if (isHarmless(report))
    return { kind: 'accepted', saidSequence: asSignedSequence(report.sequence) }
  const said = signed.slice(0, repeatableMax).find((one) => isSameUpdate(one.update, report.update))
  if (said === undefined) return { kind: 'signature_missing' }
  return { kind: 'accepted', saidSequence: asSignedSequence(said.sequence) }
}

/** Whether statements before the newest one have to be read to judge the report. */
export function needsOlder(report: Statement, newest: Statement | undefined): boolean {
  return (
    newest !== undefined &&
    repeats(report, newest) &&
    !isHarmless(report) &&
    !isSameUpdate(newest.update, report.update)
  )
}

/**
 * Takes a sequence number as that of a signed statement: of a report that was judged before, or of
 * a device of another protocol, which has no key and is known by its secret alone.
 */
export function asSignedSequence(sequence: number): SignedSequence {
  return sequence as SignedSequence
}

/** What counts as said by a device that has never signed anything. */
function unsaid({ platform }: Statement): Statement {
  return {
    sequence: 0,
    running: null,
    committedCounter: 0,
    floor: 0,
    update: { state: 'idle' },
    refusals: [],
    platform,
  }
}

/** It must have the same number too: an offer made on the report must not look older than it is. */
function repeats(report: Statement, newest: Statement): boolean {
  return (
    report.sequence === newest.sequence &&
    isSameRelease(report.running, newest.running) &&
    report.committedCounter === newest.committedCounter &&
    report.floor === newest.floor &&
    report.platform === newest.platform &&
    report.refusals.every((one) =>
      newest.refusals.some(
        ({ code, at, subject }) => one.code === code && one.at === at && one.subject === subject,
      ),
    )
  )
}

/**
 * A device at work may say how far it is. An end, a code (a device that waits for permission to
 * restart gets time and a slot for it), and each word about a release that runs before it was
 * committed decide something.
 */
function isHarmless({ update, running, committedCounter }: Statement): boolean {
  const isOnTrial = running !== null && isNewer(running, { counter: committedCounter })
  return !isEnd(update.state) && update.code === undefined && !isOnTrial
}

function isSameRelease(a: Statement['running'], b: Statement['running']): boolean {
  if (a === null || b === null) return a === b
  return (
    a.product === b.product &&
    a.version === b.version &&
    a.sha256 === b.sha256 &&
    a.counter === b.counter
  )
}

function isSameUpdate(a: Statement['update'], b: Statement['update']): boolean {
  return (
    a.state === b.state &&
    a.targetPath === b.targetPath &&
    a.sha256 === b.sha256 &&
    a.code === b.code
  )
}
