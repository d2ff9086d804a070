/** Operator scripts: one command a line, words and `name=value` options, `#` starts a comment. */
import { parseDuration } from '@seaworthy/std/time'

export class ScriptError extends Error {
  override readonly name = 'ScriptError'
}

export interface ScriptLine {
  readonly number: number
  readonly text: string
  readonly words: readonly string[]
  readonly options: ReadonlyMap<string, string>
}

export function parseScript(text: string): ScriptLine[] {
  return text.split('\n').flatMap((raw, i) => {
    const line = raw.replace(/(?:^|\s)#.*$/, '').trim()
    if (line === '') return []
    const words: string[] = []
    const options = new Map<string, string>()
    for (const part of line.split(/\s+/)) {
      const option = /^([a-z][a-z0-9-]*)=(.+)$/.exec(part)
      if (option) options.set(option[1]!, option[2]!)
      else words.push(part)
    }
    return [{ number: i + 1, text: line.replaceAll(/\s+/g, ' '), words, options }]
  })
}

/**
 * The words of one line, taken one after the other; whatever is left over at the end is a mistake.
 */
export interface Arguments {
  next(what: string): string
  /** A whole number, 0 or more. */
  count(what: string): number
  /** A duration such as `90s`, `30m`, `12h`, `7d`. */
  durationMs(what: string): number
  /** Takes the next word if it is this one. */
  take(word: string): boolean
  readonly isEmpty: boolean
  option(name: string): string | undefined
  countOption(name: string): number | undefined
  /** Throws `ScriptError` for words and options that nobody took. */
  finish(): void
}

export function createArguments(words: readonly string[], options: ReadonlyMap<string, string>) {
  const rest = [...words]
  const unused = new Set(options.keys())
  const wholeNumber = (text: string, what: string) => {
    if (!/^\d{1,12}$/.test(text)) throw new ScriptError(`${what}: a whole number, not ${text}`)
    return Number(text)
  }
  const given: Arguments = {
    next(what) {
      const word = rest.shift()
      if (word === undefined) throw new ScriptError(`${what} is missing`)
      return word
    },
    count: (what) => wholeNumber(given.next(what), what),
    durationMs(what) {
      const word = given.next(what)
      try {
        return parseDuration(word)
      } catch (cause) {
        throw new ScriptError(`${what}: a duration such as 90s or 7d, not ${word}`, { cause })
      }
    },
    take(word) {
      if (rest[0] !== word) return false
      rest.shift()
      return true
    },
    get isEmpty() {
      return rest.length === 0
    },
    option(name) {
      unused.delete(name)
      return options.get(name)
    },
    countOption(name) {
      const text = given.option(name)
      return text === undefined ? undefined : wholeNumber(text, name)
    },
    finish() {
      const [first] = [...rest, ...unused]
      if (first !== undefined) throw new ScriptError(`${first} means nothing here`)
    },
  }
  return given
}
