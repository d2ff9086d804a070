/**
 * What is fuzzed: one parser, the good input it is fed with, and the errors by which it may say no.
 */
import { Refusal, TrustError } from '@seaworthy/std/refusal'

export interface FuzzTarget {
  /** The name `area/parser`, in the corpus and in the line that repeats a case. */
  readonly name: string
  /** The form of the seeds; those of `json` get faults in their structure, too. */
  readonly form: 'json' | 'bytes'
  /** Good input, at least one. */
  readonly seeds: readonly Uint8Array[]
  /** Cases of this target for each case of one of weight 1. */
  readonly weight: number
  /**
   * Feeds the parser. Returns for bytes that it took, throws a coded refusal or one of `refusals`
   * for bytes it did not; a property that does not hold of what it took is thrown as a plain
   * `Error`.
   */
  readonly run: (bytes: Uint8Array<ArrayBuffer>) => unknown
  /** Errors other than `Refusal` and `TrustError` that the parser declares. */
  readonly refusals?: readonly (abstract new (...args: never[]) => Error)[]
  /**
   * Puts faulty content into a wrapping that holds (checksum, signature), so that it gets behind
   * that.
   */
  readonly wrap?: (bytes: Uint8Array<ArrayBuffer>) => Promise<Uint8Array<ArrayBuffer>>
  /** Whether no mutation of a seed can be right, so that nothing is ever taken. */
  readonly isAlwaysRefused?: boolean
}

export type FuzzOutcome =
  | { readonly kind: 'accepted' }
  | { readonly kind: 'refused'; readonly code: string }
  | { readonly kind: 'fault'; readonly error: unknown }

/** Runs one case. What a refusal says may be shown to anyone, so it is bounded, too. */
export async function runCase(
  target: FuzzTarget,
  bytes: Uint8Array<ArrayBuffer>,
): Promise<FuzzOutcome> {
  try {
    const result = target.run(bytes)
    if (result instanceof Promise) await result
    return { kind: 'accepted' }
  } catch (error) {
    if (error instanceof Refusal || error instanceof TrustError) {
      const isCoded = /^[a-z][a-z0-9_]+$/.test(error.code)
      return isCoded ? { kind: 'refused', code: error.code } : { kind: 'fault', error }
    }
    if (error instanceof Error && target.refusals?.some((declared) => error instanceof declared)) {
      return { kind: 'refused', code: error.name }
    }
    return { kind: 'fault', error }
  }
}

/** Asserts a property of accepted input. Throws `Error`, which is a fault. */
export function holds(condition: unknown, what: string): asserts condition {
  if (!condition) throw new Error(`property broken: ${what}`)
}
