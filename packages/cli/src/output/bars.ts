/** Bars and curves out of characters. */
import { maxOf } from '@seaworthy/std/numbers'

/** A part of a bar; parts come in their order. */
export interface BarPart {
  count: number
  character: string
}

/**
 * `width` characters: a share of `total` for each part, the rest `.`. Whatever is not zero is
 * visible, as far as there is room, and a bar is full only when nothing is left.
 */
export function drawBar(parts: readonly BarPart[], total: number, width: number): string {
  const counted = parts.reduce((sum, { count }) => sum + count, 0)
  const whole = Math.max(total, counted)
  if (whole === 0) return '.'.repeat(width)
  const cells = parts.map(({ count }) =>
    count === 0 ? 0 : Math.max(1, Math.floor((count / whole) * width)),
  )
  const hasRest = counted < whole
  const room = width - (hasRest ? 1 : 0)
  let used = cells.reduce((sum, count) => sum + count, 0)
  for (; used > room; used--) {
    const widest = cells.indexOf(maxOf(cells))
    if (cells[widest]! <= 1) break
    cells[widest]!--
  }
  if (!hasRest) {
    // Cells that rounding left over belong to the largest part.
    const largest = parts.reduce((best, { count }, i) => (count > parts[best]!.count ? i : best), 0)
    cells[largest]! += Math.max(0, width - used)
  }
  const drawn = parts.map(({ character }, i) => character.repeat(cells[i]!)).join('')
  return drawn.slice(0, width).padEnd(width, '.')
}

const heights = '▁▂▃▄▅▆▇█'

/**
 * Draws one character per value, from 0 to `max`. More values than `width` are thinned evenly; the
 * last one stays.
 */
export function drawCurve(values: readonly number[], max: number, width: number): string {
  const count = Math.min(values.length, width)
  return Array.from({ length: count }, (_, i) => {
    const at = count === 1 ? values.length - 1 : Math.round((i * (values.length - 1)) / (count - 1))
    const share = max > 0 ? Math.min(1, Math.max(0, values[at]! / max)) : 0
    return heights[Math.round(share * (heights.length - 1))]!
  }).join('')
}
