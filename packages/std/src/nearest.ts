/** The known name that somebody most likely meant by an unknown one. */

/** Longer names are not compared: they are no slip of the fingers. */
const lengthMax = 64

/**
 * The known name with the fewest changed, missing, added or swapped neighbouring letters; at most a
 * third of its letters may differ. `undefined` when none is that near.
 */
export function findNearest(name: string, known: readonly string[]): string | undefined {
  if (name.length > lengthMax) return undefined
  let best: { readonly name: string; readonly distance: number } | undefined
  for (const candidate of known) {
    if (candidate.length > lengthMax) continue
    const distance = countEdits(name.toLowerCase(), candidate.toLowerCase())
    const allowed = Math.max(1, Math.floor(candidate.length / 3))
    if (distance <= allowed && (best === undefined || distance < best.distance)) {
      best = { name: candidate, distance }
    }
  }
  return best?.name
}

/** The restricted Damerau-Levenshtein distance. */
function countEdits(from: string, to: string): number {
  let twoAbove: number[] = []
  let above = Array.from({ length: to.length + 1 }, (_, j) => j)
  for (let i = 1; i <= from.length; i++) {
    const row = [i]
    for (let j = 1; j <= to.length; j++) {
      const cost = from[i - 1] === to[j - 1] ? 0 : 1
      let edits = Math.min(above[j]! + 1, row[j - 1]! + 1, above[j - 1]! + cost)
      const isSwap = i > 1 && j > 1 && from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1]
      if (isSwap) edits = Math.min(edits, twoAbove[j - 2]! + 1)
      row.push(edits)
    }
    twoAbove = above
    above = row
  }
  return above[to.length]!
}

/** Says what may have been meant by an unknown name, or which names there are. */
export function describeKnown(name: string, known: readonly string[]): string {
  const nearest = findNearest(name, known)
  if (nearest !== undefined) return `did you mean ${JSON.stringify(nearest)}?`
  return known.length === 0 ? 'none is known here' : `known are ${known.join(', ')}`
}
