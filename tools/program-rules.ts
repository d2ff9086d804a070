/**
 * A test starts only programs that it has asked for, or that every Debian has: `npm cit` must end
 * well on any machine.
 */
import { optionalProgramNames } from '../packages/std/src/testing/programs.ts'
import type { SourceFile } from './source-tree.ts'
import type { Rule } from './rule.ts'

/** Programs of packages that are `Essential: yes` on Debian, so they are everywhere. */
const everywhere = /^(?:\/bin\/(?:sh|true|false)|sh|tar|sha256sum|mkfifo|id|chown|sync|stty)$/
const starts = /\b(spawn|spawnSync|execFile|execFileSync|exec|execSync)\s*\(\s*$/
const asks = /\b(?:lacks|skipWithout|findProgram)\s*\(([^()]*)\)/g
const home = 'packages/std/src/testing/'

const lineOf = (file: SourceFile, start: number) => file.source.slice(0, start).split('\n').length

/** Calls whose first argument is a string literal: the call up to the quote, and the literal. */
function* firstArguments(file: SourceFile) {
  for (const { text, start } of file.strings) {
    const before = file.code.slice(Math.max(0, start - 80), start - 1)
    const call = /\b(\w+)\s*\(\s*(?:\.\.\.\(?\[)?\s*$/.exec(before)?.[1]
    if (call !== undefined) yield { text, start, before, call }
  }
}

const at = (source: string): readonly [string, string] => ['packages/cli/src/a.test.ts', source]

export const programRules: Rule[] = [
  {
    name: 'a test asks for every program that it starts, in one place',
    appliesTo: (file) =>
      file.isTest &&
      file.path.endsWith('.ts') &&
      !file.path.startsWith(home) &&
      (!file.path.startsWith('tools/') || file.path.endsWith('.test.ts')),
    check: (file) => {
      const asked = [...file.source.matchAll(asks)].map(([, list]) => list!).join()
      const findings: { line: number; text: string }[] = []
      for (const { text, start, before, call } of firstArguments(file)) {
        const isKnown = (optionalProgramNames as string[]).includes(text)
        if (/^(?:lacks|skipWithout|findProgram|test|it|describe)$/.test(call)) continue
        if (isKnown && /^(?:spawn|exec|run|ok|start)/.test(call) && !asked.includes(`'${text}'`)) {
          findings.push({ line: lineOf(file, start), text: `${text}: ask \`lacks\` for it first` })
        }
        if (!isKnown && starts.test(before) && !everywhere.test(text)) {
          findings.push({
            line: lineOf(file, start),
            text: `${text}: name it in @seaworthy/std/testing/programs, and ask for it`,
          })
        }
      }
      for (const { text, start } of file.strings) {
        if (text.startsWith('--runtime=') && text !== '--runtime=')
          findings.push({ line: lineOf(file, start), text: `${text}: use the one that is there` })
        // The runner itself, and the file that reads it, are no tests of ours.
        if (text === 'SEAWORTHY_TEST_STRICT' && !file.path.startsWith('tools/'))
          findings.push({ line: lineOf(file, start), text: '`lacks` knows when to be strict' })
      }
      return findings
    },
    caught: [
      at("execFileSync('openssl', ['req'])"),
      at("await run('curl', ['--silent'])"),
      at("await ok('podman', 'import')\nlacks('skopeo')"),
      at("spawn(\n  'nginx',\n  [])"),
      at("await run('podman', '--runtime=runc')\nskipWithout(t, 'podman')"),
      at("if (process.env['SEAWORTHY_TEST_STRICT'] === '1') throw new Error(text)"),
    ],
    passes: [
      at("if (skipWithout(t, 'openssl')) return\nexecFileSync('openssl', ['req'])"),
      at("describe('curl', { skip: lacks('curl', 'zstd') }, () => run('curl'))"),
      at("execFileSync('tar', ['-x'])"),
      at('spawn(process.execPath, [main])'),
      at("complete('script', 'fish')"),
      ['packages/oci/src/a.ts', "spawn('openssl')"],
      ['tools/a.ts', "execFileSync('npm', ['pack'])"],
    ],
  },
]
