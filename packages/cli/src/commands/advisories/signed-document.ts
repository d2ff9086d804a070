/**
 * What somebody is about to sign, in full, read from the bytes that are signed and not from what is
 * said beside them: what is not shown is what a server would hide something in.
 */
import { utf8Decode } from '@seaworthy/std/bytes'
import { openJson, parseAnyJsonText, parseJson } from '@seaworthy/std/json'
import { CliError } from '../../failure.ts'
import { harmless } from '../../output/format.ts'

export interface UnsignedDocument {
  readonly name: string
  readonly version: number
  readonly document: Uint8Array
}

/** What a CSAF document says of itself, which nobody has checked yet. */
interface UncheckedDocument {
  readonly document?: {
    readonly title?: unknown
    readonly tracking?: { readonly id?: unknown; readonly version?: unknown }
  }
}

/** A line for its title, and one for each of its values. Throws `CliError`. */
export function describeDocument({ name, version, document }: UnsignedDocument): string[] {
  const shown = harmless(name)
  const read = readOnce(shown, document)
  const { tracking, title } = (read as UncheckedDocument | null)?.document ?? {}
  if (tracking?.id !== name || tracking.version !== `${version}`) {
    throw doNotSign(`the document of ${shown} is one of another advisory`)
  }
  return [
    `${shown}, version ${version}: ${harmless(String(title))}`,
    ...[...listValues(read, '')].map((line) => `  ${harmless(line)}`),
  ]
}

/** Readers differ in which of two members with one name they take. */
function readOnce(shown: string, document: Uint8Array): unknown {
  try {
    parseJson(document, openJson)
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause
    throw doNotSign(`the document of ${shown} cannot be read in one way: ${cause.message}`, cause)
  }
  return parseAnyJsonText(utf8Decode(document))
}

function* listValues(value: unknown, place: string): Generator<string> {
  const members = typeof value === 'object' && value !== null ? Object.entries(value) : []
  if (members.length === 0) {
    yield `${place}: ${typeof value === 'string' ? value : JSON.stringify(value)}`
    return
  }
  const isList = Array.isArray(value)
  for (const [member, inner] of members) {
    const named = isList
      ? `${place}[${Number(member) + 1}]`
      : place === ''
        ? member
        : `${place}.${member}`
    yield* listValues(inner, named)
  }
}

function doNotSign(why: string, cause?: unknown): CliError {
  return new CliError('refused', why, {
    wayOut: 'Sign nothing, and ask who runs the server.',
    cause,
  })
}
