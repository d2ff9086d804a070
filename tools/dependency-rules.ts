/**
 * Third-party packages: counted and compared with DEPENDENCIES.md, only out of package-lock.json.
 */

export interface LockedPackage {
  readonly version?: string
  readonly integrity?: string
  readonly link?: boolean
  readonly resolved?: string
  readonly hasInstallScript?: boolean
  readonly engines?: { readonly node?: string }
  readonly dependencies?: Record<string, string>
  readonly optionalDependencies?: Record<string, string>
}

/** The packages of a lock file by their folders. */
export type Lock = Readonly<Record<string, LockedPackage>>

const nameOf = (folder: string) => folder.slice(folder.lastIndexOf('node_modules/') + 13)
const isThirdParty = ([folder, locked]: [string, LockedPackage]) =>
  folder.includes('node_modules/') && locked.link !== true

export function listThirdParty(
  lock: Lock,
): { name: string; folder: string; locked: LockedPackage }[] {
  return Object.entries(lock)
    .filter(isThirdParty)
    .map(([folder, locked]) => ({ name: nameOf(folder), folder, locked }))
}

/**
 * Looks a package up as Node does: from the folder itself to the root. Follows links of workspaces.
 */
function resolveFolder(lock: Lock, from: string, name: string): string | undefined {
  for (let folder = from; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf('/')))) {
    const candidate = folder === '' ? `node_modules/${name}` : `${folder}/node_modules/${name}`
    const locked = lock[candidate]
    if (locked) return locked.link ? locked.resolved : candidate
    if (folder === '') return undefined
  }
}

/**
 * `name@version` of everything that installing a workspace for production brings along; platforms
 * that differ included.
 */
export function listTree(lock: Lock, workspace: string): string[] {
  if (!lock[workspace]) throw new Error(`${workspace} is not in the lock file`)
  const seen = new Set<string>()
  const visit = (folder: string) => {
    if (seen.has(folder)) return
    seen.add(folder)
    const { dependencies, optionalDependencies } = lock[folder]!
    for (const name of Object.keys({ ...dependencies, ...optionalDependencies })) {
      const found = resolveFolder(lock, folder, name)
      if (found !== undefined) visit(found)
      else if (!optionalDependencies?.[name]) throw new Error(`${name} of ${folder} is not locked`)
    }
  }
  visit(workspace)
  return [...seen]
    .filter((folder) => folder.includes('node_modules/'))
    .map((folder) => `${nameOf(folder)}@${lock[folder]!.version}`)
    .toSorted()
}

/** Packages of the lock file without a line for their version, and lines without a package. */
export function compareWithReview(
  lock: Lock,
  review: string,
): { unreviewed: string[]; stale: string[] } {
  const lines = [...review.matchAll(/^\| `([^`]+)` \| ([^|\s]+) \|/gm)].map(
    ([, name, version]) => ({
      name: name!,
      version: version!,
      used: false,
    }),
  )
  const unreviewed: string[] = []
  for (const { name, locked } of listThirdParty(lock)) {
    const line = lines.find(
      (l) =>
        l.version === locked.version &&
        (l.name === name || (l.name.endsWith('*') && name.startsWith(l.name.slice(0, -1)))),
    )
    if (line) line.used = true
    else unreviewed.push(`${name}@${locked.version}`)
  }
  const stale = lines.filter((l) => !l.used).map((l) => `${l.name}@${l.version}`)
  return { unreviewed, stale }
}

/**
 * Whether a range of `engines` lets this version pass; knows the forms that npm packages use, and
 * answers no for any other.
 */
export function acceptsNode(range: string, version: readonly [number, number, number]): boolean {
  const compare = (other: readonly number[]) =>
    version.map((n, i) => n - (other[i] ?? 0)).find((difference) => difference !== 0) ?? 0
  const accepts = (part: string): boolean => {
    const [, operator, ...numbers] =
      /^(>=|<=|>|<|\^|~|=)? ?v?(\d+)(?:\.(\d+|x))?(?:\.(\d+|x))?$/.exec(part) ?? []
    if (numbers[0] === undefined) return part === '*' || part === ''
    const given = numbers.filter((n) => n !== undefined && n !== 'x').map(Number)
    if (operator === '>=') return compare(given) >= 0
    if (operator === '>') return compare(given) > 0
    if (operator === '<') return compare(given) < 0
    if (operator === '<=') return compare(given) <= 0
    const same = operator === '^' ? 1 : operator === '~' ? 2 : given.length
    return compare(given) >= 0 && given.slice(0, same).every((n, i) => n === version[i])
  }
  return range.split('||').some((choice) =>
    choice
      .trim()
      .replaceAll(/([<>=^~]) +/g, '$1')
      .split(/ +/)
      .every(accepts),
  )
}
