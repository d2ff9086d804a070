/**
 * Packages of dpkg (`var/lib/dpkg/status`, deb-control(5)), and of images that keep one file for
 * each (`status.d`).
 */
import type { Found } from './components.ts'
import { anyCase, linesOf, stanzasOf } from './stanzas.ts'

const fields = anyCase('package', 'version', 'status', 'architecture', 'source')

export function readDpkgStatus(text: string, path: string): Found[] {
  const found: Found[] = []
  for (const field of stanzasOf(linesOf(text), fields)) {
    const name = field('package')
    const version = field('version')
    if (name === '' || version === '') continue
    const status = field('status')
    // The file also lists packages that were removed and left their configuration behind.
    if (status !== '' && !status.endsWith(' installed')) continue
    const architecture = field('architecture')
    found.push({
      ...{ type: 'deb', name, version, path },
      ...(architecture === '' ? {} : { architecture }),
      source: sourceOf(field('source'), name, version),
    })
  }
  return found
}

/** `Source: NAME` or `NAME (VERSION)`; a package without the field is built from its own name. */
function sourceOf(source: string, name: string, version: string) {
  if (source === '') return { name, version: withoutRebuild(version) }
  const [, sourceName, sourceVersion] = /^(\S+)(?:\s+\((\S+)\))?$/.exec(source) ?? []
  if (sourceName === undefined) return undefined
  return { name: sourceName, version: sourceVersion ?? withoutRebuild(version) }
}

/** A rebuild of the same source adds `+bN` to the version of the package alone. */
function withoutRebuild(version: string): string {
  return version.replace(/\+b\d+$/, '')
}
