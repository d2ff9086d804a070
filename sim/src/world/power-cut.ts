/** What a power cut leaves of a disk: all that was durable, and some of the rest. */
import type { Random } from '@seaworthy/std/random'
import { randomBelow } from '@seaworthy/std/random'
import type { FileNode, FolderNode, NameChange, Node } from './disk-tree.ts'
import { applyChange, contentOf } from './disk-tree.ts'

const sectorBytes = 512

/** What a power cut leaves of everything that was not durable. */
export type CutMode = 'nothing' | 'everything' | { readonly random: Random }

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
