/** Instants in what others publish. */
const instantForm = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/i

/**
 * Whether it is an instant as RFC 3339 writes it. JavaScript reads much more, such as years that no
 * database and no list of records can hold.
 */
export function isInstant(text: string): boolean {
  const year = instantForm.test(text) ? new Date(text).getUTCFullYear() : Number.NaN
  return year >= 1 && year <= 9999
}
