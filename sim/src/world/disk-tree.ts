/**
 * The tree of files and folders on a disk, what of it is durable, and what a power cut makes of the
 * rest.
 */
import { joinBytes } from '@seaworthy/std/bytes'
import type { Random } from '@seaworthy/std/random'
import { randomBelow } from '@seaworthy/std/random'

const sectorBytes = 512

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

/** What a power cut leaves of everything that was not durable. */
export type CutMode = 'nothing' | 'everything' | { readonly random: Random }

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

/**
 * Copies what survives; the disk that lost its power is left alone, so that one instant can be cut
 * in many ways.
 */
export function imageAfterCut(
  root: FolderNode,
  changes: readonly NameChange[],
  mode: CutMode,
): FolderNode {
  const survives = () =>
    typeof mode === 'string' ? mode === 'everything' : mode.random.fraction() < 0.5
  const names = new Map<FolderNode, Map<string, Node>>()
  const namesOf = (folder: FolderNode) => {
    let known = names.get(folder)
    if (known === undefined) names.set(folder, (known = new Map(folder.durable)))
    return known
  }
  for (const change of changes) if (survives()) applyChange(change, namesOf)

  const copies = new Map<Node, Node>()
  const copyFolder = (folder: FolderNode): FolderNode => {
    const copy: FolderNode = { kind: 'folder', entries: new Map(), durable: new Map() }
    copies.set(folder, copy)
    for (const [name, node] of namesOf(folder)) {
      let child = copies.get(node)
      if (child === undefined) {
        child = node.kind === 'folder' ? copyFolder(node) : node
        if (node.kind === 'file') child = copyFile(node, mode)
        copies.set(node, child)
      }
      copy.entries.set(name, child)
      copy.durable.set(name, child)
    }
    return copy
  }
  return copyFolder(root)
}

function copyFile(file: FileNode, mode: CutMode): FileNode {
  const keptMode =
    mode === 'everything' || (mode !== 'nothing' && mode.random.fraction() < 0.5)
      ? file.mode
      : file.durableMode
  const content =
    mode === 'everything' || file.durableSize === file.size
      ? contentOf(file)
      : mode === 'nothing'
        ? contentOf(file).slice(0, file.durableSize)
        : tearContent(contentOf(file), file.durableSize, mode.random)
  const { length } = content
  const chunks = length === 0 ? [] : [content]
  return {
    kind: 'file',
    chunks,
    size: length,
    durableSize: length,
    mode: keptMode,
    durableMode: keptMode,
  }
}

/**
 * Sectors after the durable part: the file's length may or may not have grown, and a sector within
 * it may hold zeros.
 */
function tearContent(content: Uint8Array, durableSize: number, random: Random) {
  const sectorCount = Math.ceil((content.length - durableSize) / sectorBytes)
  const keptCount = randomBelow(random, sectorCount + 1)
  const torn = content.slice(0, Math.min(content.length, durableSize + keptCount * sectorBytes))
  for (let i = 0; i < keptCount; i++) {
    const from = durableSize + i * sectorBytes
    if (random.fraction() < 0.25) torn.fill(0, from, from + sectorBytes)
  }
  return torn
}
