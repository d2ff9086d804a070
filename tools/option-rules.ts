/** Options of `seaworthy up` that the documentation names, and whether they exist. */
import { upOptions } from '../packages/api/src/up-options.ts'

/** Options named in `seaworthy up …` commands of a document that the command does not have. */
export function findUnknownUpOptions(text: string): string[] {
  const known = new Set<string>([...upOptions.map(({ name }) => name), 'help', 'json', 'verbose'])
  return [...text.matchAll(/\bseaworthy up\b([^\n`|;&]*)/g)].flatMap(([, rest]) =>
    [...rest!.matchAll(/--([a-z][a-z-]*)/g)].map(([, name]) => name!).filter((n) => !known.has(n)),
  )
}
