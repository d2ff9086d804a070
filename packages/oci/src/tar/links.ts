/**
 * Where the symbolic links of a tree lead when they are followed as a kernel does, in work that
 * grows with the tree and not with what its links multiply to: each link is followed once.
 */

/** Path → link target for symbolic links, `undefined` for everything else. */
export type Tree = ReadonlyMap<string, string | undefined>

export interface LinkFault {
  readonly code: 'symlink_escapes' | 'links_too_long'
  readonly path: string
}

export function sayLinkFault({ code, path }: LinkFault): string {
  return code === 'symlink_escapes'
    ? `the link ${path} leads out, or round in circles`
    : `its links lead through too many folders; that was found at ${path}`
}

/** How many links may be followed from one path. */
const followsMax = 40
/** How many names may wait to be looked at while one path is followed. */
const waitingMax = 16_384
/** How many names all links together may lead through, besides 32 for each of them. */
const freeSteps = 65_536
const stepsPerLink = 32

/** A name on the way to a link. Names that lead to no link are never kept. */
interface Place {
  readonly above: Place | undefined
  readonly below: Map<string, Place>
  target: string | undefined
  /** Where the link ends, once it was followed. */
  end: End | undefined
}

interface End {
  readonly place: Place
  /** The number of names below the place, which lead to no link. */
  readonly beyond: number
  readonly follows: number
  readonly waiting: number
}

/**
 * The first symbolic link that leads out of the tree, round in circles, or over too many others;
 * or the one at which all of them have led through more names than a tree of that size may have.
 */
export function findLinkFault(tree: Tree): LinkFault | undefined {
  const root = createPlace(undefined)
  const links: string[] = []
  for (const [path, target] of tree) {
    if (target === undefined) continue
    plant(root, path).target = target
    links.push(path)
  }
  let stepsLeft = freeSteps + stepsPerLink * links.length

  const walk = (from: Place, names: readonly string[], depth: number): End | undefined => {
    stepsLeft -= names.length
    if (stepsLeft < 0) return undefined
    let place = from
    let beyond = 0
    let follows = 0
    let waiting = names.length
    for (const [i, name] of names.entries()) {
      if (name === '' || name === '.') continue
      if (name === '..') {
        if (beyond > 0) beyond--
        else if (place.above === undefined) return undefined
        else place = place.above
        continue
      }
      const next = beyond === 0 ? place.below.get(name) : undefined
      if (next === undefined) {
        beyond++
      } else if (next.target === undefined) {
        place = next
      } else {
        const end = follow(next, depth)
        if (end === undefined) return undefined
        follows += end.follows
        waiting = Math.max(waiting, names.length - i - 1 + end.waiting)
        if (follows > followsMax || waiting > waitingMax) return undefined
        ;({ place, beyond } = end)
      }
    }
    return { place, beyond, follows, waiting }
  }

  // A circle is a link that is followed too deep.
  const follow = (link: Place, depth: number): End | undefined => {
    if (link.end !== undefined) return link.end
    if (depth === followsMax) return undefined
    const end = walk(link.above!, link.target!.split('/'), depth + 1)
    link.end = end && { ...end, follows: end.follows + 1 }
    return link.end
  }

  for (const path of links) {
    if (walk(root, path.split('/'), 0) !== undefined) continue
    return { code: stepsLeft < 0 ? 'links_too_long' : 'symlink_escapes', path }
  }
  return undefined
}

function createPlace(above: Place | undefined): Place {
  return { above, below: new Map(), target: undefined, end: undefined }
}

function plant(root: Place, path: string): Place {
  let place = root
  for (const name of path.split('/')) {
    let next = place.below.get(name)
    if (next === undefined) place.below.set(name, (next = createPlace(place)))
    place = next
  }
  return place
}
