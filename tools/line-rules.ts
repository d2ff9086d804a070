/**
 * A terminal gets line by line: a line break inside of one is written out as `\u{a}`, because a
 * text of others must not begin a line of its own.
 */
import type { Rule } from './rule.ts'

const at = (source: string): readonly [string, string] => ['packages/cli/src/a.ts', source]

export const lineRule: Rule = {
  name: 'what is said or warned is one line',
  appliesTo: (file) => file.path.startsWith('packages/cli/src/') && !file.isTest,
  check: (file) =>
    file.strings
      .filter(({ text, start }) => text.includes('\\n') && isSaid(file.code, start))
      .map(({ start }) => ({
        line: file.source.slice(0, start).split('\n').length,
        text: 'say each line by itself',
      })),
  caught: [
    at("context.warn('one\\ntwo')"),
    at("context.say(context.paint.red(`one\\n` + 'two'))"),
    at("context.warn(\n  a ? 'b' : 'one\\n',\n)"),
  ],
  passes: [
    at("context.warn('one')\nout.write('a\\n')"),
    at("for (const line of text.split('\\n')) context.say(line)"),
    ['packages/cli/src/a.test.ts', "context.warn('one\\ntwo')"],
  ],
}

/** Whether the text at `start` stands among the arguments of `warn` or `say`. */
function isSaid(code: string, start: number): boolean {
  let depth = 0
  for (let i = start - 1; i >= 0; i--) {
    if (')]}'.includes(code[i]!)) depth++
    else if ('([{'.includes(code[i]!)) depth--
    if (depth >= 0) continue
    if (/\b(?:warn|say)\($/.test(code.slice(0, i + 1))) return true
    depth = 0
    if (code[i] === '{') return false
  }
  return false
}
