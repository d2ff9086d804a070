/** The lifetime of something that a test uses: one test, or all of a file. */
import { after } from 'node:test'

/** The lifetime that endings are registered with; a test's own context is one. */
export interface Scope {
  after(end: () => Promise<void>): void
}

/**
 * Opens a scope for a whole file, and is called at the top of it. What is made in the scope ends
 * after the last test, the last thing first.
 */
export function openFileScope(): Scope {
  const endings: (() => Promise<void>)[] = []
  after(async () => {
    for (const end of endings.toReversed()) await end()
  })
  return { after: (end) => void endings.push(end) }
}
