/** The tree of files and folders on a disk, and what of it is durable. */
import { joinBytes } from '@seaworthy/std/bytes'

export interface FileNode {
  readonly kind: 'file'
  chunks: readonly Uint8Array[]
  size: number
  durableSize: number
  mode: number
  durableMode: number
}

export interface FolderNode {
  readonly kind: 'folder'
  entries: Map<string, Node>
  durable: Map<string, Node>
}

interface LinkNode {
  readonly kind: 'symlink'
  readonly target: string
}

export type Node = FileNode | FolderNode | LinkNode

/** A change of names that has happened, but may be lost. */
export type NameChange =
  | { kind: 'link'; folder: FolderNode; name: string; node: Node }
  | { kind: 'unlink'; folder: FolderNode; name: string; node: Node }
  | {
      kind: 'rename'
      folder: FolderNode
      name: string
      node: Node
      toFolder: FolderNode
      toName: string
    }

export function newFile(mode: number): FileNode {
  return { kind: 'file', chunks: [], size: 0, durableSize: 0, mode, durableMode: mode }
}

export function contentOf(file: FileNode): Uint8Array<ArrayBuffer> {
  return joinBytes(file.chunks)
}

export function makeFileDurable(file: FileNode): void {
  file.durableSize = file.size
  file.durableMode = file.mode
}

export function joinPath(folder: string, relative: string): string {
  const parts = folder.split('/')
  for (const segment of relative.split('/')) {
    if (segment === '..') parts.pop()
    else if (segment !== '.' && segment !== '') parts.push(segment)
  }
  return parts.join('/')
}

export function walk(
  folder: FolderNode,
  path: string,
  visit: (path: string, node: Node) => void,
): void {
  for (const [name, node] of [...folder.entries].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    visit(`${path}/${name}`, node)
    if (node.kind === 'folder') walk(node, `${path}/${name}`, visit)
  }
}

export function applyChange(
  change: NameChange,
  namesOf: (folder: FolderNode) => Map<string, Node> | undefined,
): void {
  const names = namesOf(change.folder)
  const { kind, name, node } = change
  if (kind === 'link') {
    names?.set(name, node)
    return
  }
  if (names?.get(name) === node) names.delete(name)
  // The new name can have reached the platter although the old one was never there.
  if (kind === 'rename') namesOf(change.toFolder)?.set(change.toName, node)
}
