/** A table that becomes a list of cards where the page is narrow. */
import { Paper, VisuallyHidden } from '@mantine/core'
import type { ReactNode } from 'react'
import classes from './data-table.module.css'

export interface DataColumn<T> {
  readonly title: string
  /** What the cell shows; a column without it is in files only. */
  readonly show?: (row: T) => ReactNode
  /** The text of the cell in a file; a column without one is left out of it. */
  readonly text?: (row: T) => string | number | null
  /** Buttons need no heading that is seen. */
  readonly isActions?: boolean
}

export function DataTable<T>(props: {
  /** What the table lists, for those who cannot see it. */
  readonly caption: string
  readonly columns: readonly DataColumn<T>[]
  readonly rows: readonly T[]
  readonly keyOf: (row: T) => string
  /** Whether the rows are those of the question before, while the next ones are on their way. */
  readonly isDimmed?: boolean
}) {
  const { caption, rows, keyOf, isDimmed = false } = props
  const columns = props.columns.filter(({ show }) => show !== undefined)
  return (
    <Paper withBorder className={classes['frame']} data-dimmed={isDimmed || undefined}>
      <table className={classes['table']}>
        <caption>
          <VisuallyHidden>{caption}</VisuallyHidden>
        </caption>
        <thead>
          <tr>
            {columns.map(({ title, isActions }) => (
              <th key={title} scope="col">
                {isActions === true ? <VisuallyHidden>{title}</VisuallyHidden> : title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={keyOf(row)}>
              {columns.map(({ title, show, isActions }) => (
                <td
                  key={title}
                  data-title={isActions === true ? undefined : title}
                  className={isActions === true ? classes['actions'] : undefined}
                >
                  {show?.(row)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </Paper>
  )
}
