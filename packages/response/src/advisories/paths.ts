/** Where the public finds what of an advisory; a copy on another host has the same paths. */
const csafFolder = '/.well-known/csaf/'
export const whiteFolder = '/.well-known/csaf/white/'
export const advisoriesFolder = '/advisories/'
export const osvFolder = '/advisories/osv/'
export const providerPath = `${csafFolder}provider-metadata.json`
export const roliePath = `${whiteFolder}csaf-feed-tlp-white.json`
export const securityTextPath = '/.well-known/security.txt'
export const atomPath = `${advisoriesFolder}atom.xml`
export const policyPath = `${advisoriesFolder}policy.html`

/** The name of a file after CSAF 2.0, 5.1. */
export function fileNameOf(name: string): string {
  return name.toLowerCase().replaceAll(/[^+\-a-z0-9]+/g, '_')
}

interface Named {
  readonly name: string
  readonly firstPublishedAt: Date
}

/** The path below `white/`: the year is that of the first version. */
export function csafFileOf({ name, firstPublishedAt }: Named): string {
  return `${firstPublishedAt.getUTCFullYear()}/${fileNameOf(name)}.json`
}

export const csafPathOf = (named: Named) => `${whiteFolder}${csafFileOf(named)}`
export const htmlPathOf = (name: string) => `${advisoriesFolder}${fileNameOf(name)}.html`

/** OSV lets a database of one's own begin its identifiers with `x_`. */
export const osvIdOf = (name: string) => `x_${name}`
export const osvPathOf = (name: string) => `${osvFolder}${osvIdOf(name)}.json`
export const openPgpPathOf = (fingerprint: string) => `${csafFolder}openpgp/${fingerprint}.asc`
