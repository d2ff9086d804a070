/** Names that somebody else chose, as files below a folder of ours. */
import { join } from 'node:path'
import { CliError, doNotTrust } from '../failure.ts'

/** A path below the folder, of names that each are one plain segment, whoever chose them. */
export function fileBelow(folder: string, ...names: string[]): string {
  for (const name of names) {
    const isPlain = name !== '' && name !== '.' && name !== '..' && !/[/\\\0]/.test(name)
    if (isPlain) continue
    throw new CliError('refused', `${JSON.stringify(name)} is no name for a file of an export`, {
      wayOut: doNotTrust,
    })
  }
  return join(folder, ...names)
}
