/**
 * A list that the database gives is read into memory whole, and often sent: one that a device, a
 * stranger or a token may make long ends the process. So a query has a limit, or its comment says
 * what bounds it.
 */
import type { Rule } from './rule.ts'
import { lineAt } from './source-scan.ts'

/** Exported functions, each with the comment above it. */
const functions =
  /(\/\*\*(?:(?!\*\/)[\s\S])*\*\/\n)?export (?:async )?function (\w+)([\s\S]*?)\n\}\n/g
const manyRows = /\): (?:Promise<(?:(?! \{\n)[\s\S])*?(?:\[\]|Map<|Set<)|\w+\[\])/
const query = /`[^`]*\b(?:select|returning)\b/
const limited = /\blimit\b/
const saysWhat = /\bat\s+(?:\*\s+)?most\b|\bbounded\b/i

const at = (source: string): readonly [string, string] => ['packages/server/src/db/a.ts', source]
const all = 'return sql<A[]>`select a from b`\n}\n'

export const listRule: Rule = {
  name: 'every list that the database gives has a limit, or says what bounds it',
  appliesTo: (file) => /^packages\/server\/src\/db\/[\w-]+\.ts$/.test(file.path) && !file.isTest,
  check: (file) =>
    [...file.source.matchAll(functions)].flatMap(({ 1: comment = '', 2: name, 3: body, index }) =>
      manyRows.test(body!) && query.test(body!) && !limited.test(body!) && !saysWhat.test(comment)
        ? [
            {
              line: lineAt(file.source, index),
              text: `${name}: give its query a limit, or say in its comment what there are at most`,
            },
          ]
        : [],
    ),
  caught: [
    at(`export async function listA({ sql }: ReadTx): Promise<A[]> {\n  ${all}`),
    at(
      `/** Lists A. */\nexport function listA({ sql }: ReadTx): Promise<readonly A[]> {\n  ${all}`,
    ),
    at(`export async function a(tx: ReadTx): Promise<Map<string, A>> {\n  ${all}`),
  ],
  passes: [
    at(`/** At most one for each id. */\nexport async function listA(): Promise<A[]> {\n  ${all}`),
    at(
      'export async function listA(limit: number): Promise<A[]> {\n  return sql`select a from b limit ${limit}`\n}\n',
    ),
    at(`export async function getA({ sql }: ReadTx): Promise<A | undefined> {\n  ${all}`),
    ['packages/server/src/app/a.ts', `export async function a(): Promise<A[]> {\n  ${all}`],
  ],
}
