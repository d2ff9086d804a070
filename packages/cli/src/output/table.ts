/** Aligned tables that fit the terminal. */
import { harmless } from './format.ts'

export interface Column<Row> {
  title: string
  text: (row: Row) => string
  align?: 'left' | 'right'
  /** Columns that give up width first when the terminal is narrow; others are never cut. */
  isShrinkable?: boolean
  /** The least important columns, which are left out before any is cut, the last of them first. */
  isDroppable?: boolean
}

const gap = '  '
const shrunkMin = 8
/** A first column from this width on may stand on lines of its own. */
const stackedMin = 20

interface Sized<Row> {
  readonly column: Column<Row>
  readonly cells: readonly string[]
  readonly width: number
}

/**
 * One line per row under a line of titles, without a final newline. Without `columnsMax` nothing is
 * cut (a file or a pipe reads whole values). Where there is too little room, droppable columns go
 * first, and a line below names them. Where that is not enough, a long first column stands on lines
 * of its own, because ids are copied whole. Last of all shrinkable columns are cut; cut cells end
 * in `…`.
 */
export function formatTable<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  columnsMax: number = Number.POSITIVE_INFINITY,
): string[] {
  const all = columns.map((column): Sized<Row> => {
    const cells = [column.title.toUpperCase(), ...rows.map((row) => harmless(column.text(row)))]
    return { column, cells, width: widestOf(cells.map(widthOf)) }
  })
  const [first, ...others] = all
  const isStacked =
    first !== undefined &&
    first.width >= stackedMin &&
    excess(drop(all, columnsMax), columnsMax) > 0
  const head = isStacked ? first : undefined
  const room = isStacked ? columnsMax - gap.length : columnsMax
  const kept = shrink(drop(isStacked ? others : all, room), room)
  const missing = columns.filter(
    (column) => column !== head?.column && kept.every((one) => one.column !== column),
  )
  return [
    ...[undefined, ...rows].flatMap((_, line) => {
      const text = kept
        .map(({ column, cells, width }) => pad(cut(cells[line]!, width), width, column.align))
        .join(gap)
        .trimEnd()
      return head === undefined ? [text] : [head.cells[line]!, `${gap}${text}`.trimEnd()]
    }),
    ...(missing.length === 0
      ? []
      : [cut(`(no room for ${missing.map(({ title }) => title).join(', ')})`, columnsMax)]),
  ]
}

function excess<Row>(kept: readonly Sized<Row>[], columnsMax: number): number {
  return kept.reduce((sum, { width }) => sum + width, gap.length * (kept.length - 1)) - columnsMax
}

/** Leaves out droppable columns that have no room, the last of them first. */
function drop<Row>(all: readonly Sized<Row>[], columnsMax: number): Sized<Row>[] {
  let kept = [...all]
  while (excess(kept, columnsMax) > 0) {
    const last = kept.findLast(({ column }) => column.isDroppable)
    if (last === undefined) break
    kept = kept.filter((one) => one !== last)
  }
  return kept
}

/** Makes shrinkable columns as narrow as they have to be, the widest first. */
function shrink<Row>(all: readonly Sized<Row>[], columnsMax: number): Sized<Row>[] {
  let kept = [...all]
  while (excess(kept, columnsMax) > 0) {
    const [widest] = kept
      .filter(({ column }) => column.isShrinkable)
      .toSorted((a, b) => b.width - a.width)
    if (widest === undefined || widest.width <= shrunkMin) break
    kept = kept.map((one) => (one === widest ? { ...one, width: one.width - 1 } : one))
  }
  return kept
}

/** Names and values in two columns, without line end; an undefined value leaves its line out. */
export function formatFields(fields: readonly (readonly [string, string | undefined])[]): string[] {
  const shown = fields.filter((field): field is readonly [string, string] => field[1] !== undefined)
  const width = widestOf(shown.map(([name]) => name.length))
  return shown.map(([name, value]) => `${`${name}:`.padEnd(width + 1)} ${harmless(value)}`)
}

/** A list may have more rows than a call can take arguments. */
function widestOf(widths: readonly number[]): number {
  return widths.reduce((widest, width) => Math.max(widest, width), 0)
}

function widthOf(text: string): number {
  return Array.from(text).length
}

function cut(text: string, width: number): string {
  const characters = Array.from(text)
  return characters.length <= width ? text : `${characters.slice(0, width - 1).join('')}…`
}

function pad(text: string, width: number, align: 'left' | 'right' = 'left'): string {
  const blanks = ' '.repeat(Math.max(0, width - widthOf(text)))
  return align === 'left' ? text + blanks : blanks + text
}
