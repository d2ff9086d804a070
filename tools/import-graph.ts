/**
 * What follows from all imports together, those of types included: circles, and what a file
 * reaches.
 */
import { posix } from 'node:path'
import type { SourceFile } from './source-tree.ts'

type Importing = Pick<SourceFile, 'path' | 'imports'>

/** The paths that each file imports, by the file's path; names of packages stay as they are. */
const mapImports = (files: readonly Importing[]) =>
  new Map(
    files.map(({ path, imports }) => [
      path,
      imports.map(({ specifier }) =>
        specifier.startsWith('.') ? posix.join(posix.dirname(path), specifier) : specifier,
      ),
    ]),
  )

/**
 * Each circle as the paths on it, from the first in the alphabet. Only relative imports can close
 * one: packages have an order.
 */
export function findCircles(files: readonly Importing[]): string[][] {
  const importsOf = mapImports(files)
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

/**
 * Paths and names of packages that the files below `folder` reach, in the order of the alphabet,
 * their own left out.
 */
export function listReached(files: readonly Importing[], folder: string): string[] {
  const importsOf = mapImports(files)
  const reached = new Set([...importsOf.keys()].filter((path) => path.startsWith(folder)))
  for (const path of reached) for (const next of importsOf.get(path) ?? []) reached.add(next)
  return [...reached].filter((path) => !path.startsWith(folder)).toSorted()
}
