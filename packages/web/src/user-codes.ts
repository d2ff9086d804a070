/** The codes that a command line shows for pairing, as people type them. */
import { userCodeLetters } from '@seaworthy/api/pairings'

const form = new RegExp(`^[${userCodeLetters}]{8}$`)

/** `XXXX-XXXX`, or `undefined` for what is not such a code; spaces and capitals do not matter. */
export function normalizeUserCode(text: string): string | undefined {
  const letters = text.toUpperCase().replaceAll(/[\s\-–]/g, '')
  return form.test(letters) ? `${letters.slice(0, 4)}-${letters.slice(4)}` : undefined
}
