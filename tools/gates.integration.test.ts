import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { repositoryRoot } from './source-tree.ts'

const json = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`

/**
 * A repository with our settings and two files, of which `main.ts` uses what the other exports: all
 * gates pass.
 */
const clean = {
  'package.json': json({
    name: 'gates',
    private: true,
    workspaces: ['packages/a'],
    type: 'module',
    devDependencies: { oxlint: '*', typescript: '*' },
  }),
  'packages/a/package.json': json({
    name: '@seaworthy/a',
    version: '1.0.0',
    type: 'module',
  }),
  'packages/a/src/main.ts': "import { double } from './double.ts'\n\nconsole.log(double(2))\n",
  'packages/a/src/double.ts':
    '/** Twice as much. */\nexport function double(a: number): number {\n  return 2 * a\n}\n',
}

const settings = ['tsconfig.json', '.oxlintrc.json', '.oxfmtrc.json', 'knip.json', '.gitignore']

function runGate(
  t: TestContext,
  command: readonly string[],
  files: Record<string, string>,
): { status: number | null; output: string } {
  const root = mkdtempSync(join(tmpdir(), 'seaworthy-gates-'))
  t.after(() => rmSync(root, { recursive: true }))
  for (const name of settings) cpSync(join(repositoryRoot, name), join(root, name))
  for (const folder of ['sim', 'bench', 'tools']) mkdirSync(join(root, folder))
  symlinkSync(join(repositoryRoot, 'node_modules'), join(root, 'node_modules'))
  for (const [path, text] of Object.entries({ ...clean, ...files })) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), text)
  }
  const [program, ...args] = command
  const { status, stdout, stderr } = spawnSync(
    join(repositoryRoot, 'node_modules/.bin', program!),
    args,
    { cwd: root, encoding: 'utf8' },
  )
  return { status, output: stdout + stderr }
}

const double = clean['packages/a/src/double.ts']
const inDouble = (text: string) => ({ 'packages/a/src/double.ts': double + text })

const gates: {
  command: string[]
  /**
   * The faults that each gate is there to find, with files that break it and a word it must say.
   */
  caught: Record<string, { files: Record<string, string>; says: RegExp }>
}[] = [
  {
    command: ['tsc', '--noEmit'],
    caught: {
      'a wrong type': {
        files: inDouble("export const a: number = 'b'\n"),
        says: /TS2322/,
      },
      'an index that may miss': {
        files: inDouble('export const a: string = process.argv[7]\n'),
        says: /TS2322/,
      },
      'syntax that cannot be erased': {
        files: inDouble('export enum A {\n  b,\n}\n'),
        says: /TS1294/,
      },
      'an import of nothing': {
        files: inDouble("import './gone.ts'\n"),
        says: /TS\d+/,
      },
    },
  },
  {
    command: ['oxlint', '--type-aware', '--deny-warnings', 'packages'],
    caught: {
      'a promise nobody waits for': {
        files: inDouble(
          'async function a(): Promise<void> {}\nexport function b(): void {\n  a()\n}\n',
        ),
        says: /no-floating-promises/,
      },
      'a case left out': {
        files: inDouble(
          "export function a(b: 'c' | 'd'): number {\n  switch (b) {\n    case 'c':\n      return 1\n  }\n  return 2\n}\n",
        ),
        says: /switch-exhaustiveness-check/,
      },
      any: {
        files: inDouble('export const a = (b: any): unknown => b\n'),
        says: /no-explicit-any/,
      },
      'a default export': { files: inDouble('export default 1\n'), says: /no-default-export/ },
      'a cycle': {
        files: {
          'packages/a/src/double.ts': `import { one } from './one.ts'\n\nexport const double = (a: number): number => 2 * a * one()\n`,
          'packages/a/src/one.ts': `import { double } from './double.ts'\n\nexport const one = (): number => double(1) / 2\n`,
        },
        says: /no-cycle/,
      },
    },
  },
  {
    command: ['oxfmt', '--check', '.'],
    caught: {
      'other punctuation': { files: inDouble('export const a = "b";\n'), says: /double\.ts/ },
      'a long line': {
        files: inDouble(`export const a = [${'1, '.repeat(60)}1]\n`),
        says: /double\.ts/,
      },
    },
  },
  {
    command: ['knip', '--strict'],
    caught: {
      'an export nobody uses': {
        files: inDouble('export const unused = 1\n'),
        says: /Unused exports[\s\S]*unused/,
      },
      'a file nobody uses': {
        files: { 'packages/a/src/unused.ts': 'export const a = 1\n' },
        says: /Unused files[\s\S]*unused\.ts/,
      },
      'an export that only a test uses': {
        files: {
          ...inDouble('export const tested = 1\n'),
          'packages/a/src/double.test.ts':
            "import { tested } from './double.ts'\n\ntested.toFixed()\n",
        },
        says: /Unused exports[\s\S]*tested/,
      },
      'an undeclared package': {
        files: inDouble("import 'hono'\n"),
        says: /Unlisted dependencies[\s\S]*hono/,
      },
      'a declared package nobody imports': {
        files: {
          'packages/a/package.json': json({
            name: '@seaworthy/a',
            type: 'module',
            version: '1.0.0',
            dependencies: { hono: '*' },
          }),
        },
        says: /Unused dependencies[\s\S]*hono/,
      },
    },
  },
]

for (const { command, caught } of gates) {
  const name = command.slice(0, 2).join(' ')
  test(`gate ${name}: lets clean code through`, (t) => {
    const { status, output } = runGate(t, command, {})
    assert.equal(status, 0, output)
  })
  for (const [what, { files, says }] of Object.entries(caught)) {
    test(`gate ${name}: catches ${what}`, (t) => {
      const { status, output } = runGate(t, command, files)
      assert.notEqual(status, 0, output)
      assert.match(output, says)
    })
  }
}
