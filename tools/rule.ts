/** What a house rule is, and the parts that most of them are made of. */
import type { SourceFile } from './source-tree.ts'

export interface Rule {
  readonly name: string
  readonly appliesTo: (file: SourceFile) => boolean
  readonly check: (file: SourceFile) => { line: number; text: string }[]
  /** Path and text of files that break the rule: each must be found. */
  readonly caught: readonly (readonly [path: string, source: string])[]
  /** Files that come close and are right. */
  readonly passes: readonly (readonly [path: string, source: string])[]
  /** What the rule is made of, where it is several patterns: each must be found in `caught`. */
  readonly bans?: readonly Ban[]
}

/** A pattern of code that is not wanted, and what takes its place. */
interface Ban {
  readonly pattern: RegExp
  readonly instead: string
}

/** Every match in the code (not in strings or comments), with its line. */
export function findPattern(
  file: SourceFile,
  pattern: RegExp,
  describe: (match: string) => string,
): { line: number; text: string }[] {
  return [...file.code.matchAll(pattern)].map((match) => ({
    line: file.code.slice(0, match.index).split('\n').length,
    text: describe(match[0].trim()),
  }))
}

export const inPackages = (file: SourceFile): boolean => file.path.startsWith('packages/')

/** Shipped code, which must be handed its time, chance and network. */
export const isPure = (file: SourceFile): boolean =>
  (inPackages(file) || file.path.startsWith('sim/')) &&
  file.workspace !== 'std' &&
  !file.isTest &&
  !file.isMain

/** A rule that finds patterns in code and names what takes their place. */
export function banCalls(
  name: string,
  bans: readonly Ban[],
  examples: Pick<Rule, 'caught' | 'passes'>,
  appliesTo = isPure,
): Rule {
  return {
    name,
    appliesTo,
    bans,
    check: (file) =>
      bans.flatMap(({ pattern, instead }) =>
        findPattern(file, pattern, (match) => `${match}: ${instead}`),
      ),
    ...examples,
  }
}

/** A file of shipped code, as an example. */
export const at = (source: string): readonly [string, string] => ['packages/agent/src/a.ts', source]
