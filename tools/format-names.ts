/**
 * Names that other programs know: media types, annotations, the first words of what is signed and
 * stored, and the code of a device that waits. Each stands in one file, which exports it.
 */
import type { SourceFile } from './source-tree.ts'

/** A name between backticks is one that a sentence speaks of. */
const formatName =
  /(?<![`\w])(?:application\/vnd\.[\w.+-]+|(?:dev|io)\.seaworthy\.[\w.-]+|org\.opencontainers\.[\w.-]+|seaworthy-[a-z-]+-v\d+)|^waiting_for_restart$/g

/** A device says it and the server reads it; their packages share no code. */
const spokenByTwo = new Set(['waiting_for_restart'])

/**
 * Names that two files write out. Tests say what a name must be, and the fuzzer's seeds are bytes
 * that anybody might send.
 */
export function findDoubledNames(files: readonly SourceFile[]): string[] {
  const homes = new Map<string, Set<string>>()
  for (const { path, strings, workspace, isTest } of files) {
    if (isTest || path.startsWith('sim/src/fuzz/')) continue
    for (const [found] of strings.flatMap(({ text }) => [...text.matchAll(formatName)])) {
      const name = spokenByTwo.has(found) ? `${found} of ${workspace}` : found
      homes.set(name, (homes.get(name) ?? new Set()).add(path))
    }
  }
  return [...homes].flatMap(([name, paths]) =>
    paths.size > 1 ? [`${name}: ${[...paths].toSorted().join(', ')}`] : [],
  )
}
