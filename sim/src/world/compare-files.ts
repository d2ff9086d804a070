/** Whether a release on a disk is whole: nothing missing, nothing changed, nothing besides. */
import type { FileList } from '@seaworthy/oci/bundle/file-list'
import { digestHex, digestOf } from '@seaworthy/oci/digests'
import type { FileView } from './disk.ts'

/**
 * The first difference between what lies there and what the release's file list says; `undefined`
 * when there is none.
 */
export function compareFiles(
  files: readonly FileView[],
  prefix: string,
  list: FileList,
): string | undefined {
  const found = new Map(files.map((file) => [file.path.slice(prefix.length), file]))
  for (const entry of list.entries) {
    if (entry.type !== 'file') continue
    const file = found.get(entry.path)
    found.delete(entry.path)
    if (file === undefined) return `${entry.path} is missing`
    if (file.bytes.length !== entry.size) return `${entry.path} has ${file.bytes.length} bytes`
    if (digestHex(digestOf(file.bytes)) !== entry.sha256) return `${entry.path} has other content`
    if (file.mode !== Number.parseInt(entry.mode, 8)) return `${entry.path} has another mode`
  }
  const [extra] = found.keys()
  return extra === undefined ? undefined : `${extra} is not in the release`
}
