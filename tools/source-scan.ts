/**
 * Reads TypeScript as text, without a compiler: which parts are code, strings and comments, and
 * what is imported. It works on a copy in which comments and the contents of strings are blank, so
 * that no rule trips over prose.
 */

export interface Import {
  /** Empty when it is no string literal. */
  readonly specifier: string
  readonly line: number
  readonly kind: 'static' | 'dynamic' | 'resolve'
}

export interface Scan {
  /**
   * The code, as long as the source, line for line: comments, strings and regular expressions are
   * spaces (quotes stay).
   */
  readonly code: string
  readonly strings: readonly { readonly text: string; readonly start: number }[]
  /** Each comment as it stands, marks included. */
  readonly comments: readonly { readonly text: string; readonly start: number }[]
  readonly imports: readonly Import[]
}

const regexBefore =
  /(?:^|[(,=:[!&|?{};+\-*%<>~^\n]|\b(?:return|typeof|case|in|of|do|else|void|delete|await|yield))\s*$/

/**
 * Markup (in `.tsx`) has `</` and `/>` as ends of tags. Text between tags is read as
 * code: an apostrophe in it would hide the rest of its line, so texts have a typographic one.
 */
export function scanSource(source: string, hasMarkup = false): Scan {
  const blank = source.split('')
  const strings: { text: string; start: number }[] = []
  const comments: { text: string; start: number }[] = []
  const wipe = (from: number, to: number) => {
    for (let i = from; i < to; i++) if (source[i] !== '\n') blank[i] = ' '
  }
  /** One number for each open template: the depth of braces inside its current `${`. */
  const templates: number[] = []
  let i = 0
  const readTemplate = () => {
    const start = i
    while (i < source.length && source[i] !== '`') {
      if (source[i] === '\\') i++
      else if (source.startsWith('${', i)) break
      i++
    }
    strings.push({ text: source.slice(start, i), start })
    wipe(start, i)
    if (source[i] === '`') {
      i++
      return
    }
    i += 2
    templates.push(0)
  }
  while (i < source.length) {
    const char = source[i]!
    if (source.startsWith('//', i)) {
      const end = source.indexOf('\n', i)
      const stop = end < 0 ? source.length : end
      comments.push({ text: source.slice(i, stop), start: i })
      wipe(i, stop)
      i = stop
    } else if (source.startsWith('/*', i)) {
      const end = source.indexOf('*/', i + 2)
      const stop = end < 0 ? source.length : end + 2
      comments.push({ text: source.slice(i, stop), start: i })
      wipe(i, stop)
      i = stop
    } else if (char === "'" || char === '"') {
      const start = ++i
      while (i < source.length && source[i] !== char && source[i] !== '\n') {
        i += source[i] === '\\' ? 2 : 1
      }
      strings.push({ text: source.slice(start, i), start })
      wipe(start, i)
      i++
    } else if (char === '`') {
      i++
      readTemplate()
    } else if (hasMarkup && char === '/' && (source[i - 1] === '<' || source[i + 1] === '>')) {
      i++
    } else if (char === '/' && regexBefore.test(blank.slice(Math.max(0, i - 40), i).join(''))) {
      const start = i
      let inClass = false
      for (i++; i < source.length && source[i] !== '\n'; i++) {
        if (source[i] === '\\') i++
        else if (source[i] === '[') inClass = true
        else if (source[i] === ']') inClass = false
        else if (source[i] === '/' && !inClass) break
      }
      i++
      wipe(start, i)
    } else if (char === '{' && templates.length > 0) {
      templates[templates.length - 1]!++
      i++
    } else if (char === '}' && templates.length > 0) {
      i++
      if (templates[templates.length - 1] === 0) {
        templates.pop()
        readTemplate()
      } else templates[templates.length - 1]!--
    } else i++
  }
  const code = blank.join('')
  return { code, strings, comments, imports: findImports(source, code) }
}

function findImports(source: string, code: string): Import[] {
  const imports: Import[] = []
  const patterns = [
    [
      'static',
      /(?<![.\w$])(?:import|export)\b(?:\s+type\b)?[\s\w$*{},]*?(?<=[\s}*])from\s*(['"])( *)\1/g,
    ],
    ['static', /(?<![.\w$])import\s*(['"])( *)\1/g],
    ['dynamic', /(?<![.\w$])(?:import|require)\s*\(\s*(['"`])( *)\1/g],
    ['resolve', /\bimport\.meta\.resolve\s*\(\s*(['"`])( *)\1/g],
    ['dynamic', /(?<![.\w$])(?:import|require)\s*\(\s*(?!['"`])(?=[^\s)])()()/g],
  ] as const
  for (const [kind, pattern] of patterns) {
    for (const match of code.matchAll(pattern)) {
      const end = match.index + match[0].length
      const specifier = match[1] ? source.slice(end - 1 - match[2]!.length, end - 1) : ''
      imports.push({ specifier, line: lineAt(source, match.index), kind })
    }
  }
  return imports.toSorted((a, b) => a.line - b.line)
}

export function lineAt(source: string, offset: number): number {
  let line = 1
  for (let i = source.indexOf('\n'); i >= 0 && i < offset; i = source.indexOf('\n', i + 1)) line++
  return line
}
