/** The commands that check an export, which are the same for every release. */
import { readFile } from 'node:fs/promises'

export function readVerifyExport(): Promise<string> {
  return readFile(new URL('verify-export.sh', import.meta.url), 'utf8')
}
