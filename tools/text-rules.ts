/**
 * A text that is cut between the halves of a character of two can be neither stored as JSON nor
 * signed, so that whoever sends such a character at the right place gets an error for ever.
 */
import type { Rule } from './rule.ts'

const at = (source: string): readonly [string, string] => ['packages/server/src/a.ts', source]
/** The limits of texts are known by their names; those of lists have others. */
const cut = /\.(?:slice|substring|substr)\(\s*0,\s*\w*(?:[lL]ength|[tT]ext)Max\s*,?\s*\)/g

export const textRule: Rule = {
  name: 'a text is cut between characters',
  appliesTo: (file) => /^(?:packages|sim)\//.test(file.path) && !file.isTest,
  check: (file) =>
    [...file.code.matchAll(cut)].map(({ index }) => ({
      line: file.code.slice(0, index).split('\n').length,
      text: 'take `cutText` (std/printable)',
    })),
  caught: [
    at('said.slice(0, messageLengthMax)'),
    at('claims.sub.substring(0, textMax)'),
    ['sim/src/a.ts', 'const a = text.slice(\n  0,\n  lengthMax,\n)'],
  ],
  passes: [
    at('cutText(said, messageLengthMax)'),
    at('rows.slice(0, rowsMax)'),
    at('text.slice(lengthMax)'),
    ['packages/server/src/a.test.ts', 'said.slice(0, messageLengthMax)'],
  ],
}
