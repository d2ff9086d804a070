/** Aligned tables that fit the terminal. */
import { harmless } from './format.ts'

export interface Column<Row> {
  title: string
  text: (row: Row) => string
  align?: 'left' | 'right'
  /** Columns that give up width first when the terminal is narrow; others are never cut. */
  isShrinkable?: boolean
}

const gap = '  '
const shrunkMin = 8

/**
 * One line a row under a line of titles, without line end. Without `columnsMax` nothing is cut (a file or a pipe reads whole values).
 * Cut cells end in `…`.
 */
export function formatTable<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  columnsMax?: number,
): string[] {
  const cells = [
    columns.map((column) => column.title.toUpperCase()),
    ...rows.map((row) => columns.map((column) => harmless(column.text(row)))),
  ]
  const widths = columns.map((_, i) => Math.max(...cells.map((line) => widthOf(line[i]!))))
  if (columnsMax !== undefined) shrinkWidths(columns, widths, columnsMax)
  return cells.map((line) =>
    line
      .map((text, i) => pad(cut(text, widths[i]!), widths[i]!, columns[i]!.align ?? 'left'))
      .join(gap)
      .trimEnd(),
  )
}

function shrinkWidths<Row>(columns: readonly Column<Row>[], widths: number[], columnsMax: number) {
  const shrinkable = columns.flatMap((column, i) => (column.isShrinkable ? [i] : []))
  const total = () => widths.reduce((sum, width) => sum + width, gap.length * (widths.length - 1))
  for (let over = total() - columnsMax; over > 0; over = total() - columnsMax) {
    const widest = shrinkable.toSorted((a, b) => widths[b]! - widths[a]!)[0]
    if (widest === undefined || widths[widest]! <= shrunkMin) return
    widths[widest]!--
  }
}

/** Names and values in two columns, without line end; an undefined value leaves its line out. */
export function formatFields(fields: readonly (readonly [string, string | undefined])[]): string[] {
  const shown = fields.filter((field): field is readonly [string, string] => field[1] !== undefined)
  const width = Math.max(0, ...shown.map(([name]) => name.length))
  return shown.map(([name, value]) => `${`${name}:`.padEnd(width + 1)} ${harmless(value)}`)
}

function widthOf(text: string): number {
  return Array.from(text).length
}

function cut(text: string, width: number): string {
  const characters = Array.from(text)
  return characters.length <= width ? text : `${characters.slice(0, width - 1).join('')}…`
}

function pad(text: string, width: number, align: 'left' | 'right'): string {
  const blanks = ' '.repeat(Math.max(0, width - widthOf(text)))
  return align === 'left' ? text + blanks : blanks + text
}
