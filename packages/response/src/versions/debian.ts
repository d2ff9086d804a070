/** Versions of dpkg (deb-version(7)): `[epoch:]upstream[-revision]`. */
import { joinKeys, mark, numberKey } from './key.ts'

const form = /^(?:(\d+):)?(.*?)(?:-([^-]*))?$/s

/** Throws nothing: dpkg compares whatever it is given. */
export function debianKey(version: string): Uint8Array {
  const [, epoch = '0', upstream = '', revision = ''] = form.exec(version.trim()) ?? []
  return joinKeys([numberKey(epoch), partKey(upstream), partKey(revision)])
}

/** No further text: it is more than `~`, and less than every other character. */
const end = 0x02

/**
 * Text and numbers in turns. In text `~` comes first, then its end, then letters, then all other
 * characters; a number that is not there is zero.
 */
function partKey(part: string): Uint8Array {
  const pieces: Uint8Array[] = []
  // Nothing is the number zero.
  for (const [, text, digits] of (part === '' ? '0' : part).matchAll(/(\D*)(\d*)/g)) {
    if (text === '' && digits === '') break
    const weights = Uint8Array.from(text!.split('').map(weightOf))
    pieces.push(weights, mark(end), numberKey(digits!))
  }
  return joinKeys([...pieces, mark(end)])
}

function weightOf(character: string): number {
  if (character === '~') return 0x01
  const code = character.charCodeAt(0)
  if (/[A-Za-z]/.test(character)) return code
  return 0x80 + (code & 0x7f)
}
