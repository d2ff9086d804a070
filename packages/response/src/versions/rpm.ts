/** Versions of RPM (rpm-version(7)): `[epoch:]version[-release]`. */
import { joinKeys, mark, numberKey, textKey } from './key.ts'

const form = /^(?:(\d+):)?(.*?)(?:-([^-]*))?$/s

/** Throws nothing: RPM compares whatever it is given. An epoch that is not there is zero. */
export function rpmKey(version: string): Uint8Array {
  const [, epoch = '0', upstream = '', release = ''] = form.exec(version.trim()) ?? []
  return joinKeys([numberKey(epoch), partKey(upstream), partKey(release)])
}

/**
 * Runs of digits, runs of letters, `~` and `^`; everything else only separates them. At one place
 * `~` comes first, then the end, `^`, letters and digits.
 */
function partKey(part: string): Uint8Array {
  const pieces: Uint8Array[] = []
  for (const [run] of part.matchAll(/\d+|[A-Za-z]+|~|\^/g)) {
    if (run === '~') pieces.push(mark(0x01))
    else if (run === '^') pieces.push(mark(0x03))
    else if (/^\d/.test(run)) pieces.push(mark(0x05), numberKey(run))
    else pieces.push(mark(0x04), textKey(run))
  }
  return joinKeys([...pieces, mark(0x02)])
}
