/**
 * Where the symbolic links of a tree lead when they are followed as a kernel does, in work that
 * grows with the tree and not with what its links multiply to: each link is followed once.
 */
import { foldPath } from './paths.ts'

/** Path → link target for symbolic links, `undefined` for everything else. */
export type Tree = ReadonlyMap<string, string | undefined>

export interface LinkFault {
  readonly code: 'symlink_escapes' | 'links_too_long'
  readonly path: string
}

/** The fault in words for people; the path is as the archive has it. */
export function sayLinkFault({ code, path }: LinkFault): string {
  return code === 'symlink_escapes'
    ? `the link ${path} leads out, or round in circles`
    : `its links lead through too many folders; that was found at ${path}`
}

/**
 * The first fault of the links, also where a file system follows names that differ only by case or
 * by the form of their letters.
 */
export function findLinkFault(tree: Tree): LinkFault | undefined {
  const { fault } = readLinks(tree)
  if (fault !== undefined) return fault
  const paths = new Map<string, string>()
  const folded = new Map<string, string>()
  for (const [path, target] of tree) {
    if (target === undefined) continue
    paths.set(foldPath(path), path)
    folded.set(foldPath(path), foldPath(target))
  }
  const found = readLinks(folded).fault
  return found && { ...found, path: paths.get(found.path)! }
}

/** How many links may be followed from one path. */
const followsMax = 40
/** How many names may wait to be looked at while one path is followed. */
const waitingMax = 16_384
/** How many names all links together may lead through, besides 32 for each of them. */
const freeSteps = 65_536
const stepsPerLink = 32

/** A name on the way to a link. Names that lead to no link are never kept. */
interface TreeNode {
  readonly above: TreeNode | undefined
  readonly name: string
  readonly below: Map<string, TreeNode>
  target: string | undefined
  /** Where the link ends, once it was followed. */
  end: End | undefined
}

interface End {
  readonly node: TreeNode
  /** The last name below the node, where no link is. */
  readonly beyond: Beyond | undefined
  /** The links on the way, without those that they lead through in turn. */
  readonly links: readonly TreeNode[]
  readonly follows: number
  readonly waiting: number
}

/** A name with those before it, which ends share. */
interface Beyond {
  readonly name: string
  readonly before: Beyond | undefined
}

export interface Links {
  /**
   * The first symbolic link that leads out of the tree, round in circles, or over too many others;
   * or the one at which all of them have led through more names than a tree of that size may have.
   */
  readonly fault: LinkFault | undefined
  /**
   * Each link on the way of a path, and last where it leads. It is `undefined` for what leads out,
   * or further than a kernel follows.
   */
  follow(path: string): string[] | undefined
}

/** Reads all links of a tree at a cost that its size bounds, however they lead. */
export function readLinks(tree: Tree): Links {
  const root = createNode(undefined, '')
  const paths: string[] = []
  for (const [path, target] of tree) {
    if (target === undefined) continue
    plant(root, path).target = target
    paths.push(path)
  }
  let stepsLeft = freeSteps + stepsPerLink * paths.length

  const walk = (from: TreeNode, names: readonly string[], depth: number): End | undefined => {
    let node = from
    let beyond: Beyond | undefined
    const links: TreeNode[] = []
    let follows = 0
    let waiting = names.length
    for (const [i, name] of names.entries()) {
      if (name === '' || name === '.') continue
      if (name === '..') {
        if (beyond !== undefined) beyond = beyond.before
        else if (node.above === undefined) return undefined
        else node = node.above
        continue
      }
      const next = beyond === undefined ? node.below.get(name) : undefined
      if (next === undefined) {
        beyond = { name, before: beyond }
      } else if (next.target === undefined) {
        node = next
      } else {
        const end = follow(next, depth)
        if (end === undefined) return undefined
        links.push(next)
        follows += end.follows
        waiting = Math.max(waiting, names.length - i - 1 + end.waiting)
        if (follows > followsMax || waiting > waitingMax) return undefined
        ;({ node, beyond } = end)
      }
    }
    return { node, beyond, links, follows, waiting }
  }

  // A circle shows as a link that is followed too deep.
  const follow = (link: TreeNode, depth: number): End | undefined => {
    if (link.end !== undefined) return link.end
    if (depth === followsMax) return undefined
    const names = link.target!.split('/')
    stepsLeft -= names.length
    if (stepsLeft < 0) return undefined
    const end = walk(link.above!, names, depth + 1)
    link.end = end && { ...end, follows: end.follows + 1 }
    return link.end
  }

  const findFault = (): LinkFault | undefined => {
    for (const path of paths) {
      const names = path.split('/')
      stepsLeft -= names.length
      if (stepsLeft >= 0 && walk(root, names, 0) !== undefined) continue
      return { code: stepsLeft < 0 ? 'links_too_long' : 'symlink_escapes', path }
    }
    return undefined
  }

  return {
    fault: findFault(),
    follow(path) {
      const end = walk(root, path.split('/'), 0)
      if (end === undefined) return undefined
      const steps: string[] = []
      const list = (links: readonly TreeNode[]) => {
        for (const link of links) {
          steps.push(pathOf(link))
          list(link.end!.links)
        }
      }
      list(end.links)
      return [...steps, pathOf(end.node, end.beyond)]
    },
  }
}

function pathOf(node: TreeNode, last?: Beyond): string {
  const names: string[] = []
  for (let at = last; at !== undefined; at = at.before) names.push(at.name)
  for (let at = node; at.above !== undefined; at = at.above) names.push(at.name)
  return names.toReversed().join('/')
}

function createNode(above: TreeNode | undefined, name: string): TreeNode {
  return { above, name, below: new Map(), target: undefined, end: undefined }
}

function plant(root: TreeNode, path: string): TreeNode {
  let node = root
  for (const name of path.split('/')) {
    let next = node.below.get(name)
    if (next === undefined) node.below.set(name, (next = createNode(node, name)))
    node = next
  }
  return node
}
