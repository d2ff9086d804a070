/** Files that a page makes: lists as CSV and JSON, and documents that people carry. */
import { formatCsv } from '@seaworthy/std/csv'
import type { DataColumn } from './ui/data-table.tsx'

/** The rows as a table for spreadsheets, with the columns that have a text. */
export function formatRowsCsv<T>(columns: readonly DataColumn<T>[], rows: readonly T[]): string {
  const shown = columns.flatMap(({ title, text }) => (text === undefined ? [] : [{ title, text }]))
  return formatCsv([
    shown.map(({ title }) => title),
    ...rows.map((row) => shown.map(({ text }) => text(row)?.toString() ?? null)),
  ])
}

/** Hands the text to the browser as a file of this name. */
export function saveFile(name: string, type: string, text: string): void {
  const address = URL.createObjectURL(new Blob([text], { type }))
  const link = document.createElement('a')
  link.href = address
  link.download = name
  link.click()
  URL.revokeObjectURL(address)
}
