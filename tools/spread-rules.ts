/**
 * A list that is spread into a call goes onto the stack: one that a stranger can make long ends the
 * program (`RangeError: Maximum call stack size exceeded`, from about 120 000 elements on).
 */
import type { Rule } from './rule.ts'

/** Calls whose list grows with the data; what forwards the arguments that it got is none. */
const takesAny =
  /\b(?:Math\s*\.\s*\w+|push|unshift|splice|concat|of|fromCharCode|fromCodePoint)\s*$/

const at = (source: string): readonly [string, string] => ['packages/server/src/a.ts', source]

export const spreadRule: Rule = {
  name: 'no list is spread into a call that puts it on the stack',
  appliesTo: (file) => /^(?:packages|sim)\//.test(file.path) && !file.isTest,
  check: (file) =>
    findSpreads(file.code).map((index) => ({
      line: file.code.slice(0, index).split('\n').length,
      text: 'take a loop, `reduce`, `minOf` or `maxOf` (std/numbers)',
    })),
  caught: [
    at('Math.max(...list)'),
    at('list.push(...others)'),
    at('list.push(a, { b: [c] }, ...others.map((one) => one.name))'),
    at('const a = is ? Math.min(...list) : b'),
    at('if (Math.max(0, ...list) > 1) { a() }'),
    ['sim/src/a.ts', 'a.b[0]!.splice(0, 1, ...list)'],
  ],
  passes: [
    at('f([...list], { ...value })'),
    at("Math.max(...['a', 'b'])"),
    at('send(...args)'),
    at('const f = (a: string, ...rest: string[]) => a'),
    at('function f(...rest: string[]): void {}'),
    at('const made = { add(amount, ...labels) { g(labels) } }'),
    at('const f = async (...rest) => rest'),
    at('// Math.max(...list)'),
    ['packages/server/src/a.test.ts', 'Math.max(...list)'],
  ],
}

/** Where the arguments of a call are a spread of anything but a literal. */
function findSpreads(code: string): number[] {
  const open: { mark: string; isCall: boolean; spreads: number[] }[] = []
  const found: number[] = []
  for (const { 0: mark, index } of code.matchAll(/\.\.\.|[([{}\])]/g)) {
    if (mark === '...') {
      const isPlain = /^\.\.\.\s*(?:\[|\w+\??\s*:)/.test(code.slice(index, index + 80))
      const isTernary = /^\.\.\.\s*\w+\s*\?\s*[^:]/.test(code.slice(index, index + 80))
      if (!isPlain || isTernary) open.at(-1)?.spreads.push(index)
    } else if ('([{'.includes(mark)) {
      const isCall = mark === '(' && takesAny.test(code.slice(Math.max(0, index - 80), index))
      open.push({ mark, isCall, spreads: [] })
    } else {
      const closed = open.pop()
      const isDeclared = /^\s*(?:=>|\{)/.test(code.slice(index + 1, index + 40))
      if (closed?.isCall === true && !isDeclared)
        for (const spread of closed.spreads) found.push(spread)
    }
  }
  return found
}
