/**
 * A disk that can lose power. Everybody can read what was written, but only what was made durable
 * is certain to be there after a cut: a file's bytes after its `sync`, a name after `syncFolder`.
 * In between anything may have reached the platter: nothing, all, or some of the operations in any
 * order, and of a file some of its sectors. One promise of every journalling file system is kept: a
 * rename happens whole or not at all.
 */
import type { Disk, DiskEntry, DiskReader, DiskWriter, TreeWriter } from '@seaworthy/agent/testing'
import { DiskError } from '@seaworthy/agent/testing'
import type { FileNode, FolderNode, NameChange, Node } from './disk-tree.ts'
import { applyChange, contentOf, joinPath, makeFileDurable, newFile, walk } from './disk-tree.ts'
import type { CutMode } from './power-cut.ts'
import { imageAfterCut } from './power-cut.ts'

/** A file as it lies there, for comparing and for damaging. */
export interface FileView {
  path: string
  bytes: Uint8Array
  mode: number
}

export interface DiskFaults {
  /** Bytes that fit on the disk altogether; unlimited when absent. */
  capacityBytes?: number
  /** Files whose sectors can no longer be read. */
  unreadable?: ReadonlySet<string>
  /** The disk says that it made things durable, and did not. */
  isLying?: boolean
}

export interface SimDisk extends Disk {
  /** Operations so far that changed something or made something durable. */
  readonly writeCount: number
  readonly faults: DiskFaults
  /**
   * Called at each such operation, when its change may already have reached the platter and is not
   * yet certain to.
   */
  onWrite: ((count: number) => void) | undefined
  /** Switches the machine off: nothing asked of this disk returns from now on. */
  halt(): void
  /**
   * The same disk for a program started anew: nothing is lost, and the program that held this one
   * hears no more of it.
   */
  reopen(): SimDisk
  /**
   * The disk as somebody finds it who switches the machine on again after a cut at this instant.
   */
  afterPowerCut(mode: CutMode): SimDisk
  /** Every regular file below a folder, links not followed, sorted by path. */
  filesBelow(path: string): FileView[]
  /** Every name below a folder with its kind, for comparing whole disks. */
  describe(path: string): string[]
  usedBytes(): number
  /** Puts bytes there, durable at once, behind everybody's back. */
  overwrite(path: string, bytes: Uint8Array): void
  /** Takes a file away in the same manner. */
  forget(path: string): void
}

export function createSimDisk(): SimDisk {
  return openDisk({ kind: 'folder', entries: new Map(), durable: new Map() })
}

