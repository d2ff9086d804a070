/** Names of types that mean two things: whoever searches for one finds the other. */
import type { SourceFile } from './source-tree.ts'

/** Exported types of what ships that have one name, each with its files. */
export function findDoubledTypes(files: readonly SourceFile[]): string[] {
  const homes = new Map<string, Set<string>>()
  for (const { path, code, isTest } of files) {
    if (isTest) continue
    for (const [, name] of code.matchAll(
      /^export (?:interface|type|(?:abstract )?class) (\w+)/gm,
    )) {
      homes.set(name!, (homes.get(name!) ?? new Set()).add(path))
    }
  }
  return [...homes].flatMap(([name, paths]) =>
    paths.size > 1 ? [`${name}: ${[...paths].toSorted().join(', ')}`] : [],
  )
}
