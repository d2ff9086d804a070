/**
 * Versions of apk (apk-package(5)): numbers, a letter, suffixes, a hash, `-r` and the number of the
 * build.
 */
import { joinKeys, mark, numberKey, textKey } from './key.ts'

const form =
  /^(\d+(?:\.\d+)*)([a-z]?)((?:_(?:alpha|beta|pre|rc|cvs|svn|git|hg|p)\d*)*)(?:~([0-9a-f]+))?(?:-r(\d*))?$/
/** These come before the version itself. */
const before = ['alpha', 'beta', 'pre', 'rc']
const after = ['cvs', 'svn', 'git', 'hg', 'p']

/** What stands at one place, from the least to the greatest. */
const at = { before: 0x10, end: 0x20, after: 0x30, letter: 0x40, padded: 0x50, number: 0x51 }

export function alpineKey(version: string): Uint8Array | undefined {
  const [, numbers, letter, suffixes, , build = ''] = form.exec(version) ?? []
  if (numbers === undefined) return undefined
  const [first, ...others] = numbers.split('.')
  const pieces = [numberKey(first!)]
  for (const number of others) {
    // Digits behind a zero are those of a fraction.
    if (number.startsWith('0')) pieces.push(mark(at.padded), textKey(number))
    else pieces.push(mark(at.number), numberKey(number))
  }
  if (letter !== '') pieces.push(mark(at.letter), textKey(letter!))
  for (const [, name, number] of suffixes!.matchAll(/_([a-z]+)(\d*)/g)) {
    const isBefore = before.includes(name!)
    const base = isBefore ? at.before + before.indexOf(name!) : at.after + after.indexOf(name!)
    pieces.push(mark(base), numberKey(number!))
  }
  return joinKeys([...pieces, mark(at.end), numberKey(build)])
}
