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

/**
 * Always throws. Code after a call is unreachable to the compiler where the constant is declared
 * with this type.
 */
export type Refuse = (what: string, cause?: unknown) => never
export type RefuseBy<Code extends string> = (code: Code, what: string, cause?: unknown) => never

/** A module that refuses in many places has `const refuse: RefuseBy<TarRefusal> = throwRefusal`. */
export function throwRefusal(code: string, what: string, cause?: unknown): never {
  throw refusalAs<string>(code)(what, cause)
}

/** `throwRefusal` for a module that has one code. */
export function refuseAs<Code extends string>(code: Code, prefix = ''): Refuse {
  return (what, cause) => throwRefusal(code, `${prefix}${what}`, cause)
}

/** The refusals of one code, for a caller that throws them itself. */
export function refusalAs<Code extends string>(code: Code, prefix = '') {
  return (what: string, cause?: unknown): Refusal<Code> =>
    new Refusal<Code>(code, `${prefix}${what}`, cause === undefined ? undefined : { cause })
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

/** The trust errors of one union: `export const keyError = trustErrorsOf<KeyCode>()`. */
export function trustErrorsOf<Code extends string>() {
  return (code: Code, publicMessage: string, options?: { cause?: unknown }): TrustError<Code> =>
    new TrustError<Code>(code, publicMessage, options)
}

/** A bug, not an input: throws `Error` when the condition does not hold. */
export function invariant(condition: unknown, what: string): asserts condition {
  if (!condition) throw new Error(`invariant broken: ${what}`)
}

/** The `default` of an exhaustive `switch`: it does not compile while a case is missing. */
export function unreachable(value: never): never {
  throw new Error(`unreachable: ${String(value)}`)
}
