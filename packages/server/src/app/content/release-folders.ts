/** Folders of a release, out of the list of its files. */
import type { ReleaseEntryView } from '@seaworthy/api/release-contents'
import type { FileEntry } from '@seaworthy/oci/bundle/file-list'

export const listedMax = 1000

export interface Listed {
  readonly entries: ReleaseEntryView[]
  readonly entriesCount: number
}

/** The entries right below the folder; a folder stands for everything below it. */
export function pickFolder(all: readonly FileEntry[], folder: string): Listed {
  const prefix = folder === '' ? '' : `${folder}/`
  const found = new Map<string, { -readonly [K in keyof ReleaseEntryView]: ReleaseEntryView[K] }>()
  for (const entry of all) {
    if (!entry.path.startsWith(prefix)) continue
    const [name = '', ...rest] = entry.path.slice(prefix.length).split('/')
    if (name === '') continue
    const isBelow = rest.length > 0
    const bytes = entry.type === 'file' ? entry.size : 0
    const known = found.get(name)
    if (known !== undefined) {
      known.bytes += bytes
      known.filesCount += entry.type === 'directory' ? 0 : 1
      continue
    }
    found.set(name, {
      ...{ name, bytes, type: isBelow ? 'directory' : entry.type },
      filesCount: isBelow && entry.type !== 'directory' ? 1 : 0,
      isExecutable: !isBelow && entry.type === 'file' && entry.mode === '0755',
      target: !isBelow && entry.type === 'symlink' ? entry.target : null,
      digest: !isBelow && entry.type === 'file' ? entry.sha256 : null,
    })
  }
  const entries = [...found.values()]
  return { entries: entries.slice(0, listedMax), entriesCount: entries.length }
}
