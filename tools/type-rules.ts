/** Types say what is true, and modules what they give. */
import type { Rule } from './rule.ts'
import { at, banCalls } from './rule.ts'
import type { SourceFile } from './source-tree.ts'

const isTypeScript = (file: SourceFile) => /\.tsx?$/.test(file.path)

export const typeRules: Rule[] = [
  banCalls(
    'no value is said to be of every type',
    [
      {
        pattern: /\bas\s+never\b/g,
        instead: 'give it its type: unknown, a generic, or z.safeParse for a schema',
      },
    ],
    {
      caught: [
        at('return parsed.data as never'),
        at('call({ body: body as\n  never })'),
        ['sim/src/a.ts', 'f(a as never)'],
        ['packages/web/src/main.tsx', '<A b={c as never} />'],
      ],
      passes: [
        at('function refuse(): never {}'),
        at('// as never before'),
        at("say('as never')"),
        at('const names = list as neverEmpty'),
        ['packages/agent/src/a.test.ts', 'f({ broken: true } as never)'],
      ],
    },
    (file) => /^(?:packages|sim|bench)\//.test(file.path) && !file.isTest,
  ),
  banCalls(
    'types do not lie and can be erased',
    [
      {
        pattern: /^\s*(?:export\s+)?(?:declare\s+)?(?:const\s+)?enum\s+\w+/gm,
        instead: 'a union of strings',
      },
      { pattern: /^\s*(?:export\s+)?(?:declare\s+)?namespace\s+\w+/gm, instead: 'a module' },
      {
        pattern: /(?:[:<|&,(=]|\bas|=>)\s*any\b(?!\s*[:(?])(?:\[\])*/g,
        instead: '`unknown`, and look before using',
      },
    ],
    {
      caught: [
        at('enum A { b }'),
        at('export const enum A { b }'),
        at('namespace A {}'),
        at('let a: any'),
        at('const a = b as any'),
        at('const a: Map<string, any> = b'),
      ],
      passes: [
        at("type A = 'enum'"),
        at('// any of them'),
        at('const a = Promise.any(b)'),
        at('const anyone: unknown = 1'),
        at('f({ any: 1 })'),
      ],
    },
    (file) => isTypeScript(file) && !file.isTest,
  ),
  banCalls(
    'modules name what they give: no default export, no star',
    [
      { pattern: /\bexport\s+default\b/g, instead: 'export it by its name' },
      { pattern: /\bexport\s*\{[^}]*\bas\s+default\b/g, instead: 'export it by its name' },
      { pattern: /\bexport\s*\*/g, instead: 'list what the folder promises' },
    ],
    {
      caught: [
        at('export default function a() {}'),
        at('const a = 1\nexport { a as default }'),
        at("export * from './b.ts'"),
        at("export * as b from './b.ts'"),
      ],
      passes: [at("import b from 'b'"), at("export { b } from './b.ts'")],
    },
    () => true,
  ),
  banCalls(
    'no state at the level of a module',
    [
      {
        pattern: /^(?:export\s+)?(?:let|var)\s+\w+/gm,
        instead: 'keep it in what a function makes',
      },
    ],
    {
      caught: [at('let count = 0'), at('export let a: number'), at('var a')],
      passes: [at('const a = 0'), at('function f() {\n  let a = 0\n}')],
    },
    (file) => !file.isMain && !file.isTest && isTypeScript(file),
  ),
]
