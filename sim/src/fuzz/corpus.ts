/**
 * Cases that somebody once stumbled over, kept as text: `TARGET EXPECTED FORM PAYLOAD` a line.
 * EXPECTED is `accepted`, the code of the refusal, or `-` for either. FORM is `text` (a JSON
 * string), `hex`, or `repeat` (`COUNT "text"`). `#` begins a comment.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { hexDecode, utf8Encode } from '@seaworthy/std/bytes'

export interface CorpusCase {
  /** File and line, such as `json.txt:12`. */
  readonly place: string
  readonly target: string
  readonly expected: string
  readonly bytes: Uint8Array<ArrayBuffer>
}

export function parseCorpus(name: string, text: string): CorpusCase[] {
  return text.split('\n').flatMap((line, i) => {
    if (line === '' || line.startsWith('#')) return []
    const place = `${name}:${i + 1}`
    const match = /^(\S+) (\S+) (text|hex|repeat) (.+)$/.exec(line)
    if (!match) throw new SyntaxError(`${place}: not TARGET EXPECTED FORM PAYLOAD`)
    const [, target, expected, form, payload] = match
    return [{ place, target: target!, expected: expected!, bytes: decode(form!, payload!) }]
  })
}

function decode(form: string, payload: string): Uint8Array<ArrayBuffer> {
  if (form === 'hex') return hexDecode(payload)
  if (form === 'text') return utf8Encode(JSON.parse(payload) as string)
  const space = payload.indexOf(' ')
  const text = JSON.parse(payload.slice(space + 1)) as string
  return utf8Encode(text.repeat(Number(payload.slice(0, space))))
}

/** All files of the folder `corpus`. */
export function readCorpus(): CorpusCase[] {
  const folder = new URL('corpus/', import.meta.url)
  const names = readdirSync(folder).filter((name) => name.endsWith('.txt'))
  return names
    .toSorted()
    .flatMap((name) => parseCorpus(name, readFileSync(new URL(name, folder), 'utf8')))
}
