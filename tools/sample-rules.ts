/** The unit `binary` of fast-check costs a processor a second in each file of tests that has it. */
import type { Rule } from './rule.ts'

const at = (source: string): readonly [string, string] => ['packages/std/src/a.test.ts', source]

export const sampleRule: Rule = {
  name: 'any text is made of `anyCodePoint`',
  appliesTo: () => true,
  check: (file) =>
    file.strings
      .filter(
        ({ text, start }) =>
          text === 'binary' && /\b(?:unit|stringUnit):\s*$/.test(file.code.slice(0, start - 1)),
      )
      .map(({ start }) => ({
        line: file.source.slice(0, start).split('\n').length,
        text: 'take `anyCodePoint` of std/testing, which makes the same texts',
      })),
  caught: [
    at("fc.string({ unit: 'binary', maxLength: 9 })"),
    at("fc.jsonValue({ stringUnit: 'binary' })"),
  ],
  passes: [at("fc.string({ unit: 'grapheme' })"), at("socket.binaryType = 'binary'")],
}
