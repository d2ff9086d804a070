/** In which order and company integration tests run. A tidy test checks that each file named here exists. */

/**
 * Elapsed seconds of the files that take longest when nothing else runs (the report shows them). They start first, so that none
 * of them runs alone at the end. What is not named is taken to be short.
 */
export const longFiles: Readonly<Record<string, number>> = {
  'packages/agent/src/attacks.integration.test.ts': 77,
  'sim/src/whole/break-in.integration.test.ts': 70,
  'sim/src/power-cuts.integration.test.ts': 31,
}

/** They measure time, or load the machine so much that others would be measured: they run one by one when all others have ended. */
export const aloneFiles: readonly string[] = []

export const needsMachineAlone = (path: string): boolean => aloneFiles.includes(path)

export function orderByLength(paths: readonly string[]): string[] {
  return paths.toSorted((a, b) => (longFiles[b] ?? 0) - (longFiles[a] ?? 0))
}
