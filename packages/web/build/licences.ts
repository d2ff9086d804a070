/** The licences of third-party code that a bundle has in it, as that code's authors ask for. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/**
 * One text about every package below `node_modules` that the inputs of a bundle came from. Throws
 * when a package states no licence.
 */
export function listLicences(root: string, inputs: readonly string[]): string {
  const folders = new Set(inputs.map(packageFolder).filter((folder) => folder !== undefined))
  const parts = [...folders].toSorted().map((folder) => describe(folder, root))
  return `The pages of Seaworthy contain code of the following packages.\n\n${parts.join('\n')}`
}

/** The folder of the package, below the current folder as esbuild names its inputs. */
function packageFolder(input: string): string | undefined {
  const path = /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(input)?.[0]
  return path?.replace(/^(?:\.\.\/)*/, '')
}

function describe(folder: string, root: string): string {
  const home = join(root, folder.slice(folder.indexOf('node_modules/')))
  const { name, version, license } = JSON.parse(
    readFileSync(join(home, 'package.json'), 'utf8'),
  ) as { name: string; version: string; license?: string }
  if (license === undefined) throw new Error(`${folder} states no licence: it may not be bundled`)
  const file = readdirSync(home).find((one) => /^licen[cs]e(?:\.\w+)?$/i.test(one))
  const text =
    file !== undefined && existsSync(join(home, file)) ? readFileSync(join(home, file), 'utf8') : ''
  return `${'='.repeat(72)}\n${name} ${version}: ${license}\n\n${text.trim()}\n`
}
