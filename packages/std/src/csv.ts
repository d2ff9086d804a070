/** Tables as CSV (RFC 4180), for spreadsheets. */

/** What spreadsheets take for the beginning of a formula. */
const formula = /^[=+\-@\t\r]/

/**
 * Every cell is in quotes. One that a spreadsheet would calculate gets an apostrophe in front,
 * which it does not show: names come from strangers.
 */
export function formatCsv(rows: readonly (readonly (string | null)[])[]): string {
  return rows.map((row) => `${row.map(formatCell).join(',')}\r\n`).join('')
}

function formatCell(text: string | null): string {
  const harmless = formula.test(text ?? '') ? `'${text}` : (text ?? '')
  return `"${harmless.replaceAll('"', '""')}"`
}