function openDisk(
  root: FolderNode,
  lost: readonly NameChange[] = [],
  faults: DiskFaults = {},
): SimDisk {
  let changes = [...lost]
  let writeCount = 0
  let isHalted = false
  let onWrite: ((count: number) => void) | undefined

  const never = () => new Promise<never>(() => {})
  /** Runs every operation: when the power is gone, nobody hears of its outcome. */
  const whilePowered = async <T>(operation: () => T): Promise<T> => {
    if (isHalted) return never()
    const result = operation()
    // The power may have gone during the operation itself.
    return isHalted ? never() : result
  }
  const isSyncing = () => !isHalted && faults.isLying !== true
  const noteWrite = () => {
    writeCount++
    onWrite?.(writeCount)
  }

  const change = (next: NameChange) => {
    changes.push(next)
    applyChange(next, (folder) => folder.entries)
    noteWrite()
  }
  const makeNamesDurable = (folders: ReadonlySet<FolderNode>) => {
    const touches = (c: NameChange) =>
      folders.has(c.folder) || (c.kind === 'rename' && folders.has(c.toFolder))
    for (const c of changes) if (touches(c)) applyChange(c, (folder) => folder.durable)
    changes = changes.filter((c) => !touches(c))
  }

  const findFolder = (path: string, depth = 0): FolderNode | undefined => {
    let folder = root
    const segments = path.split('/').filter((segment) => segment !== '')
    for (const [i, segment] of segments.entries()) {
      const next = folder.entries.get(segment)
      if (next?.kind === 'folder') {
        folder = next
      } else if (next?.kind === 'symlink' && depth < 8) {
        const here = `/${segments.slice(0, i).join('/')}`
        const target = next.target.startsWith('/') ? next.target : joinPath(here, next.target)
        const linked = findFolder(target, depth + 1)
        if (linked === undefined) return undefined
        folder = linked
      } else {
        return undefined
      }
    }
    return folder
  }
  const split = (path: string) => {
    const at = path.lastIndexOf('/')
    return { parent: path.slice(0, at), name: path.slice(at + 1) }
  }
  const lookUp = (path: string): Node | undefined => {
    const { parent, name } = split(path)
    return findFolder(parent)?.entries.get(name)
  }
  const parentOf = (path: string): { folder: FolderNode; name: string } => {
    const { parent, name } = split(path)
    const folder = findFolder(parent)
    if (folder === undefined) throw new DiskError('failed', `${path}: ENOENT`)
    return { folder, name }
  }
  const regularFile = (path: string): FileNode | undefined => {
    const node = lookUp(path)
    if (node === undefined) return undefined
    if (node.kind !== 'file') throw new DiskError('not_regular', `${path} is not a regular file`)
    if (faults.unreadable?.has(path) === true) throw new DiskError('failed', `${path}: EIO`)
    return node
  }
  const usedBytes = () => {
    let used = 0
    walk(root, '', (_path, node) => {
      if (node.kind === 'file') used += node.size
    })
    return used
  }

  const createWriter = (path: string, node: FileNode, durable: boolean): DiskWriter => ({
    get size() {
      return node.size
    },
    write: (bytes) =>
      whilePowered(() => {
        if (bytes.length === 0) return
        const room =
          faults.capacityBytes === undefined ? bytes.length : faults.capacityBytes - usedBytes()
        const fits = bytes.slice(0, Math.max(0, Math.min(bytes.length, room)))
        node.chunks = [...node.chunks, fits]
        node.size += fits.length
        noteWrite()
        if (isHalted) return
        if (durable && faults.isLying !== true) node.durableSize = node.size
        if (fits.length < bytes.length) throw new DiskError('no_space', `no space for ${path}`)
      }),
    sync: () =>
      whilePowered(() => {
        noteWrite()
        if (isSyncing()) makeFileDurable(node)
      }),
    close: () => whilePowered(() => {}),
  })

  const removeNode = (folder: FolderNode, name: string) => {
    const node = folder.entries.get(name)
    if (node === undefined || isHalted) return
    if (node.kind === 'folder') {
      for (const child of [...node.entries.keys()].toSorted()) removeNode(node, child)
    }
    if (!isHalted) change({ kind: 'unlink', folder, name, node })
  }

  const makeFolder = (path: string) => {
    const { parent, name } = split(path)
    if (name === '') return
    if (findFolder(path) !== undefined) return
    makeFolder(parent)
    if (isHalted) return
    const { folder } = parentOf(path)
    if (folder.entries.has(name)) throw new DiskError('failed', `${path}: ENOTDIR`)
    const node: FolderNode = { kind: 'folder', entries: new Map(), durable: new Map() }
    change({ kind: 'link', folder, name, node })
  }

  const openTree = (base: string): TreeWriter => {
    let writer: DiskWriter | undefined
    return {
      makeDirectory: (path) => whilePowered(() => makeFolder(`${base}/${path}`)),
      makeSymlink: (path, target) => makeLink(target, `${base}/${path}`),
      beginFile: async (path, _size, isExecutable) => {
        writer = await createFile(`${base}/${path}`, isExecutable ? 0o755 : 0o644, false)
      },
      writeFile: (piece) => writer!.write(piece),
      endFile: () => writer!.close(),
      close: () => {},
    }
  }
  const createFile = (path: string, mode: number, durable: boolean) =>
    whilePowered(() => {
      const { folder, name } = parentOf(path)
      if (folder.entries.has(name)) throw new DiskError('exists', `${path} exists`)
      const node = newFile(mode)
      change({ kind: 'link', folder, name, node })
      return createWriter(path, node, durable)
    })
  const makeLink = (target: string, path: string) =>
    whilePowered(() => {
      const { folder, name } = parentOf(path)
      if (folder.entries.has(name)) throw new DiskError('exists', `${path} exists`)
      change({ kind: 'link', folder, name, node: { kind: 'symlink', target } })
    })

  return {
    get writeCount() {
      return writeCount
    },
    get onWrite() {
      return onWrite
    },
    set onWrite(next) {
      onWrite = next
    },
    faults,
    halt() {
      isHalted = true
    },
    read: (path, bytesMax) =>
      whilePowered(() => {
        const file = regularFile(path)
        if (file === undefined) return undefined
        if (file.size > bytesMax) {
          throw new DiskError('too_long', `${path} is longer than ${bytesMax} bytes`)
        }
        return contentOf(file)
      }),
    open: (path) =>
      whilePowered((): DiskReader | undefined => {
        const file = regularFile(path)
        if (file === undefined) return undefined
        return {
          size: file.size,
          read: (position, length) =>
            whilePowered(() => contentOf(file).slice(position, position + length)),
          close: () => whilePowered(() => {}),
        }
      }),
    create: (path, { mode, durable }) => createFile(path, mode, durable),
    append: (path, mode) =>
      whilePowered(() => {
        const { folder, name } = parentOf(path)
        const known = regularFile(path)
        const node = known ?? newFile(mode)
        if (known === undefined) change({ kind: 'link', folder, name, node })
        return createWriter(path, node, false)
      }),
    rename: (from, to) =>
      whilePowered(() => {
        const { folder, name } = parentOf(from)
        const target = parentOf(to)
        const node = folder.entries.get(name)
        if (node === undefined) throw new DiskError('failed', `${from}: ENOENT`)
        const there = target.folder.entries.get(target.name)
        if (there?.kind === 'folder' && (node.kind !== 'folder' || there.entries.size > 0)) {
          throw new DiskError('failed', `${to}: ENOTEMPTY`)
        }
        change({
          kind: 'rename',
          folder,
          name,
          node,
          toFolder: target.folder,
          toName: target.name,
        })
      }),
    remove: (path) =>
      whilePowered(() => {
        const { parent, name } = split(path)
        const folder = findFolder(parent)
        if (folder !== undefined) removeNode(folder, name)
      }),
    makeFolder: (path) => whilePowered(() => makeFolder(path)),
    list: (path) =>
      whilePowered((): DiskEntry[] | undefined => {
        const folder = findFolder(path)
        if (folder === undefined) return undefined
        return [...folder.entries]
          .map(([name, { kind }]) => ({ name, kind }))
          .toSorted((a, b) => (a.name < b.name ? -1 : 1))
      }),
    symlink: makeLink,
    writeTree: openTree,
    readLink: (path) =>
      whilePowered(() => {
        const node = lookUp(path)
        return node?.kind === 'symlink' ? node.target : undefined
      }),
    syncFolder: (path) =>
      whilePowered(() => {
        const folder = findFolder(path)
        if (folder === undefined) throw new DiskError('failed', `${path}: ENOENT`)
        noteWrite()
        if (isSyncing()) makeNamesDurable(new Set([folder]))
      }),
    syncTree: (path) =>
      whilePowered(() => {
        const top = findFolder(path)
        if (top === undefined) throw new DiskError('failed', `${path}: ENOENT`)
        noteWrite()
        if (!isSyncing()) return
        const folders = new Set([top])
        walk(top, path, (_path, node) => {
          if (node.kind === 'folder') folders.add(node)
          else if (node.kind === 'file') makeFileDurable(node)
        })
        makeNamesDurable(folders)
      }),
    setMode: (path, mode) =>
      whilePowered(() => {
        const node = lookUp(path)
        if (node === undefined) throw new DiskError('failed', `${path}: ENOENT`)
        if (node.kind === 'file') {
          node.mode = mode
          noteWrite()
        }
      }),
    freeBytes: () =>
      whilePowered(() =>
        faults.capacityBytes === undefined
          ? 2 ** 40
          : Math.max(0, faults.capacityBytes - usedBytes()),
      ),
    reopen() {
      isHalted = true
      return openDisk(root, changes, faults)
    },
    afterPowerCut: (mode) => openDisk(imageAfterCut(root, changes, mode), [], { ...faults }),
    filesBelow(path) {
      const files: FileView[] = []
      const top = findFolder(path)
      if (top === undefined) return files
      walk(top, path, (at, node) => {
        if (node.kind === 'file') files.push({ path: at, bytes: contentOf(node), mode: node.mode })
      })
      return files
    },
    describe(path) {
      const lines: string[] = []
      const top = findFolder(path)
      if (top === undefined) return lines
      walk(top, path, (at, node) => {
        lines.push(node.kind === 'symlink' ? `${at} -> ${node.target}` : `${at} ${node.kind}`)
      })
      return lines
    },
    usedBytes,
    forget(path) {
      const { folder, name } = parentOf(path)
      folder.entries.delete(name)
      folder.durable.delete(name)
    },
    overwrite(path, bytes) {
      const { folder, name } = parentOf(path)
      const node = newFile(0o600)
      node.chunks = [bytes.slice()]
      node.size = bytes.length
      makeFileDurable(node)
      folder.entries.set(name, node)
      folder.durable.set(name, node)
    },
  }
}
