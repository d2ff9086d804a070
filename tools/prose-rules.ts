/** How comments are written: their width, and what they begin with. */
import type { Rule } from './rule.ts'
import { lineAt } from './source-scan.ts'
import type { SourceFile } from './source-tree.ts'

/** Workspaces whose comments keep the rules; a workspace is added once its comments do. */
const checkedWorkspaces = [
  'agent',
  'api',
  'bench',
  'cli',
  'fleet',
  'oci',
  'response',
  'sbom',
  'server',
  'sim',
  'std',
  'tools',
  'trust',
  'web',
]

const columnsMax = 100

const isChecked = (file: SourceFile) => checkedWorkspaces.includes(file.workspace)

/**
 * A bare preposition at the beginning leaves out what the comment is about. A whole sentence may
 * begin with one: `In strict mode, …` has a comma before its subject. `Of` begins none.
 */
const bareBeginning =
  /^(?:of\b|(?:above|after|against|as|at|before|behind|below|besides?|between|beyond|by|during|for|from|in|into|on|over|per|since|through|to|towards?|under|until|via|with|within|without)\b(?![^.:;]*,\s))/i

/** Line comments directly below one another are one text, which begins with the first of them. */
function findBeginnings(file: SourceFile): { text: string; start: number }[] {
  const isContinued = ({ text, start }: { text: string; start: number }) => {
    const above = file.source.slice(0, start).split('\n').at(-2) ?? ''
    return text.startsWith('//') && above.trimStart().startsWith('//')
  }
  return file.comments
    .filter((comment) => !isContinued(comment))
    .map(({ text, start }) => ({ text: text.replace(/^(?:\/\/|\/\*\*?)[\s*]*/, ''), start }))
}

/** The whole text of a comment on one line. */
const textOf = (text: string) =>
  text.replace(/^(?:\/\/|\/\*\*?)\s*|\s*\*\/$/g, '').replaceAll(/\s*\n\s*(?:\*|\/\/)?\s*/g, ' ')

/**
 * A sentence in the order of another language: `Whom a group lets in comes in by …`, `Of the code
 * only the digest is stored.`, `So many are read at once.`
 */
const foreignOrder = /(?:^|[.;] )(?:Whom\b|So (?:many|few|much)\b|Of (?!course\b)[a-z])[^.;]*/

const at = (source: string): readonly [string, string] => ['packages/std/src/a.ts', source]

export const proseRules: Rule[] = [
  {
    name: 'a comment does not begin with a bare preposition',
    appliesTo: isChecked,
    check: (file) =>
      findBeginnings(file)
        .filter(({ text }) => bareBeginning.test(text))
        .map(({ text, start }) => ({
          line: lineAt(file.source, start),
          text: `"${text.split('\n')[0]!.slice(0, 30)}": a sentence or noun phrase, subject first`,
        })),
    caught: [
      at('/** Of the release. */'),
      at('/** Of the release, and of its index. */'),
      at('/** From 1. */'),
      at('/**\n * For people: an id,\n * and a name.\n */'),
      at('const a = 1 // by path'),
      at('// Without a gap; ordered, too.'),
      at('// A line.\n\n// In milliseconds.'),
    ],
    passes: [
      at('/** Digest of the release. */'),
      at('// In strict mode, unknown members are refused.'),
      at('/** For each device, the release that it runs. */'),
      at('// The state is kept\n// for a day.'),
      at("const a = '// of it'"),
      at('/** Forms of names; asides; ontology. */'),
      ['packages/unchecked/src/a.ts', '/** Of the release. */'],
    ],
  },
  {
    name: 'a sentence of a comment begins with its subject',
    appliesTo: isChecked,
    check: (file) =>
      file.comments.flatMap(({ text, start }) => {
        const found = foreignOrder.exec(textOf(text))
        return found === null
          ? []
          : [
              {
                line: lineAt(file.source, start),
                text: `"${found[0].slice(0, 40)}": subject first`,
              },
            ]
      }),
    caught: [
      at('/** Sessions. Of the secret only the digest is stored. */'),
      at('// So many are read at once.'),
      at('/**\n * Roles. Whom a group\n * lets in comes in by the provider.\n */'),
    ],
    passes: [
      at('/** Only the digest of the secret is stored. */'),
      at('/** Somebody whom a group lets in, so many times. */'),
      at('/** Anything can fail. Of course it is tried again. */'),
    ],
  },
  {
    name: `comments are at most ${columnsMax} columns wide`,
    appliesTo: isChecked,
    check: (file) => {
      const lines = file.source.split('\n')
      const numbers = file.comments.flatMap(({ text, start }) => {
        const first = lineAt(file.source, start)
        return text.split('\n').map((_, index) => first + index)
      })
      return [...new Set(numbers)]
        .filter((number) => lines[number - 1]!.replaceAll(/./gu, '.').length > columnsMax)
        .map((number) => ({ line: number, text: 'wrap it' }))
    },
    caught: [
      at(`/** ${'a'.repeat(columnsMax - 6)} */`),
      at(`/**\n * a\n * ${'a'.repeat(columnsMax)}\n */`),
      at(`  // ${'a'.repeat(columnsMax - 4)}`),
    ],
    passes: [
      at(`/** ${'a'.repeat(columnsMax - 7)} */`),
      at(`const a = '${'a'.repeat(columnsMax)}'\n// a`),
      at(`// ${'…'.repeat(columnsMax - 3)}`),
    ],
  },
]
