/** Sizes as people read them. */

const units = ['bytes', 'kB', 'MB', 'GB', 'TB'] as const

/** `1 byte`, `512 bytes`, `1.5 MB`: powers of a thousand, one digit after the point at most. */
export function formatBytes(bytes: number): string {
  if (bytes === 1) return '1 byte'
  let size = bytes
  let unit = 0
  // What would be rounded to a thousand is one of the next unit.
  while (size >= 999.95 && unit < units.length - 1) {
    size /= 1000
    unit++
  }
  return `${unit === 0 ? size : Math.round(size * 10) / 10} ${units[unit]}`
}
