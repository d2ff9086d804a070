/**
 * The last lines that an application wrote, without the secrets that this device knows: they go
 * into a report, which people and the server read.
 */
import { base64Decode, base64Encode } from '@seaworthy/std/bytes'
import { cutText, writeOut } from '@seaworthy/std/printable'
import type { AppOutput } from '../ports.ts'

const linesMax = 20
const lineLengthMax = 256
const lengthMax = 2048
/** A shorter text occurs everywhere: taking it out would say which one it is. */
const secretLengthMin = 4
const reasonLengthMax = 256
const hidden = '[secret]'

/**
 * Values that reports must not hold. `undefined`: this process does not know all of them, and
 * nothing of the application goes into a report.
 */
export type UntoldSecrets = ReadonlySet<string> | undefined

/** Values are kept as Base64 of their bytes. */
export function secretOf(bytes: Uint8Array): string {
  return base64Encode(bytes)
}

/** The last lines; none where something in them might be a secret that cannot be recognised. */
export function readOutputLines({ bytes, isCut }: AppOutput, secrets: UntoldSecrets): string[] {
  const forms = secrets && listForms(secrets)
  if (forms === undefined) return []
  const text = Buffer.from(bytes).toString('latin1')
  const { scrubbed, headLength } = scrub(text, forms)
  // A secret may begin before what was read: its rest is not recognised.
  const shown = isCut ? scrubbed.slice(headLength) : scrubbed
  const cleaned = toText(shown)
    .split(/\r\n|\n|\r/)
    .map(clean)
    .join('\n')
  const lines = hideAgain(cleaned, forms)
    .split('\n')
    .map((line) => cutText(line, lineLengthMax))
    .filter((line) => line !== '')
  const last = lines.slice(-linesMax)
  for (let length = sumOf(last); length > lengthMax;) length -= last.shift()!.length
  return last
}

/** One line that says why something failed; `undefined` where it might tell a secret. */
export function readReason(text: string, secrets: UntoldSecrets): string | undefined {
  const forms = secrets && listForms(secrets)
  if (forms === undefined) return undefined
  const { scrubbed } = scrub(toLatin1(text), forms)
  const line = hideAgain(clean(toText(scrubbed)), forms)
  return line === '' ? undefined : cutText(line, reasonLengthMax)
}

function sumOf(lines: readonly string[]): number {
  return lines.reduce((sum, { length }) => sum + length, 0)
}

// oxlint-disable-next-line no-control-regex -- escape sequences of terminals begin with a control
const escapes = /\u001b(?:\[[0-9;?]*[A-Za-z]|\][^\u0007\u001b]*\u0007?)/g

const toLatin1 = (text: string) => Buffer.from(text).toString('latin1')
const toText = (latin1: string) => Buffer.from(latin1, 'latin1').toString('utf8')

/** What is left out of a line may have stood within a secret, which is whole without it. */
const hideAgain = (text: string, forms: readonly string[]) =>
  toText(scrub(toLatin1(text), forms).scrubbed)

/** The line without colours, and without characters that nobody sees. */
function clean(line: string): string {
  const plain = line.replaceAll(escapes, '').replaceAll('\t', ' ')
  return writeOut(plain, () => '').trimEnd()
}

/**
 * The forms in which programs write a value, each as Latin-1 text of its bytes: as it is, line by
 * line, in JSON, in a URL, in a form, in hexadecimal, in UTF-16 and in Base64, also within a longer
 * text.
 * `undefined` when one is too short.
 */
function listForms(secrets: ReadonlySet<string>): readonly string[] | undefined {
  const forms = new Set<string>()
  for (const secret of secrets) {
    const whole = Buffer.from(base64Decode(secret)).toString('latin1')
    const value = whole.trim()
    if (value === '') continue
    if (value.length < secretLengthMin) return undefined
    const lines = value.split(/\r?\n/).map((line) => line.trim())
    // Lines such as BEGIN and END of a key are no secret, and do no harm.
    for (const text of [whole, value, ...lines]) {
      if (text.length >= 2 * secretLengthMin || text === whole || text === value) {
        for (const form of formsOf(text)) forms.add(form)
      }
    }
  }
  return [...forms].toSorted((a, b) => b.length - a.length)
}

function formsOf(text: string): string[] {
  const bytes = Buffer.from(text, 'latin1')
  const characters = bytes.toString('utf8')
  const hex = bytes.toString('hex')
  const json = JSON.stringify(characters).slice(1, -1)
  return [
    text,
    toLatin1(json),
    json.replaceAll(/[^ -~]/g, escapeUnit),
    encodeURIComponent(characters),
    new URLSearchParams([['', characters]]).toString().slice(1),
    hex,
    hex.toUpperCase(),
    // UTF-16 without its last byte is the same in both orders of bytes.
    Buffer.from(characters, 'utf16le').toString('latin1').slice(0, -1),
    bytes.toString('base64').replace(/=+$/, ''),
    bytes.toString('base64url'),
    ...base64Within(bytes),
  ].filter((form) => form.length >= secretLengthMin)
}

