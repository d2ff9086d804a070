/**
 * The exit codes, which are part of the contract with scripts. Which error ends in which is in
 * `failure.ts` and `ways-out.ts`.
 */
export const exitCodes = {
  done: 0,
  failed: 1,
  usage: 2,
  refused: 3,
  notAllowed: 4,
  notFound: 5,
  unreachable: 6,
} as const
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes]
export type ExitName = keyof typeof exitCodes
