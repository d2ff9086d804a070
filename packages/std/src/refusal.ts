/**
 * The two ways of saying no. `Refusal`: a rule does not allow it. `TrustError`: bytes are not
 * genuine. `message` of both may be shown to anyone; `cause` is only for the log.
 */

/**
 * A rule says no. Each module declares the closed union of its codes: `Refusal<RolloutRefusal>`.
 */
export class Refusal<Code extends string = string> extends Error {
  override readonly name = 'Refusal'
  readonly code: Code

  constructor(code: Code, publicMessage: string, options?: { cause?: unknown }) {
    super(publicMessage, options)
    this.code = code
  }
}

/** Bytes that are not genuine. Never caught in order to go on with the same bytes. */
export class TrustError<Code extends string = string> extends Error {
  override readonly name = 'TrustError'
  readonly code: Code

  constructor(code: Code, publicMessage: string, options?: { cause?: unknown }) {
    super(publicMessage, options)
    this.code = code
  }
}

/** A bug, not an input: throws `Error` when the condition does not hold. */
export function invariant(condition: unknown, what: string): asserts condition {
  if (!condition) throw new Error(`invariant broken: ${what}`)
}

/** The `default` of an exhaustive `switch`: it does not compile while a case is missing. */
export function unreachable(value: never): never {
  throw new Error(`unreachable: ${String(value)}`)
}