/** The escape of JSON that is written in ASCII alone. */
function escapeUnit(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`
}

/**
 * What Base64 of any text writes that the value is a part of, such as `name:value` in an
 * `Authorization` header: the characters that stand for bits of the value alone, wherever in a
 * group of three bytes it begins.
 */
function base64Within(bytes: Buffer): string[] {
  return [0, 1, 2].flatMap((before) => {
    const bits = 8 * (before + bytes.length)
    const from = Math.ceil((8 * before) / 6)
    const to = Math.floor(bits / 6)
    const padded = Buffer.concat([Buffer.alloc(before), bytes])
    return (['base64', 'base64url'] as const).map((how) => padded.toString(how).slice(from, to))
  })
}

/** Forms that are shorter are found only as they are: their characters stand together by chance. */
const squeezedLengthMin = 8
// oxlint-disable-next-line no-control-regex -- blanks, line ends and other controls are left out
const gaps = new RegExp(`${escapes.source}|[\\u0000-\\u0020\\u007f]`, 'g')

/** The text without blanks, line ends and colours, and where each character of it stands. */
function squeeze(text: string): { readonly squeezed: string; readonly places: Uint32Array } {
  const places = new Uint32Array(text.length)
  let squeezed = ''
  let at = 0
  const keep = (to: number) => {
    for (let i = at; i < to; i++) places[squeezed.length + i - at] = i
    squeezed += text.slice(at, to)
  }
  for (const { 0: gap, index } of text.matchAll(gaps)) {
    keep(index)
    at = index + gap.length
  }
  keep(text.length)
  return { squeezed, places }
}

/** Where the forms stand, also where a program has broken them into lines or groups. */
function listSpans(text: string, forms: readonly string[]) {
  const { squeezed, places } = squeeze(text)
  const spans = forms.flatMap((form) => {
    const whole = [...placesOf(text, form)].map((from) => ({ from, to: from + form.length }))
    const packed = squeeze(form).squeezed
    if (packed.length < squeezedLengthMin) return whole
    const broken = [...placesOf(squeezed, packed)].map((from) => ({
      from: places[from]!,
      to: places[from + packed.length - 1]! + 1,
    }))
    return [...whole, ...broken]
  })
  const longest = forms[0]?.length ?? 0
  const headEnd = longest < squeezed.length ? places[longest]! : text.length
  return { spans: spans.toSorted((a, b) => a.from - b.from), headEnd: longest && headEnd }
}

/**
 * The text with each form hidden; `headLength` is the part of the result in which the rest of a
 * form may stand that began before the text.
 */
function scrub(
  text: string,
  forms: readonly string[],
): { readonly scrubbed: string; readonly headLength: number } {
  const { spans, headEnd } = listSpans(text, forms)
  let scrubbed = ''
  let headLength: number | undefined
  let at = 0
  const pass = (to: number) => {
    if (headLength === undefined && to >= headEnd) {
      headLength = scrubbed.length + Math.max(0, headEnd - at)
    }
    scrubbed += text.slice(at, to)
    at = to
  }
  for (const { from, to } of spans) {
    if (from >= at) {
      pass(from)
      scrubbed += hidden
    }
    at = Math.max(at, to)
  }
  pass(text.length)
  return { scrubbed, headLength: headLength ?? scrubbed.length }
}

function* placesOf(text: string, form: string): Generator<number> {
  for (let at = text.indexOf(form); at >= 0; at = text.indexOf(form, at + 1)) yield at
}

/** Names of values in the agent's own configuration that are secret by what they are called. */
const secretName = /pass|secret|token|credential|key$/i

/** The values of the configuration file that reports must not hold. */
export function listOwnSecrets(config: {
  readonly environment: Readonly<Record<string, string>>
  readonly provisioningKey?: string
  readonly enrolmentKey?: string
}): string[] {
  const named = Object.entries(config.environment).flatMap(([name, value]) =>
    // Shorter ones are rather a layout of keys or a lifetime of tokens.
    secretName.test(name) && value.trim().length >= secretLengthMin ? [value] : [],
  )
  return [...named, config.provisioningKey, config.enrolmentKey].flatMap((value) =>
    value === undefined ? [] : [secretOf(Buffer.from(value))],
  )
}
