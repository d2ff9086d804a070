import assert from 'node:assert/strict'
import { test } from 'node:test'
import { scanSource } from './source-scan.ts'

const specifiers = (source: string) =>
  scanSource(source).imports.map((i) => `${i.kind} ${i.specifier}`)

test('every form of import is seen', () => {
  const source = [
    "import a from 'a'",
    "import { b, type B } from 'b'",
    "import type { C } from 'c'",
    "import * as d from 'd'",
    "import 'e'",
    "export { f } from 'f'",
    "export * from 'g'",
    "export type { H } from 'h'",
    "import {\n  i,\n  j as k,\n} from 'i'",
    "const l = await import('l')",
    "type M = import('m').M",
    "import.meta.resolve('n')",
    "const o = require('o')",
    'import p from "p"',
    'await import(`q`)',
    "import r, { s } from 'r'",
    "import{t}from't'",
    'await import(name)',
  ].join('\n')
  assert.deepEqual(specifiers(source), [
    ...['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i'].map((s) => `static ${s}`),
    'dynamic l',
    'dynamic m',
    'resolve n',
    'dynamic o',
    'static p',
    'dynamic q',
    'static r',
    'static t',
    'dynamic ',
  ])
})

test('what only looks like an import is not one', () => {
  for (const source of [
    "// import 'a'",
    "/* import 'a' */",
    '/**\n * import { a } from "a"\n */',
    "const text = 'import b from \\'b\\''",
    'const text = `import "b" ${1} from "c"`',
    "const pattern = /import 'a'/",
    "x.import('a')",
    'export const from = 1',
    "Array.from('a')",
    "export { a }\nconst from = 'b'",
  ]) {
    assert.deepEqual(specifiers(source), [], source)
  }
})

test('strings, comments and patterns are blank in the code; expressions in templates are not', () => {
  const source = 'a("x") // y\nb(`m ${n({ o: `p${q}` })} r`); c = /[/"]s/; d = e / f / g'
  const { code, strings } = scanSource(source)
  assert.equal(code.length, source.length)
  assert.equal(code.split('\n').length, source.split('\n').length)
  const words = code.match(/\w+/g)
  assert.deepEqual(words, ['a', 'b', 'n', 'o', 'q', 'c', 'd', 'e', 'f', 'g'])
  assert.deepEqual(
    strings.map((s) => s.text),
    ['x', 'm ', 'p', '', ' r'],
  )
})
