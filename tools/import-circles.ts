/** Files that import each other in a circle, imports of types included. */
import { posix } from 'node:path'
import type { SourceFile } from './source-tree.ts'

/** Each circle as the paths on it, from the first in the alphabet. Only relative imports can close one: packages have an order. */
export function findCircles(files: readonly Pick<SourceFile, 'path' | 'imports'>[]): string[][] {
  const importsOf = new Map(
    files.map(({ path, imports }) => [
      path,
      imports.map(({ specifier }) => posix.join(posix.dirname(path), specifier)),
    ]),
  )
  const circles = new Map<string, string[]>()
  const done = new Set<string>()
  const way: string[] = []
  const visit = (path: string) => {
    const at = way.indexOf(path)
    if (at !== -1) {
      const circle = way.slice(at)
      const first = circle.indexOf(circle.toSorted()[0]!)
      const fromFirst = [...circle.slice(first), ...circle.slice(0, first)]
      circles.set(fromFirst.join(), fromFirst)
    }
    if (at !== -1 || done.has(path)) return
    way.push(path)
    for (const next of importsOf.get(path) ?? []) visit(next)
    way.pop()
    done.add(path)
  }
  for (const path of importsOf.keys()) visit(path)
  return [...circles.values()]
}
