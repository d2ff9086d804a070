/**
 * Which of two versions of operating systems is the newer one. They are compared by the numbers
 * between dots, however many and however long, then by the precedence of Semantic Versioning:
 * `1.0.0-rc.9` < `1.0.0-rc.10` < `1.0.0`. What follows `+` does not count.
 */

export interface Version {
  /** The numbers as decimal digits without leading zeros. */
  readonly numbers: readonly string[]
  /** The identifiers of a pre-release; empty for a release. */
  readonly prerelease: readonly string[]
}

/**
 * Answers `null` for text that does not begin with a number. Whatever else follows the numbers is
 * taken for a build of that version.
 */
export function parseVersion(text: string): Version | null {
  const match = /^(\d+(?:\.\d+)*)(?:-([0-9A-Za-z.-]+))?/.exec(text)
  if (match === null) return null
  const [, numbers = '', prerelease = ''] = match
  return {
    numbers: numbers.split('.').map(trimZeros),
    prerelease: prerelease.split('.').filter((identifier) => identifier !== ''),
  }
}

/** Answers a number above 0 when `a` is newer. Missing numbers count as 0. */
export function compareVersions(a: Version, b: Version): number {
  for (let i = 0; i < Math.max(a.numbers.length, b.numbers.length); i++) {
    const order = compareNumbers(a.numbers[i] ?? '0', b.numbers[i] ?? '0')
    if (order !== 0) return order
  }
  return comparePrereleases(a.prerelease, b.prerelease)
}

function comparePrereleases(a: readonly string[], b: readonly string[]): number {
  if (a.length === 0 || b.length === 0) return b.length - a.length
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const order = compareIdentifiers(a[i]!, b[i]!)
    if (order !== 0) return order
  }
  return a.length - b.length
}

function compareIdentifiers(a: string, b: string): number {
  const [isNumberA, isNumberB] = [isNumber(a), isNumber(b)]
  if (isNumberA && isNumberB) return compareNumbers(trimZeros(a), trimZeros(b))
  if (isNumberA !== isNumberB) return isNumberA ? -1 : 1
  return compareTexts(a, b)
}

/** Compares decimal digits without leading zeros: the longer text is the greater number. */
function compareNumbers(a: string, b: string): number {
  return a.length - b.length || compareTexts(a, b)
}

function compareTexts(a: string, b: string): number {
  if (a === b) return 0
  return a < b ? -1 : 1
}

function isNumber(text: string): boolean {
  return /^\d+$/.test(text)
}

function trimZeros(digits: string): string {
  return digits.replace(/^0+(?=\d)/, '')
}
